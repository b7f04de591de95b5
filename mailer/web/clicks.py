"""The redirect behind a measured link, and the counted picture: answers at once, counts later.

Where a link leads stands in the link, signed, so nothing is looked up: it works for ever, also
while the database is down, and leads nowhere that a campaign did not name. A GET changes nothing
here: the answer is complete before anything is counted, and what is counted is a row of its own
that moves no person, subscription or mail. HEAD is answered alike and never counted. The
picture is the same for everybody and a part of the program, so it needs no database either.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.typing import FilteringBoundLogger

from mailer.errors import MailerError
from mailer.usecases.count_clicks import (
    Asked,
    Followed,
    count_clicks,
    open_click,
    open_load,
    show_counted_picture,
)
from mailer.web.headers import FILE_POLICY
from mailer.wiring import Mailer

MOST_WAITING = 20_000  # clicks and image loads; more of them are let go
_SLICE = 500  # in one transaction
_EVERY = 1.0  # seconds between looks at what waits
_AFTER_TROUBLE = 10.0  # seconds
_LONGEST_AGENT = 400
# What browsers say when they fetch a page before anybody asked for it.
_AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PICTURE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": FILE_POLICY,
    "Cross-Origin-Resource-Policy": "cross-origin",  # mail programs show it on their pages
}


class ClickLog:
    """Holds followed links in memory, and hands them on from a thread of its own.

    It is bounded and may lose what it holds: an answer never waits for it.
    """

    def __init__(
        self, count: Callable[[Sequence[Followed]], int], log: FilteringBoundLogger
    ) -> None:
        self._count = count
        self._log = log
        self._waiting: deque[Followed] = deque()
        self._lost = 0
        self._some = threading.Event()
        self._flushing = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, followed: Followed) -> None:
        """Takes one along, if there is room. Of the room, image loads may take the half: machines
        fetch pictures by the thousand, and what readers follow is worth more.
        """
        most = MOST_WAITING if followed.is_click else MOST_WAITING // 2
        if len(self._waiting) >= most:
            self._lost += 1
            return
        self._waiting.append(followed)
        if self._thread is None:  # on the loop's thread alone, so there is one
            self._thread = threading.Thread(target=self._run, name="clicks", daemon=True)
            self._thread.start()
        self._some.set()

    def flush(self) -> bool:
        """Counts what waits. False when the database does not take it; it goes on waiting."""
        with self._flushing:
            while self._waiting:
                some = [self._waiting[i] for i in range(min(_SLICE, len(self._waiting)))]
                try:
                    self._count(some)
                except MailerError as error:
                    self._log.warning("clicks_wait", waiting=len(self._waiting), why=str(error))
                    return False
                for _ in some:
                    self._waiting.popleft()
            if self._lost:
                self._log.warning("clicks_lost", many=self._lost)
                self._lost = 0
            return True

    def _run(self) -> None:
        pause = threading.Event()  # never set: a sleep
        while True:
            self._some.wait()
            pause.wait(_EVERY)
            self._some.clear()
            if not self.flush():
                pause.wait(_AFTER_TROUBLE)
                self._some.set()


class ClickPages:
    """``/l/…`` and ``/load/…``: links and the picture of mails that are measured."""

    def __init__(self, mailer: Mailer, log: FilteringBoundLogger) -> None:
        self._mailer = mailer
        self._keys = mailer.keys
        self.log = ClickLog(self._counted, log)

    def routes(self, prefix: str) -> Sequence[Route]:
        return (
            Route(prefix + "/l/{token}", self.follow, methods=["GET"]),
            Route(prefix + "/load/{token}", self.picture, methods=["GET"]),
        )

    async def follow(self, request: Request) -> Response:
        """Leads on (302). What is not genuine is a plain 404."""
        click = open_click(request.path_params["token"], keys=self._keys)
        if click is None:
            raise HTTPException(404)
        self._note(click, request)
        return Response(
            status_code=302,
            headers={
                "Location": click.target,
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
            },
        )

    async def picture(self, request: Request) -> Response:
        """The same picture for each genuine address."""
        load = open_load(request.path_params["token"], keys=self._keys)
        if load is None:
            raise HTTPException(404)
        self._note(load, request)
        data, kind = show_counted_picture()
        return Response(data, media_type=kind, headers=_PICTURE_HEADERS)

    def _note(self, asked_for: Asked, request: Request) -> None:
        if request.method != "GET" or _ahead(request):
            return
        self.log.note(
            Followed(
                asked_for,
                round(self._mailer.clock.now().timestamp() * 1000),
                request.client.host if request.client else "",
                request.headers.get("user-agent", "")[:_LONGEST_AGENT],
            )
        )

    def _counted(self, followed: Sequence[Followed]) -> int:
        mailer = self._mailer
        return count_clicks(
            followed, db=mailer.db, rules=mailer.click_rules, networks=mailer.networks
        )


def _ahead(request: Request) -> bool:
    said = " ".join(request.headers.get(name, "") for name in _AHEAD).lower()
    return "prefetch" in said or "prerender" in said or "preview" in said

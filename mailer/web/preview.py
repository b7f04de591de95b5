"""The preview of an issue, on this machine alone: every look, findings, size, links.

The page lies under a key that only whoever started it knows, because it shows people on file and a
machine may have other users. Nothing here changes anything. Its one script is our own file; the
mail stands in frames that may run none.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mailer.errors import InputError, NotFoundError
from mailer.usecases.preview_issue import COLOURS, LONGEST, IssuePreview, Look, Shown, Wish
from mailer.web.headers import FILE_POLICY, SecurityHeaders
from mailer.web.pages import TEMPLATES
from mailer.web.public import kind_of_file

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self';"
    " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The frames: no script, no form, nothing from elsewhere. A link may open a window of its own.
FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'self';"
    " sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)
VIEWS = {
    "mail": "Mail",
    "text": "Text part",
    "web": "Web version",
    "headers": "Headers",
    "source": "Source",
}
WARN_AT, CLIPPED_AT = 90_000, 102_000  # bytes: where Gmail clips a mail
HEARTBEAT = 1.0  # seconds
MOST_LISTENERS = 20
_STATIC = Path(__file__).parent / "static"
_FILES = {
    "preview.css": "text/css",
    "preview.js": "text/javascript",
    "preview.svg": "image/svg+xml",
}
_HERE = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE).fullmatch


@dataclass(frozen=True, slots=True)
class Choice:
    """What the address of a page asks for."""

    wish: Wish
    look: Look
    view: str

    @classmethod
    def of(cls, request: Request) -> Choice:
        """Raises HTTPException for what no page of ours asks."""
        asked = request.query_params
        view = asked.get("view", "mail")
        if view not in VIEWS:
            raise HTTPException(404)
        try:
            look = Look(
                images=asked.get("images", "on") != "off",
                colours=asked.get("colours", "light"),
                styles=asked.get("styles", "on") != "off",
            )
        except InputError:
            raise HTTPException(404) from None
        version = asked.get("subject", "a")
        if version not in ("a", "b"):
            raise HTTPException(404)
        wish = Wish(
            asked.get("as", ""), asked.get("lang", ""), asked.get("campaign", ""), version == "b"
        )
        return cls(wish, look, view)

    def query(self, **changed: str) -> str:
        """The same choice as an address, with something else in it."""
        words = {
            "as": self.wish.reader,
            "lang": self.wish.language,
            "campaign": self.wish.campaign,
            "subject": "b" if self.wish.second else "",
            "images": "" if self.look.images else "off",
            "colours": "" if self.look.colours == "light" else self.look.colours,
            "styles": "" if self.look.styles else "off",
            "view": "" if self.view == "mail" else self.view,
            **changed,
        }
        return "?" + urlencode({name: word for name, word in words.items() if word})


class Preview:
    """The pages of one preview."""

    def __init__(
        self,
        issue: IssuePreview,
        *,
        name: str,
        changes: Callable[[], AsyncIterator[bool]],
        stopping: Callable[[], bool],
        key: str,
    ) -> None:
        self._issue, self._name = issue, name
        self._changes, self._stopping = changes, stopping
        self._key = key
        self._listeners = 0
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[Route]:
        pages: Mapping[str, Callable[[Request], Any]] = {
            "": self.page,
            "mail": self.frame,
            "web": self.frame,
            "message.eml": self.message,
            "events": self.events,
            "i/{name}": self.picture,
            "static/{name}": self.static,
        }
        return [Route("/{key}/" + path, self._guarded(page)) for path, page in pages.items()]

    def _guarded(self, page: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def guarded(request: Request) -> Response:
            given = request.path_params["key"].encode()
            if not hmac.compare_digest(given, self._key.encode()):
                raise HTTPException(404)
            answer: Response = await page(request)
            return answer

        return guarded

    async def page(self, request: Request) -> Response:
        choice = Choice.of(request)
        shown = await run_in_threadpool(self._issue.show, choice.wish)
        html = await run_in_threadpool(self._rendered, choice, shown)
        return HTMLResponse(html, headers={"Content-Security-Policy": PAGE_POLICY})

    def _rendered(self, choice: Choice, shown: Shown) -> str:
        report = shown.report
        return self._environment.get_template("preview.html").render(
            name=self._name,
            choice=choice,
            shown=shown,
            report=report,
            views=VIEWS,
            colours=COLOURS,
            longest=LONGEST,
            widths=(320, 600),
            warn_at=WARN_AT,
            clipped_at=CLIPPED_AT,
            level=_level(max(report.html_bytes, shown.html_bytes)),
        )

    async def frame(self, request: Request) -> Response:
        """The mail or the web version in a look, for a frame."""
        choice = Choice.of(request)
        shown = await run_in_threadpool(self._issue.show, choice.wish)
        if not shown.message:
            raise HTTPException(404)
        web = request.url.path.endswith("/web")
        html = await run_in_threadpool(shown.page, choice.look, web=web, pictures="i/")
        return HTMLResponse(
            html,
            headers={"Content-Security-Policy": FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"},
        )

    async def message(self, request: Request) -> Response:
        """The message as it goes on the wire, byte for byte."""
        shown = await run_in_threadpool(self._issue.show, Choice.of(request).wish)
        if not shown.message:
            raise HTTPException(404)
        return Response(
            shown.message,
            media_type="application/octet-stream",
            headers={
                "Content-Disposition": 'attachment; filename="message.eml"',
                "Content-Security-Policy": FILE_POLICY,
            },
        )

    async def picture(self, request: Request) -> Response:
        name = request.path_params["name"]
        kind = kind_of_file(name)
        if kind is None:
            raise HTTPException(404)
        try:
            data = await run_in_threadpool(self._issue.picture, name)
        except NotFoundError:
            raise HTTPException(404) from None
        return Response(data, media_type=kind, headers={"Content-Security-Policy": FILE_POLICY})

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            raise HTTPException(404)
        data = await run_in_threadpool((_STATIC / name).read_bytes)
        return Response(
            data, media_type=_FILES[name], headers={"Content-Security-Policy": FILE_POLICY}
        )

    async def events(self, request: Request) -> Response:
        """A stream that says each time when something was saved."""
        if self._listeners >= MOST_LISTENERS:
            raise HTTPException(503)
        return StreamingResponse(self._saves(), media_type="text/event-stream")

    async def _saves(self) -> AsyncIterator[str]:
        self._listeners += 1
        try:
            yield "retry: 1000\n\n"
            async for changed in self._changes():
                if self._stopping():
                    return
                yield "event: saved\ndata: 1\n\n" if changed else ": still here\n\n"
        finally:
            self._listeners -= 1


class OnlyHere:
    """Refuses whoever calls this machine by another name: a page of a stranger's domain does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or not _HERE(hosts[0].decode("latin-1")):
                refused = PlainTextResponse(
                    "This preview answers to 127.0.0.1 and localhost alone.\n", 421
                )
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


def make_preview(
    issue: IssuePreview,
    *,
    name: str,
    changes: Callable[[], AsyncIterator[bool]],
    stopping: Callable[[], bool] = lambda: False,
    key: str,
) -> Starlette:
    """Makes the preview of an issue. ``key`` is the first part of every path.

    ``changes`` begins to watch the files: True after each change, False when nothing happens.
    """
    pages = Preview(issue, name=name, changes=changes, stopping=stopping, key=key)
    preview = Starlette(
        routes=pages.routes(),
        middleware=[Middleware(SecurityHeaders, https=False), Middleware(OnlyHere)],
        exception_handlers={HTTPException: _refused},
    )
    preview.router.redirect_slashes = False
    return preview


def new_key() -> str:
    """What nobody guesses."""
    return secrets.token_urlsafe(16)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return PlainTextResponse("There is nothing here.\n", status)


def _level(size: int) -> str:
    if size >= CLIPPED_AT:
        return "clipped"
    return "near" if size >= WARN_AT else "fine"

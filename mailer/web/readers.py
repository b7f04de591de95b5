"""The pages behind a reader's own links: unsubscribe and preferences.

GET and HEAD change nothing, because scanners fetch every link of a mail. What acts is a POST: from
a button on the page, or from the reader's mail program (RFC 8058). The signed token in the address
says who and which list; there are no cookies and no scripts, so there is nothing else to forge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mailer.errors import StoppedError
from mailer.usecases.change_preferences import Choice, change_preferences
from mailer.usecases.reconfirm_reader import reconfirm_reader, show_reconfirm
from mailer.usecases.show_preferences import PreferencesView, show_preferences
from mailer.usecases.show_unsubscribe import Position, show_unsubscribe
from mailer.usecases.unsubscribe_reader import Step, unsubscribe_reader
from mailer.web.forms import read_form
from mailer.web.pages import Pages, back
from mailer.wiring import Mailer

T = TypeVar("T")
_ANSWER_WITHIN = 20.0  # seconds; a mail program that waits longer has gone
_STEPS = frozenset(Step)
_CHOICES = frozenset(Choice)


class ReaderPages:
    """The pages that belong to one reader."""

    def __init__(self, mailer: Mailer, pages: Pages) -> None:
        self._mailer = mailer
        self._keys = mailer.keys
        self._pages = pages

    def routes(self, prefix: str) -> Sequence[Route]:
        return (
            Route(prefix + "/u/{token}", self.unsubscribe, methods=["GET", "POST"]),
            Route(prefix + "/p/{token}", self.preferences, methods=["GET", "POST"]),
            Route(prefix + "/c/{token}", self.reconfirm, methods=["GET", "POST"]),
        )

    async def unsubscribe(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._unsubscribe(request)
        return await self._unsubscribe_page(request)

    async def preferences(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._change(request)
        return await self._preferences_page(request)

    async def reconfirm(self, request: Request) -> Response:
        """Says yes once more. A one-click POST of a mail program is no yes: the form has a word."""
        token = request.path_params["token"]
        ports: dict[str, Any] = {
            "keys": self._keys,
            "db": self._mailer.db,
            "clock": self._mailer.clock,
        }
        if request.method == "POST":
            if (await read_form(request))["action"] != "yes":
                raise HTTPException(400)
            ip = request.client.host if request.client else None
            program = request.headers.get("user-agent")
            await _durable(reconfirm_reader(token, ip=ip, user_agent=program, **ports))
            return back(request, done="yes")
        view = await run_in_threadpool(show_reconfirm, token, **ports)
        language = self._pages.language(request, view.language)
        return self._pages.page("reconfirm", language, view=view)

    async def _unsubscribe_page(self, request: Request) -> Response:
        view = await run_in_threadpool(
            show_unsubscribe,
            request.path_params["token"],
            keys=self._keys,
            db=self._mailer.db,
            clock=self._mailer.clock,
        )
        done = request.query_params.get("done", "")
        if view.position is Position.test:
            done = done if done in _STEPS else ""
        elif view.position is not Position.receiving or done != Step.undo:
            done = ""  # what else was done shows by itself
        language = self._pages.language(request, view.language)
        return self._pages.page("unsubscribe", language, view=view, done=done)

    async def _unsubscribe(self, request: Request) -> Response:
        form = await read_form(request)
        if not form.one_click and form["action"] not in _STEPS:
            raise HTTPException(400)
        step = Step.leave if form.one_click else Step(form["action"])
        done = await _durable(
            unsubscribe_reader(
                request.path_params["token"],
                step,
                keys=self._keys,
                db=self._mailer.db,
                clock=self._mailer.clock,
            )
        )
        if not form.one_click:
            return back(request, done=step)
        # RFC 8058 section 3.1: no redirect, and nothing that a mail program would have to show.
        language = self._pages.language(request, done.language)
        name = "one_click.test" if done.test else "one_click.done"
        return PlainTextResponse(language.plain(name, list=done.list_title) + "\n")

    async def _preferences_page(self, request: Request) -> Response:
        view = await run_in_threadpool(
            show_preferences,
            request.path_params["token"],
            keys=self._keys,
            db=self._mailer.db,
            clock=self._mailer.clock,
        )
        language = self._pages.language(request, view.language)
        done, about = _notice(request, view)
        return self._pages.page("preferences", language, view=view, done=done, about=about)

    async def _change(self, request: Request) -> Response:
        form = await read_form(request)
        if form["action"] not in _CHOICES:
            raise HTTPException(400)
        choice = Choice(form["action"])
        await _durable(
            change_preferences(
                request.path_params["token"],
                choice,
                form["list"],
                keys=self._keys,
                db=self._mailer.db,
                clock=self._mailer.clock,
            )
        )
        about = {} if choice is Choice.everything else {"list": form["list"]}
        return back(request, done=choice, **about)


def _notice(request: Request, view: PreferencesView) -> tuple[str, str]:
    """What to say about the last change: only what the page itself shows to be so."""
    done = request.query_params.get("done", "")
    if done == Choice.everything:
        return (done, "") if view.left_everything else ("", "")
    slug = request.query_params.get("list", "")
    wanted = {"leave": False, "rejoin": True}.get(done)
    for each in view.lists:
        if each.slug == slug and each.receiving is wanted:
            return done, each.title
    return "", ""


async def _durable(answer: Future[T]) -> T:
    """Waits for the commit. Raises StoppedError when it takes too long; it may still come.

    Shielded, so that a reader who does not wait is heard all the same.
    """
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(answer)), _ANSWER_WITHIN)
    except TimeoutError:
        raise StoppedError("The database did not answer in time.") from None

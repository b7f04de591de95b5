"""The pages behind the links of a mail: unsubscribe, and the yes to a list that asks again.

GET and HEAD change nothing, because scanners fetch every link of a mail. What acts is a POST: from
a button on the page, or from the reader's mail program (RFC 8058). The signed token in the address
says who and which list; there are no cookies and no scripts, so there is nothing else to forge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mailer.errors import MailerError, NotFoundError
from mailer.model.words import LeavingReason
from mailer.usecases.give_reason import give_reason
from mailer.usecases.open_link import Through
from mailer.usecases.reconfirm_reader import reconfirm_reader, show_reconfirm
from mailer.usecases.say_day import say_day
from mailer.usecases.show_unsubscribe import Position, UnsubscribeView, show_unsubscribe
from mailer.usecases.unsubscribe_reader import Step, unsubscribe_reader
from mailer.usecases.unsubscribe_readers import read_leaving
from mailer.web.forms import Form, read_form
from mailer.web.one_click import ANSWER_WITHIN, OneClickDesk, keep
from mailer.web.pages import Pages, back
from mailer.web.wishes import durable, looked, ports_of, wish
from mailer.wiring import Mailer

_STEPS = frozenset(Step)
_REASON = "reason"
_SHOWN = ("undo", "resume", "fewer")  # what does not show by itself once it is done


class ReaderPages:
    """The pages that belong to one reader."""

    def __init__(self, mailer: Mailer, pages: Pages) -> None:
        self._mailer = mailer
        self._ports = ports_of(mailer)
        self._desk = OneClickDesk(mailer)
        self._pages = pages

    def routes(self, prefix: str) -> Sequence[Route]:
        return (
            Route(prefix + "/u/{token}", self.unsubscribe, methods=["GET", "POST"]),
            Route(prefix + "/c/{token}", self.reconfirm, methods=["GET", "POST"]),
        )

    async def unsubscribe(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._unsubscribe(request)
        return await self._unsubscribe_page(request)

    async def reconfirm(self, request: Request) -> Response:
        """Says yes once more. A one-click POST of a mail program is no yes: the form has a word."""
        token = request.path_params["token"]
        ports = self._ports
        if request.method == "POST":
            if (await read_form(request))["action"] != "yes":
                raise HTTPException(400)
            ip = request.client.host if request.client else None
            program = request.headers.get("user-agent")
            await durable(reconfirm_reader(token, ip=ip, user_agent=program, **ports))
            return back(request, done="yes")
        view = await run_in_threadpool(show_reconfirm, token, **ports)
        language = self._pages.language(request, view.language)
        return self._pages.page("reconfirm", language, view=view)

    async def _unsubscribe_page(self, request: Request) -> Response:
        token = request.path_params["token"]
        try:
            view = await looked(show_unsubscribe, token, **self._ports)
        except NotFoundError:
            raise
        except MailerError:  # the link is genuine, and leaving is possible all the same
            return self._pages.page("leave", self._pages.language(request))
        language = self._pages.language(request, view.language)
        day = ""
        if view.paused_until is not None:
            zone = self._mailer.settings.time_zone
            day = say_day(view.paused_until, language.code, zone=zone)
        done = _done(request.query_params.get("done", ""), view)
        return self._pages.page("unsubscribe", language, view=view, done=done, day=day)

    async def _unsubscribe(self, request: Request) -> Response:
        form = await read_form(request)
        token = request.path_params["token"]
        if form.one_click:
            return await self.one_click(request, token)
        action = form["action"]
        if action in _STEPS:
            kept = await self._step(token, Step(action))
            if kept:
                return self._pages.message(request, "kept", 200)
        elif action == _REASON:
            await self._reason(token, form)
        else:
            await wish(token, form, Through.unsubscribe, self._ports)
        return back(request, done=action)

    async def _step(self, token: str, step: Step) -> bool:
        """Takes a step; whether it had to be kept for when the database is back.

        To come back can wait: an undo is only taken while the database answers.
        """
        try:
            await durable(unsubscribe_reader(token, step, **self._ports), within=ANSWER_WITHIN)
        except NotFoundError:
            raise
        except MailerError:
            if step is Step.undo or self._is_test(token):
                raise
            await keep(self._mailer, token, step)
            return True
        return False

    async def one_click(self, request: Request, token: str) -> Response:
        """RFC 8058 section 3.1: no redirect, and nothing that a mail program would have to show."""
        done = await self._desk.leave(token)
        if done is None:
            return PlainTextResponse(self._pages.language(request).plain("kept.text") + "\n")
        language = self._pages.language(request, done.language)
        name = "one_click.test" if done.test else "one_click.done"
        return PlainTextResponse(language.plain(name, list=done.list_title) + "\n")

    def _is_test(self, token: str) -> bool:
        return read_leaving(token, keys=self._mailer.keys, clock=self._mailer.clock).link.test

    async def _reason(self, token: str, form: Form) -> None:
        given = form["reason"]
        known: Mapping[str, Any] = {each.value: each for each in LeavingReason}
        if given and given not in known:
            raise HTTPException(400)
        await durable(give_reason(token, known.get(given), form["words"], **self._ports))


def _done(asked: str, view: UnsubscribeView) -> str:
    """What to say about the last step: only what the page itself shows to be so."""
    if view.position is Position.test:
        return asked if asked in _STEPS else "done" if asked else ""
    if asked not in _SHOWN:
        return ""  # what else was done shows by itself
    if asked == "fewer":
        return asked if view.position in (Position.receiving, Position.paused) else ""
    return asked if view.position is Position.receiving else ""

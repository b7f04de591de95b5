"""The pages of a change of address: asking for it, and the button that each address gets."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailer.usecases.change_address import (
    Asked,
    answer_address_change,
    ask_address_change,
    show_address_change,
)
from mailer.usecases.show_own_data import show_own_data
from mailer.web.forms import read_form
from mailer.web.pages import Pages, asked_language, back
from mailer.web.wishes import durable, ports_of
from mailer.wiring import Mailer

_WORDS = {"yes": True, "no": False}


class AddressPages:
    """Where a reader asks for another address, and where both addresses answer."""

    def __init__(self, mailer: Mailer, pages: Pages) -> None:
        self._mailer = mailer
        self._ports = ports_of(mailer)
        self._pages = pages

    def routes(self, prefix: str) -> Sequence[Route]:
        return (
            Route(prefix + "/p/{token}/address", self.ask, methods=["GET", "POST"]),
            Route(prefix + "/c/{token}/address", self.answer, methods=["GET", "POST"]),
        )

    async def ask(self, request: Request) -> Response:
        if not self._mailer.can_write:
            raise HTTPException(404)
        if request.method != "POST":
            done = request.query_params.get("done") == Asked.sent
            return await self._page(request, Asked.sent if done else None)
        form = await read_form(request)
        asked = await ask_address_change(
            request.path_params["token"],
            form["address"],
            office=self._mailer.post_office,
            **self._ports,
        )
        if asked is Asked.sent:
            return back(request, done=asked)
        return await self._page(request, asked, typed=form["address"][:320])

    async def _page(self, request: Request, asked: Asked | None, *, typed: str = "") -> Response:
        view = await run_in_threadpool(show_own_data, request.path_params["token"], **self._ports)
        language = self._pages.language(request, view.own_language, view.language)
        status = {Asked.no_address: 422, Asked.not_sent: 503}.get(asked, 200) if asked else 200
        return self._pages.page(
            "address",
            language,
            status=status,
            view=view,
            asked=asked.value if asked and view.known else "",
            typed=typed,
            home=f"details{asked_language(request)}",
        )

    async def answer(self, request: Request) -> Response:
        token = request.path_params["token"]
        if request.method == "POST":
            word = (await read_form(request))["action"]
            if word not in _WORDS:
                raise HTTPException(400)
            await durable(answer_address_change(token, yes=_WORDS[word], **self._ports))
            return back(request)
        view = await run_in_threadpool(show_address_change, token, **self._ports)
        language = self._pages.language(request, view.language)
        return self._pages.page("moving", language, view=view)

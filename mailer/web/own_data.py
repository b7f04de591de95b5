"""What a reader says about themselves, a copy of all that is held, and erasure.

A page that only looks changes nothing. What takes data out or away asks for the address, which
the page itself shows masked only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailer.model.words import TrackingAnswer
from mailer.usecases.change_own_data import OwnChanged, OwnChanges, change_own_data
from mailer.usecases.export_person import HeldData
from mailer.usecases.show_own_data import show_own_data
from mailer.usecases.take_own_data import download_own_data, erase_own_data
from mailer.web.forms import Form, read_form
from mailer.web.pages import Pages, asked_language, back
from mailer.web.wishes import durable, ports_of
from mailer.wiring import Mailer

_ANSWERS = {each.value: each for each in TrackingAnswer}
_FIELD = "field."  # before a field's name in the form: fields may be called anything


class OwnDataPages:
    """The page of a reader's details, and the one that erases them."""

    def __init__(self, mailer: Mailer, pages: Pages) -> None:
        self._mailer = mailer
        self._ports = ports_of(mailer)
        self._pages = pages

    def routes(self, prefix: str) -> Sequence[Route]:
        return (
            Route(prefix + "/p/{token}/details", self.details, methods=["GET", "POST"]),
            Route(prefix + "/p/{token}/erase", self.erase, methods=["GET", "POST"]),
        )

    async def details(self, request: Request) -> Response:
        if request.method != "POST":
            return await self._page(request, "details")
        form = await read_form(request, fields=200)
        token, action = request.path_params["token"], form["action"]
        if action == "download":
            held = await run_in_threadpool(
                download_own_data,
                token,
                form["address"],
                leftovers=self._mailer.leftovers,
                **self._ports,
            )
            if held is None:
                return await self._page(request, "details", wrong="download")
            return _file(held)
        changes = await self._changes(request, form)
        done = await durable(change_own_data(token, changes, **self._ports))
        if done.refused:
            return await self._page(request, "details", done=done, form=form)
        return back(request, done=action)

    async def erase(self, request: Request) -> Response:
        if request.method != "POST":
            return await self._page(request, "erase")
        form = await read_form(request)
        if form["action"] != "erase":
            raise HTTPException(400)
        gone = await run_in_threadpool(
            erase_own_data,
            request.path_params["token"],
            form["address"],
            leftovers=self._mailer.leftovers,
            **self._ports,
        )
        return (
            back(request, done="erase")
            if gone
            else await self._page(request, "erase", wrong="erase")
        )

    async def _changes(self, request: Request, form: Form) -> OwnChanges:
        """What the form asks for. Raises HTTPException 400 for what no button sends."""
        action = form["action"]
        known = self._pages.catalogue.languages
        if action == "language":
            wish = form["language"]
            if wish and wish not in known:
                raise HTTPException(400)
            return OwnChanges(language=wish)
        if action == "tracking" and form["tracking"] in _ANSWERS:
            view = await run_in_threadpool(
                show_own_data, request.path_params["token"], **self._ports
            )
            language = self._pages.language(request, view.own_language, view.language)
            words = language.plain("tracking.title") + " " + language.plain("tracking.text")
            return OwnChanges(tracking=_ANSWERS[form["tracking"]], wording=words)
        if action == "fields":
            given = {
                name.removeprefix(_FIELD): value
                for name, value in form.fields.items()
                if name.startswith(_FIELD)
            }
            return OwnChanges(fields=given)
        raise HTTPException(400)

    async def _page(
        self,
        request: Request,
        template: str,
        *,
        wrong: str = "",
        done: OwnChanged | None = None,
        form: Form | None = None,
    ) -> Response:
        """The page as it stands; with what was refused beside it, and what was typed."""
        token = request.path_params["token"]
        view = await run_in_threadpool(show_own_data, token, **self._ports)
        language = self._pages.language(request, view.own_language, view.language)
        refused = frozenset(done.refused) if done else frozenset()
        values: dict[str, Any] = {each.name: each.value for each in view.fields}
        if form is not None:
            values |= {name: form.fields.get(_FIELD + name, "") for name in values}
        saved = request.query_params.get("done", "") in ("language", "fields", "tracking")
        return self._pages.page(
            template,
            language,
            status=422 if wrong or refused else 200,
            view=view,
            home=f"../{token}{asked_language(request)}",
            asked=asked_language(request),
            can_write=self._mailer.can_write,
            values=values,
            refused=refused,
            wrong=wrong and view.known,
            saved=saved and not wrong and not refused and view.known,
            tongues=list(self._pages.catalogue.languages.values()),
        )


def _file(held: HeldData) -> Response:
    text = json.dumps(asdict(held), ensure_ascii=False, indent=2, default=_plain)
    return Response(
        text + "\n",
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="my-data.json"'},
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)

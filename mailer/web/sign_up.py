"""The sign-up page of a public list, its JSON for a site's own form, and the confirmation page.

There are no cookies: a form carries the sealed moment at which it was shown. A form on another
site has none, so its visitor sees our page, with the address in it, and presses once more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mailer.model.words import OptIn
from mailer.usecases.confirm_sign_up import (
    Confirmation,
    confirm_sign_up,
    is_confirmation,
    show_confirmation,
)
from mailer.usecases.show_sign_up import SignUpForm, seal_form, show_sign_up
from mailer.usecases.sign_up import SignUpAnswer, SignUpWish, sign_up
from mailer.web.catalogue import Language, accepted
from mailer.web.forms import Form, read_body, read_form
from mailer.web.headers import FILE_POLICY, PAGE_POLICY
from mailer.web.pages import Pages, asked_language, back
from mailer.web.readers import ReaderPages
from mailer.web.trouble import READABLE
from mailer.web.wishes import durable, ports_of
from mailer.wiring import Mailer

_SCRIPT = (Path(__file__).parent / "static" / "sign-up.js").read_bytes()
_SCRIPT_NAME = hashlib.sha256(_SCRIPT).hexdigest()[:16]
_WITH_SCRIPT = {"Content-Security-Policy": f"{PAGE_POLICY}; script-src 'self'"}
_LATER = {"Retry-After": "3600"}
_STATUS = {
    SignUpAnswer.taken: 200,
    SignUpAnswer.address: 422,
    SignUpAnswer.again: 422,
    SignUpAnswer.unsolved: 422,
    SignUpAnswer.later: 429,
}
_LONGEST = 320  # characters of an address that are shown again
_TOO_LONG = 100  # characters of a language tag or an origin that are looked at
_STEP = "step"  # what a form on another site leads to


class SignUpPages:
    """What somebody meets who wants a list."""

    def __init__(self, mailer: Mailer, pages: Pages, readers: ReaderPages) -> None:
        self._mailer = mailer
        self._pages = pages
        self._readers = readers
        self._prefix = mailer.settings.site_url.partition("://")[2].partition("/")[2]

    def routes(self, prefix: str) -> Sequence[Route]:
        return (
            Route(prefix + "/s/{list}/json", self.json, methods=["GET", "POST", "OPTIONS"]),
            Route(prefix + "/s/{list}", self.form, methods=["GET", "POST"]),
            Route(prefix + "/c/{token}", self.confirm, methods=["GET", "POST"]),
            Route(prefix + "/static/sign-up-{name}.js", self.script),
        )

    # ---- the page ----------------------------------------------------------------------

    async def form(self, request: Request) -> Response:
        view = await self._view(request)
        if request.method != "POST":
            done = request.query_params.get("done") == SignUpAnswer.taken
            return self._page(request, view, SignUpAnswer.taken if done else "")
        form = await read_form(request)
        if not form["stamp"]:
            return self._page(request, view, _STEP, form)
        language = self._language(request, view, form["lang"])
        said = await self._sign_up(request, view, form.fields, language, "sign-up page")
        if said is SignUpAnswer.taken:
            asked = {"done": said.value, "lang": language.code}
            query = "&".join(f"{name}={value}" for name, value in asked.items())
            return RedirectResponse(f"?{query}", 303, headers={"Cache-Control": "no-store"})
        return self._page(request, view, said, form, status=_STATUS[said])

    def _page(
        self,
        request: Request,
        view: SignUpForm,
        said: str,
        form: Form | None = None,
        *,
        status: int = 200,
    ) -> Response:
        form = form or Form()
        language = self._language(request, view, form["lang"])
        sealed = None
        if said != SignUpAnswer.taken:
            sealed = self._sealed(view, self._wording(view, language), filled_in=said == _STEP)
        headers: dict[str, str] = dict(_WITH_SCRIPT) if sealed and sealed.puzzle else {}
        if not said:
            headers["X-Robots-Tag"] = "all"  # a public list may be found
        return self._pages.page(
            "sign_up",
            language,
            status=status,
            headers=headers | (_LATER if said == SignUpAnswer.later else {}),
            view=view,
            said=str(said),
            typed=form["address"][:_LONGEST],
            wording=view.wording or language.say("sign_up.wording", list=view.title),
            sealed=sealed,
            script=f"/{self._prefix}{'/' if self._prefix else ''}static/sign-up-{_SCRIPT_NAME}.js",
        )

    # ---- a site's own form -------------------------------------------------------------

    async def json(self, request: Request) -> Response:
        """The same for a script on another site, whose origin the settings name."""
        allowed = self._cross_origin(request)
        setattr(request.state, READABLE, allowed)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=allowed)
        view = await self._view(request)
        language = self._language(request, view, request.query_params.get("lang", ""))
        if request.method != "POST":
            return JSONResponse(self._offer(view, language), headers=allowed)
        fields = await _read_json(request)
        language = self._language(request, view, fields.get("lang", "") or language.code)
        origin = request.headers.get("origin", "")[:_TOO_LONG]
        form = f"own form {origin}".strip()
        said = await self._sign_up(request, view, fields, language, form)
        answer: dict[str, Any] = {
            "ok": said is SignUpAnswer.taken,
            "outcome": said.value,
            "message": self._words(said, view, language),
        }
        if said in (SignUpAnswer.again, SignUpAnswer.unsolved):
            answer |= self._offer(view, language)
        later = _LATER if said is SignUpAnswer.later else {}
        return JSONResponse(answer, _STATUS[said], headers=allowed | later)

    def _offer(self, view: SignUpForm, language: Language) -> dict[str, Any]:
        wording = self._wording(view, language)
        sealed = self._sealed(view, wording)
        puzzle = sealed.puzzle
        return {
            "list": view.list,
            "title": view.title,
            "lang": language.code,
            "wording": wording,
            "stamp": sealed.stamp,
            "puzzle": {name: getattr(puzzle, name) for name in puzzle.__slots__}
            if puzzle
            else None,
        }

    def _words(self, said: SignUpAnswer, view: SignUpForm, language: Language) -> str:
        """What the page would say, in plain text."""
        double = view.opt_in is OptIn.double
        name = {
            SignUpAnswer.taken: "sign_up.sent" if double else "sign_up.joined",
            SignUpAnswer.address: "sign_up.wrong",
            SignUpAnswer.again: "sign_up.again",
            SignUpAnswer.unsolved: "sign_up.unsolved",
            SignUpAnswer.later: "sign_up.later",
        }[said]
        values = {"list": view.title} if said is SignUpAnswer.taken else {}
        return language.plain(name, **values)

    def _cross_origin(self, request: Request) -> dict[str, str]:
        """What lets a page of an allowed origin read the answer. Raises HTTPException 403."""
        origin = request.headers.get("origin")
        if origin is None:
            return {"Vary": "Origin"}
        if origin not in self._mailer.settings.sign_up_origins:
            raise HTTPException(403, headers={"Vary": "Origin"})
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        }

    # ---- the link in the mail ----------------------------------------------------------

    async def confirm(self, request: Request) -> Response:
        """Says yes by a button. Links of lists that ask again stand under the same path."""
        token = request.path_params["token"]
        if not is_confirmation(token, keys=self._mailer.keys):
            return await self._readers.reconfirm(request)
        ports = ports_of(self._mailer)
        if request.method == "POST":
            if (await read_form(request))["action"] != "yes":
                raise HTTPException(400)
            message_id = self._mailer.new_message_id()
            seals = self._mailer.seals
            await durable(confirm_sign_up(token, seals=seals, message_id=message_id, **ports))
            return back(request)
        view = await run_in_threadpool(show_confirmation, token, **ports)
        language = self._pages.language(request, view.language)
        lang = asked_language(request)
        return self._pages.page(
            "confirm",
            language,
            status=410 if view.stand is Confirmation.expired else 200,
            view=view,
            preferences=f"../p/{view.preferences}{lang}",
            sign_up=f"../s/{view.sign_up}{lang}",
        )

    # ---- what they share ---------------------------------------------------------------

    async def _view(self, request: Request) -> SignUpForm:
        slug = request.path_params["list"]
        if "\0" in slug:  # PostgreSQL would refuse the question
            raise HTTPException(404)
        view = await run_in_threadpool(show_sign_up, slug, db=self._mailer.db)
        if view.opt_in is OptIn.double and not self._mailer.can_write:
            raise HTTPException(404)  # nobody could be asked
        return view

    def _language(self, request: Request, view: SignUpForm, named: str) -> Language:
        """What the form was shown in, else what is wished in the address or by the browser."""
        asked = request.query_params.get("lang", "")[:_TOO_LONG]
        browser = accepted(request.headers.get("accept-language", ""))
        return self._pages.catalogue.choose(named[:_TOO_LONG], asked, *browser, view.language)

    def _wording(self, view: SignUpForm, language: Language) -> str:
        return view.wording or language.plain("sign_up.wording", list=view.title)

    def _sealed(self, view: SignUpForm, wording: str, *, filled_in: bool = False) -> Any:
        return seal_form(
            view.list,
            wording,
            seals=self._mailer.seals,
            clock=self._mailer.clock,
            puzzle=self._mailer.settings.sign_up_puzzle,
            filled_in=filled_in,
        )

    async def _sign_up(
        self,
        request: Request,
        view: SignUpForm,
        fields: Mapping[str, str],
        language: Language,
        form: str,
    ) -> SignUpAnswer:
        wish = SignUpWish(
            typed=fields.get("address", ""),
            stamp=fields.get("stamp", ""),
            language=language.code,
            wording=self._wording(view, language),
            form=form,
            trap=fields.get("homepage", ""),
            ip=request.client.host if request.client else None,
            user_agent=request.headers.get("user-agent"),
            puzzle=fields,
        )
        return await run_in_threadpool(
            sign_up,
            view.list,
            wish,
            rules=self._mailer.sign_up_rules,
            seals=self._mailer.seals,
            db=self._mailer.db,
            clock=self._mailer.clock,
        )

    async def script(self, request: Request) -> Response:
        """Our own script, which solves the puzzle; its name changes with its content."""
        if request.path_params["name"] != _SCRIPT_NAME:
            raise HTTPException(404)
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Security-Policy": FILE_POLICY,
        }
        return Response(_SCRIPT, media_type="text/javascript", headers=headers)


async def _read_json(request: Request) -> dict[str, str]:
    """An object of texts (numbers count as their digits). Raises HTTPException like ``read_form``.

    Another kind of body is refused: a page elsewhere could send it without asking first.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415)
    body = await read_body(request)
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):  # the latter: a hundred brackets in each other
        raise HTTPException(400) from None
    if not isinstance(given, dict):
        raise HTTPException(400)
    puzzle = given.pop("puzzle", None)
    flat = given | (puzzle if isinstance(puzzle, dict) else {})
    return {name: str(value) for name, value in flat.items() if isinstance(value, str | int)}

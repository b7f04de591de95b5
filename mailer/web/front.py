"""Stands before the pages: logs each request, completes the headers, and answers the two that a
crowd makes, the web version and the one-click post, without the way through the router.

Both have their ordinary route as well, which is taken whenever anything is out of the ordinary.
"""

from __future__ import annotations

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from mailer.errors import MailerError
from mailer.web import forms
from mailer.web.clicks import ClickLog
from mailer.web.headers import Headers
from mailer.web.public import PublicPages
from mailer.web.readers import ReaderPages
from mailer.web.trouble import Trouble

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"})
# A page's address without what is personal in it. A path itself is never logged.
_SHAPES = {
    "archive": "/archive/…",
    "c": "/c/{token}",
    "healthz": "/healthz",
    "i": "/i/{name}",
    "l": "/l/{token}",
    "load": "/load/{token}",
    "p": "/p/{token}",
    "probe": "/probe/{token}",
    "s": "/s/{list}",
    "static": "/static/{name}",
    "u": "/u/{token}",
    "w": "/w/{key}",
}
_ONE_CLICK = b"List-Unsubscribe=One-Click"
_FORM = b"application/x-www-form-urlencoded"


class Front:
    """The whole site, as one ASGI application."""

    def __init__(
        self,
        app: ASGIApp,
        public: PublicPages,
        readers: ReaderPages,
        trouble: Trouble,
        headers: Headers,
        log: FilteringBoundLogger,
        *,
        prefix: str,
        clicks: ClickLog,
    ) -> None:
        self.clicks = clicks  # what was followed and is not counted yet
        self._app = app
        self._public = public
        self._readers = readers
        self._trouble = trouble
        self._headers = headers
        self._log = log
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        path: str = scope["path"].removeprefix(self._prefix)
        if path.startswith("/w/") and scope["method"] in ("GET", "HEAD"):
            ready = self._public.ready(path[3:], scope)
            if ready is not None:  # its headers are complete
                await ready(scope, receive, send)
                self._note(scope, ready.status_code, started)
                return
        status = 500  # until something is answered

        async def send_completed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._headers.complete(message["headers"])
            await send(message)

        try:
            if path.startswith("/u/") and scope["method"] == "POST":
                await self._post(path[3:], scope, receive, send_completed)
            else:
                await self._app(scope, receive, send_completed)
        finally:
            self._note(scope, status, started)

    def sweep(self) -> int:
        """Removes copies of pages that are kept for nothing; to be called now and then."""
        return self._public.sweep()

    def _note(self, scope: Scope, status: int, started: float) -> None:
        self._log.info(
            "request",
            method=scope["method"] if scope["method"] in _METHODS else "other",
            page=self._shape(scope["path"]),
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )

    async def _post(self, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        """One click is answered here; every other form goes the ordinary way."""
        first = await self._first_of(scope, receive, send)
        if first is None:
            return
        if first.get("body") == _ONE_CLICK and _is_form(scope):
            await (await self._leave(scope, token))(scope, receive, send)
        else:
            await self._app(scope, _after(first, receive), send)

    async def _first_of(self, scope: Scope, receive: Receive, send: Send) -> Message | None:
        """The first piece of the body; None when it did not come, and that was answered."""
        try:
            async with asyncio.timeout(forms.PATIENCE):
                return await receive()
        except TimeoutError:
            slow = HTTPException(408, headers={"Connection": "close"})
            await (await self._trouble.http(Request(scope), slow))(scope, receive, send)
            return None

    async def _leave(self, scope: Scope, token: str) -> Response:
        request = Request(scope)
        try:
            return await self._readers.one_click(request, token)
        except MailerError as error:
            return await self._trouble.ours(request, error)

    def _shape(self, path: str) -> str:
        first = path.removeprefix(self._prefix).split("/", 2)[1:2]
        return _SHAPES.get(first[0], "other") if first else "other"


def _is_form(scope: Scope) -> bool:
    """Whether the body is what it looks like: a form, or something that says no kind at all."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            return bool(value.lower().startswith(_FORM))
    return True


def _after(first: Message, receive: Receive) -> Receive:
    """Gives out the piece that was read already, then the others."""
    read = False

    async def again() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return first

    return again

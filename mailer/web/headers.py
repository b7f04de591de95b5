"""Puts the security headers on every answer, and one line without tokens into the log."""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

# No page has a script, a frame, a cookie or anything from elsewhere. A page that needs more than
# this (the web version's inline styles) says so itself.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
WEB_VERSION_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'none'"
)
FILE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

_EVERYWHERE: Mapping[str, str] = {
    "Content-Security-Policy": PAGE_POLICY,
    "Referrer-Policy": "no-referrer",  # or a link on a page would carry the token away
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), fullscreen=(),"
        " geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()"
    ),
    "Cache-Control": "no-store",
}
_HSTS = "max-age=31536000"  # the site's own name only: other names of the domain are not ours
_ROOMS = frozenset({"w", "u", "p", "c", "s", "i", "static", "healthz", "archive"})


def complete(headers: MutableHeaders, *, https: bool) -> None:
    """Adds what an answer does not say itself."""
    for name, value in _EVERYWHERE.items():
        headers.setdefault(name, value)
    if https:
        headers.setdefault("Strict-Transport-Security", _HSTS)


class SecurityHeaders:
    """Completes the headers of every answer."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                complete(MutableHeaders(scope=message), https=self._https)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class RequestLog:
    """Logs method, kind of page, status and time; never a path, which may hold a token."""

    def __init__(self, app: ASGIApp, *, prefix: str, log: FilteringBoundLogger) -> None:
        self._app = app
        self._prefix = prefix
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500  # until something is answered

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._log.info(
                "request",
                method=_method(scope["method"]),
                page=self._page(scope["path"]),
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 1),
            )

    def _page(self, path: str) -> str:
        first = path.removeprefix(self._prefix).split("/", 2)[1:2]
        return f"/{first[0]}" if first and first[0] in _ROOMS else "other"


def _method(method: str) -> str:
    """A method is the visitor's own text too."""
    known = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH")
    return method if method in known else "other"

"""The security headers that every answer has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


class Headers:
    """Completes the headers of every answer, and keeps those of frequent ones ready made."""

    def __init__(self, *, https: bool) -> None:
        every = {**_EVERYWHERE, **({"Strict-Transport-Security": _HSTS} if https else {})}
        self._every = [(name.lower().encode(), value.encode()) for name, value in every.items()]

    def complete(self, raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Adds what an answer does not say itself; names are in lower case."""
        said = list(raw)
        names = {name for name, _ in said}
        said.extend(each for each in self._every if each[0] not in names)
        return said


class SecurityHeaders:
    """Completes the headers of every answer of an application that has no front."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = Headers(https=https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._headers.complete(message["headers"])
            await send(message)

        await self._app(scope, receive, send_completed)

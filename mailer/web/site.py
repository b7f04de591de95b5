"""The public site: what readers see. No script, no cookie, nothing from elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler
from structlog.typing import FilteringBoundLogger

from mailer.errors import MailerError, NotFoundError
from mailer.web.address_change import AddressPages
from mailer.web.archive import ArchivePages
from mailer.web.headers import RequestLog, SecurityHeaders, complete
from mailer.web.log import make_log
from mailer.web.own_data import OwnDataPages
from mailer.web.pages import Pages
from mailer.web.preferences import PreferencePages
from mailer.web.public import PublicPages
from mailer.web.readers import ReaderPages
from mailer.web.sign_up import SignUpPages
from mailer.wiring import Mailer

_RETRY_AFTER = {"Retry-After": "120"}  # seconds
_SENTENCES: Mapping[int, str] = {
    400: "not_understood",
    403: "not_understood",
    404: "not_found",
    405: "not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "not_understood",
}


def make_site(mailer: Mailer, *, log: FilteringBoundLogger | None = None) -> Starlette:
    """Makes the site of an open workspace. Without a log, only what fails is told.

    Raises SettingsError when there is no key to read links with.
    """
    log = log or make_log(level=logging.WARNING)
    settings = mailer.settings
    public = urlsplit(settings.site_url)
    https = public.scheme == "https"
    pages = Pages(
        organisation=settings.organisation or "",
        postal_address=settings.postal_address or "",
        prefix=public.path,
    )
    public_pages = PublicPages(mailer, pages)
    readers = ReaderPages(mailer, pages)
    faces = (
        SignUpPages(mailer, pages, readers),
        public_pages,
        ArchivePages(mailer, pages, public_pages),
        readers,
        PreferencePages(mailer, pages),
        OwnDataPages(mailer, pages),
        AddressPages(mailer, pages),
    )
    # A proxy may take the path of the public address off, or pass it on.
    prefixes = ("", public.path) if public.path else ("",)
    site = Starlette(
        routes=[route for prefix in prefixes for face in faces for route in face.routes(prefix)],
        middleware=[
            Middleware(RequestLog, prefix=public.path, log=log),
            Middleware(SecurityHeaders, https=https),
        ],
        exception_handlers=_Trouble(pages, log, https=https).handlers(),
    )
    site.router.redirect_slashes = False  # it would redirect to whatever the Host header says
    return site


class _Trouble:
    """Turns errors into words for readers. What went wrong inside goes to the log, not to them."""

    def __init__(self, pages: Pages, log: FilteringBoundLogger, *, https: bool) -> None:
        self._pages = pages
        self._log = log
        self._https = https

    def handlers(self) -> Mapping[Any, ExceptionHandler]:
        return {HTTPException: self.http, MailerError: self.ours, Exception: self.unexpected}

    async def http(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        name = _SENTENCES.get(error.status_code, "failed")
        return self._pages.message(request, name, error.status_code, error.headers)

    async def ours(self, request: Request, error: Exception) -> Response:
        if isinstance(error, NotFoundError):
            return self._pages.message(request, "not_found", 404)
        self._log.error("unavailable", error=type(error).__name__, message=str(error))
        return self._pages.message(request, "unavailable", 503, _RETRY_AFTER)

    async def unexpected(self, request: Request, error: Exception) -> Response:
        """The server logs where it happened; the answer passes by the layer that adds headers."""
        self._log.error("failed", error=type(error).__name__)
        answer = self._pages.message(request, "failed", 500, _RETRY_AFTER)
        complete(answer.headers, https=self._https)
        return answer

"""Turns errors into words for readers. What went wrong inside goes to the log, not to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler
from structlog.typing import FilteringBoundLogger

from mailer.errors import MailerError, NotFoundError
from mailer.web.headers import Headers
from mailer.web.pages import Pages

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


class Trouble:
    """The handlers of a site's errors."""

    def __init__(self, pages: Pages, log: FilteringBoundLogger, headers: Headers) -> None:
        self._pages = pages
        self._log = log
        self._headers = headers

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
        answer.raw_headers = self._headers.complete(answer.raw_headers)
        return answer

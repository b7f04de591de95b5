"""Turns errors into words for readers. What went wrong inside goes to the log, not to them.

A script that signs people up hears the same words as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
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
# Where an endpoint leaves, in the request's state, the headers that let a page elsewhere read it.
READABLE = "readable"
_SIGN_UP = re.compile(r"/s/[^/]+(/json)?").fullmatch


class Trouble:
    """The handlers of a site's errors."""

    def __init__(
        self, pages: Pages, log: FilteringBoundLogger, headers: Headers, *, prefix: str = ""
    ) -> None:
        self._prefix = prefix
        self._pages = pages
        self._log = log
        self._headers = headers

    def handlers(self) -> Mapping[Any, ExceptionHandler]:
        return {HTTPException: self.http, MailerError: self.ours, Exception: self.unexpected}

    async def http(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        name = _SENTENCES.get(error.status_code, "failed")
        return self._answer(request, name, error.status_code, error.headers)

    async def ours(self, request: Request, error: Exception) -> Response:
        if isinstance(error, NotFoundError):
            return self._answer(request, "not_found", 404)
        self._log.error("unavailable", error=type(error).__name__, message=str(error))
        name = "sign_up_away" if self._signs_up(request) else "unavailable"
        return self._answer(request, name, 503, _RETRY_AFTER)

    async def unexpected(self, request: Request, error: Exception) -> Response:
        """The server logs where it happened; the answer passes by the layer that adds headers."""
        self._log.error("failed", error=type(error).__name__)
        answer = self._answer(request, "failed", 500, _RETRY_AFTER)
        answer.raw_headers = self._headers.complete(answer.raw_headers)
        return answer

    def _signs_up(self, request: Request) -> re.Match[str] | None:
        path: str = request.scope["path"]
        return _SIGN_UP(path) or _SIGN_UP(path.removeprefix(self._prefix))

    def _answer(
        self, request: Request, name: str, status: int, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A page; or JSON, which a page of an allowed origin may read as any other answer."""
        sign_up = self._signs_up(request)
        if sign_up is None or not sign_up[1]:
            return self._pages.message(request, name, status, headers)
        language = self._pages.language(request)
        answer = {"ok": False, "outcome": name, "message": language.plain(f"{name}.text")}
        readable: Mapping[str, str] = getattr(request.state, READABLE, {})
        said = {"Content-Language": language.code, **readable, **(headers or {})}
        return JSONResponse(answer, status, headers=said)

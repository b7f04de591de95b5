"""Fetches the token that stands in the place of a password: OAuth 2 (RFC 6749)."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, field

import httpx2

from mailer.model.words import Stage
from mailer.smtp.opening import OpeningError
from mailer.smtp.route import Places, variables

_SECONDS = 20.0
_MOST = 64 * 1024  # octets of an answer
_MARGIN = 60.0  # seconds before its end a token is not used any more
_TOKEN = re.compile(r"[!-~]{1,16384}").fullmatch
_SETTINGS = ("oauth_token_url", "client_id", "client_secret", "refresh_token", "scope")


@dataclass(slots=True)
class TokenEndpoint:
    """One token endpoint, and the token that it gave last.

    With a refresh token it is asked by that (section 6), as Google has it for a person's mailbox;
    without, by the client's own right (section 4.4), as Microsoft has it for an application. All
    connections of a run share one token.
    """

    url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    places: Places = field(default=variables, repr=False)
    _token: str = field(default="", init=False, repr=False)
    _until: float = field(default=0.0, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def __call__(self, refused: str = "") -> str:
        """The token; a new one when the last is old, or is the one that was ``refused``.

        Raises OpeningError, temporary when the endpoint can't be reached now.
        """
        async with self._lock:
            if not self._token or self._token == refused or time.monotonic() >= self._until:
                self._token, lasts = await self._fetched()
                self._until = time.monotonic() + max(lasts - _MARGIN, 1.0)
            return self._token

    async def _fetched(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials", "client_id": self.client_id}
        if self.refresh_token:
            form |= {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        if self.client_secret:
            form["client_secret"] = self.client_secret
        if self.scope:
            form["scope"] = self.scope
        body = bytearray()
        try:
            async with (
                httpx2.AsyncClient(timeout=_SECONDS) as client,
                client.stream("POST", self.url, data=form) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > _MOST:
                        raise self._trouble("it answered with more than a token", temporary=False)
                status = answer.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise self._trouble(why, temporary=True) from error
        return self._read(status, bytes(body))

    def _read(self, status: int, body: bytes) -> tuple[str, float]:
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            document = {}
        token, lasts = document.get("access_token"), document.get("expires_in", 300)
        if status == 200 and isinstance(token, str) and _TOKEN(token):
            try:
                return token, float(lasts)
            except (TypeError, ValueError):
                return token, 300.0
        said = document.get("error_description") or document.get("error") or ""
        text = "".join(char if char.isprintable() else " " for char in str(said))[:300]
        why = f"status {status}" + (f", {text}" if text else "")
        raise self._trouble(why, temporary=status >= 500 or status == 429)

    def _trouble(self, why: str, *, temporary: bool) -> OpeningError:
        return OpeningError(
            f"No token to sign in with came from the token address: {why}.",
            stage=Stage.auth,
            temporary=temporary,
            hint=f"Check {self.places(*_SETTINGS)}.",
        )

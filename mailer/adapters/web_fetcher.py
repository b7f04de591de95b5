"""Fetches a page of our own site as the outside world sees it."""

from __future__ import annotations

import httpx2

from mailer.ports import Fetched

_SECONDS = 15.0
_MOST = 25_000_000  # octets


class WebFetcher:
    """Fulfils ``ports.Fetcher``. Redirects are not followed: a reader's link must not need one."""

    def get(self, url: str) -> Fetched:
        try:
            with httpx2.Client(timeout=_SECONDS) as client, client.stream("GET", url) as answer:
                body = bytearray()
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _MOST:
                        break
                return Fetched(answer.status_code, bytes(body), "")
        except httpx2.HTTPError as error:
            return Fetched(0, b"", str(error) or type(error).__name__)
        except httpx2.InvalidURL as error:
            return Fetched(0, b"", str(error))

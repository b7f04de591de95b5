"""Reads what a form, or a mail program, posts: within limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

BODY_LIMIT = 64 * 1024  # octets
PATIENCE = 15.0  # seconds for the whole body
FIELDS = 20  # that a form has, at most
_CLOSE = {"Connection": "close"}  # what is left of the body is not read


@dataclass(frozen=True, slots=True)
class Form:
    """The text fields of a posted body; of two with one name, the first counts."""

    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def one_click(self) -> bool:
        """RFC 8058 section 3.1: the pair ``List-Unsubscribe=One-Click``. Case does not matter."""
        return any(
            name.lower() == "list-unsubscribe" and value.strip().lower() == "one-click"
            for name, value in self.fields.items()
        )

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "")


async def read_form(request: Request, *, fields: int = FIELDS) -> Form:
    """Reads a body of either kind that RFC 8058 section 3.2 names, or that says no kind at all.

    ``fields`` is how many there may be. Raises HTTPException 413 for a large body,
    408 for a slow one, 400 for one that is broken.
    """
    body = await read_body(request)
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        pairs = await _of_multipart(request, body, fields)
    else:
        pairs = _of_urlencoded(body, fields)
    first: dict[str, str] = {}
    for name, value in pairs:
        first.setdefault(name, value)
    return Form(first)


async def read_body(request: Request) -> bytes:
    """The whole body. Raises HTTPException 413, 408 or 400 as ``read_form`` does."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _read(request)
    except TimeoutError:
        raise HTTPException(408, headers=_CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, headers=_CLOSE) from None


async def _read(request: Request) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > BODY_LIMIT:
        raise HTTPException(413, headers=_CLOSE)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise HTTPException(413, headers=_CLOSE)
    return bytes(body)


def _of_urlencoded(body: bytes, fields: int) -> list[tuple[str, str]]:
    try:
        text = body.decode("utf-8", "replace")
        return parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=fields)
    except ValueError:
        raise HTTPException(400) from None


async def _of_multipart(request: Request, body: bytes, fields: int) -> list[tuple[str, str]]:
    parser = MultiPartParser(request.headers, _once(body), max_files=0, max_fields=fields)
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError):  # a charset that can not decode is a ValueError
        raise HTTPException(400) from None
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body

"""One connection of a reader: uvicorn's, with our own limits on how long and large a head is.

uvicorn limits how many there are, and how long an idle one is kept. What it does not limit is a
request that never ends beginning: a head sent octet by octet, or one without end.
"""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 16 * 1024  # octets of request line and headers
PATIENCE = 10.0  # seconds for the whole head
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connection(HttpToolsProtocol):
    """Closes on a head that is too large (431, RFC 6585) or takes too long (408)."""

    _waits: asyncio.TimerHandle | None = None
    _within_head = True  # of a request, or before one
    _begun = False
    _head = 0  # octets that have come since the last message ended
    _weight = 0  # octets of the head that were understood

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows it
        self._waits = self.loop.call_later(PATIENCE, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._relax()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._within_head:
            self._head += len(data)
        super().data_received(data)
        if not self._within_head or not self._begun:
            return
        if self._head > HEAD_LIMIT:
            self._refuse(_TOO_LARGE)
        elif self._waits is None:  # another request has begun, and is not all there
            self._waits = self.loop.call_later(PATIENCE, self._give_up)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun, self._weight = True, 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._weigh(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._weigh(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        self._within_head = False
        self._relax()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._within_head, self._begun, self._head = True, False, 0

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _weigh(self, octets: int) -> None:
        self._weight += octets
        if self._weight > HEAD_LIMIT:
            self._refuse(_TOO_LARGE)
            raise httptools.HttpParserError("the head is too large")

    def _relax(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None

    def _give_up(self) -> None:
        self._waits = None
        if self._begun:
            self._refuse(_TOO_SLOW)
        else:  # opened, as browsers do ahead of time, and never used
            self.transport.close()

    def _refuse(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

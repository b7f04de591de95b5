"""A proxy on loopback that holds every byte back for some milliseconds, in each direction.

::

    python -m tests.bench.delay PORT 10     # 20 ms for a round trip; prints its own port
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections import deque


class _Way(asyncio.Protocol):
    """One direction's reader; what it reads leaves by the other end, later, in order."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.other: asyncio.Transport | None = None
        self.held: deque[tuple[float, bytes]] = deque()
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        due = self.loop.time() + self.delay
        self.held.append((due, data))
        self.loop.call_at(due, self._pass_on)

    def eof_received(self) -> None:
        self.data_received(b"")

    def _pass_on(self) -> None:
        """One call for each piece, so the order does not depend on the timers' own."""
        _, data = self.held.popleft()
        if self.other is None or self.other.is_closing():
            return
        if data:
            self.other.write(data)
        else:
            self.other.close()


class _Front(_Way):
    def __init__(self, delay: float, port: int) -> None:
        super().__init__(delay)
        self.port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.joining = self.loop.create_task(self._join())

    async def _join(self) -> None:
        assert self.transport is not None
        self.transport.pause_reading()
        ahead, back = await self.loop.create_connection(
            lambda: _Way(self.delay), "127.0.0.1", self.port
        )
        self.other, back.other = ahead, self.transport
        self.transport.resume_reading()


async def _serve(port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Front(delay, port), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def round_trip(port: int, times: int = 20) -> float:
    """The median seconds of a NOOP."""
    taken = []
    with socket.create_connection(("127.0.0.1", port)) as client, client.makefile("rb") as replies:
        replies.readline()
        for _ in range(times):
            begun = time.perf_counter()
            client.sendall(b"NOOP\r\n")
            replies.readline()
            taken.append(time.perf_counter() - begun)
        client.sendall(b"QUIT\r\n")
    return sorted(taken)[times // 2]


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))

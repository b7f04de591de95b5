"""Hears many connections with one look: what asyncio does for each read is left out.

A read through asyncio is a handle, a run in its context and four calls, which together cost a
fifteenth of a mail. So while connections in the clear send mail, their reads come from here.
Writing, opening, ending and all of TLS are asyncio's.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable


class Ears:
    """Calls whoever listens when there is something to read, as long as it is not read.

    Use it as a context manager, on the thread of the running event loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._poll = select.epoll()
        self._hearers: dict[int, Callable[[], None]] = {}

    def listen(self, socket: int, hear: Callable[[], None]) -> None:
        """``socket`` is its file descriptor, which nobody else reads from until ``leave``."""
        self._hearers[socket] = hear
        self._poll.register(socket, select.EPOLLIN)

    def leave(self, socket: int) -> None:
        """Before it is closed."""
        del self._hearers[socket]
        self._poll.unregister(socket)

    def __enter__(self) -> Ears:
        self._loop.add_reader(self._poll.fileno(), self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_reader(self._poll.fileno())
        self._poll.close()

    def _look(self) -> None:
        for socket, _ in self._poll.poll(0):
            hear = self._hearers.get(socket)
            if hear is not None:  # the one before it may have ended this one
                hear()

"""Lets the processes of one machine write to a SQLite file in turn.

SQLite has whoever finds the file locked sleep and look again, for longer and longer: of two
processes that write all the time, one hardly gets through. A lock of the file system wakes the next
one at once. It is only an order among those who use it; what is right rests on SQLite's own lock.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from types import TracebackType

from mailer.store.sqlite_file import create_private


class Turn:
    """A context manager that waits for one's turn; without a path it does nothing."""

    def __init__(self, path: str | None) -> None:
        self._handle: int | None = None
        if path is not None:
            create_private(path)  # of everybody who may write to the database beside it
            with suppress(OSError):  # a folder that we may not write to has no turns
                self._handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> None:
        if self._handle is not None:
            fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

"""Renders and signs claimed letters on threads of their own, ahead of the wire.

A signature takes a quarter of a millisecond, and ``cryptography`` lets go of the interpreter
meanwhile: the event loop goes on, and several threads sign side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from mailer.message.fingerprint import fingerprint
from mailer.message.mailbox import HeaderError
from mailer.message.values import MergeError
from mailer.store.claims import Claimed

BATCH = 8  # letters a job: handing over costs as much as rendering one


class Rendered(NamedTuple):
    """One letter and its hash, or what is wrong with the person's values."""

    message: bytes
    hash: bytes
    fault: MergeError | HeaderError | None = None

    def taken(self) -> tuple[bytes, bytes]:
        """The letter and its hash. Raises the fault, if there is one."""
        if self.fault is not None:
            raise self.fault
        return self.message, self.hash


class RenderAhead:
    """A few threads that render; ``render`` may be called by several at once."""

    def __init__(self, render: Callable[[Claimed], bytes], threads: int) -> None:
        self._render = render
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="signing")

    def submit(self, rows: Sequence[Claimed]) -> Future[list[Rendered]]:
        """Renders these, in their order. The future raises what is no fault of one person."""
        return self._threads.submit(lambda: [self._one(row) for row in rows])

    def _one(self, row: Claimed) -> Rendered:
        """A fault in one person's values is a result, not an error."""
        try:
            message = self._render(row)
        except (MergeError, HeaderError) as error:
            return Rendered(b"", b"", error)
        return Rendered(message, fingerprint(message))

    def close(self) -> None:
        """Ends the threads; what was not begun is not rendered any more."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> RenderAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""Renders claimed letters, a few together, before the wire asks for them.

A few in a row cost half of what each costs between two writes. Letters that are signed are made on
threads of their own: a signature takes a quarter of a millisecond, and ``cryptography`` lets go of
the interpreter meanwhile, so the event loop goes on, and several threads sign side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, Protocol

from mailer.message.fingerprint import fingerprint
from mailer.message.mailbox import HeaderError
from mailer.message.values import MergeError
from mailer.ports import Outgoing
from mailer.smtp.text import Text
from mailer.store.claims import Claimed

BATCH = 8  # letters a job: handing over costs as much as rendering one


class Letter(NamedTuple):
    """One person's message and its envelope."""

    message: bytes
    sender: str  # MAIL FROM
    smtputf8: bool
    name: str  # in reports (ENVID)
    plain: bool = False  # as ``compiled.Merged`` has it


class Maker(Protocol):
    """Makes letters; several threads may ask at once."""

    def make(self, row: Claimed) -> Letter:
        """One person's. Raises MergeError and HeaderError."""


class Rendered(NamedTuple):
    """One letter and its hash, or what is wrong with the person's values."""

    outgoing: Outgoing | None
    hash: bytes
    fault: MergeError | HeaderError | None = None


def rendered(letters: Maker, row: Claimed) -> Rendered:
    """Makes one letter. A fault in one person's values is a result, not an error."""
    try:
        message, sender, smtputf8, name, plain = letters.make(row)
    except (MergeError, HeaderError) as error:
        return Rendered(None, b"", error)
    again = partial(bytes, message)  # no copy
    text = Text(message, plain=plain)
    outgoing = Outgoing(row.position, sender, row.address, again, smtputf8, name, text)
    return Rendered(outgoing, fingerprint(message))


class RenderAhead:
    """A few threads that render."""

    def __init__(self, letters: Maker, threads: int) -> None:
        self._letters = letters
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="signing")

    def submit(self, rows: Sequence[Claimed]) -> Future[list[Rendered]]:
        """Renders these, in their order. The future raises what is no fault of one person."""
        return self._threads.submit(lambda: [rendered(self._letters, row) for row in rows])

    def close(self) -> None:
        """Ends the threads; what was not begun is not rendered any more."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> RenderAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""Renders claimed letters, a few together, before the wire asks for them.

A few in a row cost half of what each costs between two writes, and while a server far away thinks
there is nothing else to do. Letters that are signed are made on
threads of their own: a signature takes a quarter of a millisecond, and ``cryptography`` lets go of
the interpreter meanwhile, so the event loop goes on, and several threads sign side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mailer.message.mailbox import HeaderError
from mailer.message.values import MergeError
from mailer.ports import Outgoing
from mailer.store.claims import Claimed

AHEAD = 20  # letters that are made together with the one that the wire asks for
_PAUSE = 0.0003  # seconds after the wire's question in which the next ones are made, unasked
BATCH = 8  # letters a job: handing over costs as much as rendering one


class Letter(NamedTuple):
    """One person's message in its envelope, and its hash."""

    outgoing: Outgoing
    hash: bytes


# A letter, or what is wrong with the person's values: a result, not an error.
Rendered = Letter | MergeError | HeaderError


class Maker(Protocol):
    """Makes letters; several threads may ask at once."""

    def make(self, row: Claimed) -> Letter:
        """One person's. Raises MergeError and HeaderError."""


def rendered(letters: Maker, row: Claimed) -> Rendered:
    """Makes one letter."""
    try:
        return letters.make(row)
    except (MergeError, HeaderError) as error:
        return error


@dataclass(slots=True)
class Flight:
    """A claimed row on its way."""

    row: Claimed
    slot: int
    claimed_at: float
    message_hash: bytes | None = None
    rendered: Rendered | None = None  # ahead of the wire


class Stock:
    """The letters of the next few in the queue; what ``RenderAhead`` has made counts as well."""

    def __init__(
        self,
        letters: Maker,
        next_ones: Callable[[int], Sequence[Flight]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._letters = letters
        self._next_ones = next_ones
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def take(self, flight: Flight) -> Rendered:
        """The letter of somebody whose turn it is."""
        letter, flight.rendered = flight.rendered, None
        if letter is None:
            letter = rendered(self._letters, flight.row)
            self._make()
        if self._timer is None:
            self._timer = self._loop.call_later(_PAUSE, self._top_up)
        return letter

    def close(self) -> None:
        """Makes nothing any more without being asked."""
        if self._timer is not None:
            self._timer.cancel()

    def _top_up(self) -> None:
        self._timer = None
        missing = sum(each.rendered is None for each in self._next_ones(AHEAD))
        if missing > AHEAD // 2:  # fewer are not worth it
            self._make()

    def _make(self) -> None:
        for each in self._next_ones(AHEAD):
            each.rendered = each.rendered or rendered(self._letters, each.row)


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

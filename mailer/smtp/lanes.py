"""Queues of what is ready to go, one for each lane, so that a slow lane holds nobody else up."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

from mailer.smtp.pace import Throttle

T = TypeVar("T")


class Lanes(Generic[T]):
    """Whose turn it is. An item is opaque; a lane is known by its number.

    Lanes without a limit share one queue, in the order in which things came in: the usual case,
    and it costs nothing. A lane with a limit has a queue of its own, looked at first.
    """

    def __init__(self, lasts: Sequence[int], throttles: Sequence[Throttle]) -> None:
        """``lasts`` are the last keys of each lane, growing; ``throttles`` one for each."""
        self._lasts = list(lasts)
        self.throttles = list(throttles)
        self._free: deque[tuple[int, T]] = deque()
        self._slow: dict[int, deque[T]] = {}

    def __len__(self) -> int:
        return len(self._free) + self.held

    @property
    def held(self) -> int:
        """How many wait for their lane."""
        return sum(map(len, self._slow.values()))

    def __bool__(self) -> bool:
        return bool(self._free) or any(self._slow.values())

    @property
    def any_free(self) -> bool:
        """Whether something waits that no lane holds back."""
        return bool(self._free)

    def of(self, key: int) -> int:
        """The lane of a key."""
        return bisect_left(self._lasts, key) if len(self._lasts) > 1 else 0

    def add(self, lane: int, item: T, now: float) -> None:
        if self._limited(lane, now):
            self._slow.setdefault(lane, deque()).append(item)
        else:
            self._free.append((lane, item))

    def pop(self, now: float) -> tuple[int, T] | None:
        """The next item whose lane is open, behind its lane."""
        for lane, waiting in list(self._slow.items()) if self._slow else ():
            if not waiting:
                del self._slow[lane]
            elif self.throttles[lane].opens_at(now) <= now:
                del self._slow[lane]  # to the end: the others have their turn first
                item = waiting.popleft()
                if waiting:
                    self._slow[lane] = waiting
                return lane, item
        while self._free:
            first = self._free.popleft()
            lane, item = first
            throttle = self.throttles[lane]
            if not throttle.limited and throttle.suspended_until <= now:
                return first
            self._slow.setdefault(lane, deque()).append(item)  # limited since it came in
        return None

    def next_ones(self, most: int) -> list[T]:
        """The first of what waits for no lane."""
        return [item for _, item in islice(self._free, most)]

    def opens_at(self) -> float | None:
        """When the first of what waits for its lane may go; None when nothing waits."""
        waiting = [lane for lane, items in self._slow.items() if items]
        return min((self.throttles[lane].opens_at(0.0) for lane in waiting), default=None)

    def room(self, now: float, seconds: float, most: int) -> dict[int, int]:
        """How many more each limited lane can use within so many seconds; 0 while suspended.

        Of no lane more than ``most`` wait: the others want room, too.
        """
        found = {}
        for lane, throttle in enumerate(self.throttles):
            if throttle.suspended_until > now:
                found[lane] = 0
            elif throttle.rate:
                queued = len(self._slow.get(lane, ()))
                found[lane] = max(max(1, min(int(throttle.rate * seconds), most)) - queued, 0)
        return found

    def take_all(self, lane: int | None = None) -> Iterator[T]:
        """Empties one lane's queue, or all of them."""
        free, self._free = self._free, deque()
        for each, item in free:
            if lane in (None, each):
                yield item
            else:
                self._free.append((each, item))
        for each in [lane] if lane is not None else list(self._slow):
            yield from self._slow.pop(each, ())

    def _limited(self, lane: int, now: float) -> bool:
        throttle = self.throttles[lane]
        return throttle.limited or throttle.suspended_until > now

"""What may go now: the pace of all, each provider's lane, and what a deferral makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from mailer.model.words import Blame, DeliveryState, Outcome, Reply
from mailer.smtp.lanes import Lanes
from mailer.smtp.pace import STALE_SECONDS, Pace, Throttle, spread_rate
from mailer.smtp.providers import OTHER

T = TypeVar("T")
_ABOUT_ONE = ("greylisted", "policy")  # deferrals that one reader's server may mean for itself


class Stretch(NamedTuple):
    """A lane: its provider's name, the last key in it, and when a suspension ends (0: none)."""

    name: str
    last: int
    suspended_until: float
    why: str


class Flow(Generic[T]):
    """One run's queue. Items are opaque; their keys tell the lane. Seconds are the loop's."""

    def __init__(self, pace: Pace, stretches: Sequence[Stretch]) -> None:
        self._pace = pace
        self._names = [stretch.name for stretch in stretches]
        # A provider may have several stretches, and one pace.
        each = {name: Throttle(pace.lane_rates.get(name, 0.0)) for name in self._names}
        throttles = [each[name] for name in self._names]
        for stretch, throttle in zip(stretches, throttles, strict=True):
            throttle.suspend(stretch.suspended_until, stretch.why)
        self._all = Throttle(pace.rate)
        self.troubles: Counter[tuple[str, str]] = Counter()  # by provider and reason
        self.backing_off = any(throttle.backing_off for throttle in throttles)
        self._lanes: Lanes[T] = Lanes([stretch.last for stretch in stretches], throttles)

    def __len__(self) -> int:
        return len(self._lanes)

    def __bool__(self) -> bool:
        return bool(self._lanes)

    @property
    def held(self) -> int:
        """How many wait for their lane, and hold up nothing but it."""
        return self._lanes.held

    @property
    def open_now(self) -> bool:
        """Whether something waits that nothing holds back."""
        return self._lanes.any_free and not self._pace.rate

    def name(self, lane: int) -> str:
        return self._names[lane]

    def lane(self, key: int) -> int:
        return self._lanes.of(key)

    def add(self, key: int, item: T, now: float) -> bool:
        """Lines an item up, unless its lane is suspended."""
        lane = self._lanes.of(key)
        if self._lanes.throttles[lane].suspended_until > now:
            return False
        self._lanes.add(lane, item, now)
        return True

    def pop(self, now: float) -> tuple[int, T] | None:
        """The next item that may go now, behind its lane."""
        if self._pace.rate and self._all.opens_at(now) > now:
            return None
        return self._lanes.pop(now)

    def next_ones(self, most: int) -> list[T]:
        """Items that will be next if nothing holds them back, without taking them."""
        return self._lanes.next_ones(most)

    def went(self, lane: int, now: float) -> None:
        """An item of this lane is on the wire."""
        if self._pace.rate:
            self._all.took(now)
        self._lanes.throttles[lane].took(now)

    def opens_at(self, now: float) -> float | None:
        """When something that waits may go; None when nothing does."""
        if self._pace.rate and len(self._lanes):
            return max(self._all.opens_at(now), self._lanes.opens_at() or 0.0)
        return self._lanes.opens_at()

    def keep_to(self, left: int, now: datetime) -> None:
        """Spreads what is left over the time that is left, when there is one to keep to."""
        pace = self._pace
        if pace.until is not None:
            seconds = pace.timetable.open_seconds(now, pace.until)
            self._all.ceiling = spread_rate(left - pace.beyond, seconds, pace.most)

    def room(self, now: float) -> dict[int, int]:
        """How many rows each limited lane can use before a claim is stale."""
        return self._lanes.room(now, STALE_SECONDS, max(1, self._pace.rows // 2))

    def left_alone(self, lane: int, now: float) -> float:
        """Seconds until a lane's suspension ends, 0 when there is none."""
        return max(self._lanes.throttles[lane].suspended_until - now, 0.0)

    def accepted(self, key: int, now: float) -> None:
        throttle = self._lanes.throttles[self._lanes.of(key)]
        if throttle.backing_off:
            throttle.accepted(now)
            self.backing_off = any(each.backing_off for each in self._lanes.throttles)

    def troubled(self, key: int, outcome: Outcome, reply: Reply, now: float) -> tuple[Outcome, int]:
        """Slows a lane down, or suspends it; returns what the reply means then, and for how long.

        A provider that asks for a rest gets it and the run goes on. When no provider's lane is
        concerned, it is the relay that takes everything: its refusal stops the run as before.
        """
        lane = self._lanes.of(key)
        self.troubles[self._names[lane], outcome.reason] += 1
        throttle = self._lanes.throttles[lane]
        if outcome.suspend and self._names[lane] != OTHER:
            fresh = self.left_alone(lane, now) < outcome.suspend / 2
            if fresh:
                throttle.suspend(now + outcome.suspend, str(reply))
                self.backing_off |= throttle.deferred(now)
            return replace(outcome, stops_run=False), outcome.suspend if fresh else 0
        if (
            outcome.state is DeliveryState.deferred
            and outcome.blame in (Blame.rate, Blame.policy, Blame.infrastructure)
            and outcome.reason not in _ABOUT_ONE
        ):
            self.backing_off |= throttle.deferred(now, asked=outcome.blame is Blame.rate)
        return outcome, 0

    def withdraw(self, lane: int | None = None) -> list[T]:
        """Takes everything out of the queues of one lane's provider, or of all."""
        if lane is None:
            return list(self._lanes.take_all())
        own = [n for n, name in enumerate(self._names) if name == self._names[lane]]
        return [item for number in own for item in self._lanes.take_all(number)]

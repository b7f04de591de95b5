"""How fast mail may go: a rate, what backing off makes of it, and how long a suspension lasts.

No clock in here: seconds come in as arguments, from any clock that does not jump.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from mailer.smtp.timetable import Timetable

STALE_SECONDS = 2.0  # a claim older than this is made afresh: is the person still to be mailed?
SLOWEST = 1 / 60  # messages a second: what providers ask for when they are annoyed
_BURST = 10.0  # seconds: deferrals so close together are one piece of news
_HALF = 5.0  # seconds over which a pace is seen
_SEVERAL = 5  # messages put off: fewer are not about the pace
_CLEAN = 60.0  # seconds without a deferral, after which the pace grows
_GROWTH = 0.25  # of the pace at which the trouble began, added for each clean minute
_LATE = 0.05  # seconds that a message may be late without the next ones being held to it
_AT_HAND = 0.5  # seconds of sending that are claimed at a time
_EACH = 4  # rows for each connection, at least: one under way, and some while a commit lasts


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rows may be in doubt, how many go into one commit, and how fast."""

    window: int = 500
    group: int = 250
    rate: float = 0.0  # messages a second; 0: as fast as the wire
    connections: int = 2
    signing_threads: int = 2
    lane_rates: Mapping[str, float] = field(default_factory=dict)  # messages a second
    timetable: Timetable = field(default_factory=Timetable)
    most: float = 0.0  # messages a second that the owner allows, while ``rate`` follows ``until``
    until: datetime | None = None  # what there is to send is spread until then
    beyond: int = 0  # of who is left, so many are out of this run's reach

    def spread(self, left: int, now: datetime, until: datetime, *, beyond: int = 0) -> Pace:
        """The same, so slow that the rest lasts until then, without those ``beyond`` its reach."""
        most = self.most if self.until is not None else self.rate
        rate = spread_rate(left - beyond, self.timetable.open_seconds(now, until), most)
        return replace(self, rate=rate or most, most=most, until=until, beyond=beyond)

    @property
    def rows(self) -> int:
        """At most what the pace sends in two seconds, never fewer than the connections."""
        if not self.rate:
            return max(self.window, self.connections)
        return max(self.connections, min(self.window, int(self.rate * STALE_SECONDS)))


@dataclass(slots=True)
class Window:
    """How many rows may be claimed now: what goes in half a second, up to the pace's own number.

    So a power cut leaves few in doubt where mail goes slowly, and no claim gets old. It begins
    small, and at most doubles each time that as many as it holds were answered.
    """

    pace: Pace
    rows: int = field(init=False)
    group: int = field(init=False)  # outcomes that make a commit worth its time
    _counted: int = 0  # answers when it was measured last
    _measured_at: float | None = None
    _asked_at: float = 0.0
    _commit: float = 0.0  # seconds that the last one took

    def __post_init__(self) -> None:
        self._hold(0)

    def committing(self, answers: int, now: float) -> None:
        """A commit begins, after so many answers of the run: fits the window to their pace.

        Where commits are slow more is at hand, else few rows would wait for each of them, and the
        window would shrink for that.
        """
        self._asked_at = now
        if self._measured_at is None:
            self._measured_at = now
        went, lasted = answers - self._counted, now - self._measured_at
        wanted = max(_AT_HAND, _EACH * self._commit)
        if went < self.rows and lasted < wanted:
            return
        twice = 2 * self.rows
        # The bound comes first: an instant that is short enough makes a pace without end.
        self._hold(int(min(twice, went * wanted / lasted)) if lasted > 0 else twice)
        self._counted, self._measured_at = answers, now

    def committed(self, now: float) -> None:
        self._commit = now - self._asked_at

    def _hold(self, rows: int) -> None:
        self.rows = min(self.pace.rows, max(rows, _EACH * self.pace.connections))
        self.group = max(1, min(self.pace.group, self.rows // 2))


def spread_rate(left: int, seconds: float, most: float) -> float:
    """Messages a second that make the rest last so long, at most ``most``; 0: time is up."""
    if seconds <= 0:
        return most
    rate = max(left, 1) / seconds
    return min(rate, most) if most else rate


@dataclass(slots=True)
class Throttle:
    """One flow of messages: halved by a deferral, growing again by the minute (AIMD).

    ``ceiling`` is the owner's limit in messages a second, 0 for none. The first deferral halves
    the pace that was seen; a pace that has grown back to where the trouble began is set free.
    """

    ceiling: float = 0.0
    suspended_until: float = 0.0
    why: str = ""
    limited: bool = False  # it has a rate; kept beside, because each mail asks
    _limit: float = 0.0  # 0: not backing off
    _trouble_at: float = 0.0  # the pace at which the trouble began
    _changed: float = -_BURST
    _next: float = 0.0
    _seen: _Seen = field(default_factory=lambda: _Seen())
    _put_off: _Seen = field(default_factory=lambda: _Seen())

    def __post_init__(self) -> None:
        self.limited = self.rate > 0

    @property
    def rate(self) -> float:
        """Messages a second, 0 for no limit."""
        if self._limit and self.ceiling:
            return min(self._limit, self.ceiling)
        return self._limit or self.ceiling

    @property
    def backing_off(self) -> bool:
        return self._limit > 0

    def opens_at(self, now: float) -> float:
        """When the next message may go; ``now`` or earlier when at once."""
        return max(self.suspended_until, self._next if self.rate else 0.0)

    def took(self, now: float) -> None:
        """One message is going."""
        self._seen.count(now)
        if self.limited:
            self._next = max(self._next, now - _LATE) + 1 / self.rate

    def deferred(self, now: float, *, asked: bool = True) -> bool:
        """A message was put off; returns whether the pace was halved for it.

        When the server has ``asked`` to go slower, at once; else when one in ten is put off.
        """
        self._put_off.count(now)
        if now - self._changed < _BURST:
            return False
        put_off = self._put_off.number(now)
        if not asked and (put_off < _SEVERAL or put_off * 10 < self._seen.number(now)):
            return False
        pace = self.rate or self._seen.rate(now)
        self._trouble_at = max(self._trouble_at, pace)
        self._limit = max(pace / 2, SLOWEST)
        self.limited = True
        self._changed = now
        self._next = max(self._next, now + 1 / self._limit)
        return True

    def accepted(self, now: float) -> None:
        """The server took one: after each clean minute, the pace grows."""
        if not self._limit or now - self._changed < _CLEAN:
            return
        self._limit += max(self._trouble_at * _GROWTH, SLOWEST)
        self._changed = now
        if self._limit >= self._trouble_at:
            self._limit = self._trouble_at = 0.0
            self.limited = self.ceiling > 0

    def suspend(self, until: float, why: str) -> None:
        """Nothing goes before then; afterwards it begins slowly."""
        self.suspended_until = max(self.suspended_until, until)
        self.why = why


@dataclass(slots=True)
class _Seen:
    """How many there were in the last five seconds or so: two halves, the older one fading."""

    since: float | None = None  # the first of all
    begun: float = 0.0  # of the present half
    fresh: int = 0
    before: int = 0

    def count(self, now: float) -> None:
        if self.since is None:
            self.since = self.begun = now
        if now - self.begun >= _HALF:
            self._turn(now)
        self.fresh += 1

    def number(self, now: float) -> float:
        self._turn(now)
        return self.fresh + self.before * (1 - (now - self.begun) / _HALF)

    def rate(self, now: float) -> float:
        """How many a second."""
        lasted = now - (now if self.since is None else self.since)
        return max(self.number(now) / max(min(lasted, _HALF), 0.1), SLOWEST)

    def _turn(self, now: float) -> None:
        halves = int((now - self.begun) // _HALF)
        if halves > 0:
            self.before = self.fresh if halves == 1 else 0
            self.fresh = 0
            self.begun += halves * _HALF

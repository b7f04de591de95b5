"""When mail may go, and how many a day: hours of delivery, a daily cap, a warm-up that grows.

Pure: the moment comes in as an argument, and a day is a day of the owner's time zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class WarmUp:
    """A new sender begins small (Google: no sudden doubling): ``first`` mails on day ``since``.

    Each day after it may have ``growth`` times as many as the day before.
    """

    since: date
    first: int = 500
    growth: float = 1.25

    def cap(self, day: date) -> int:
        days = max((day - self.since).days, 0)
        return int(min(self.first * self.growth ** min(days, 400), 10**9))


@dataclass(frozen=True, slots=True)
class Timetable:
    """The owner's rules. ``hours`` are from and until, local; until before from spans midnight."""

    zone: tzinfo = UTC
    hours: tuple[time, time] | None = None
    per_day: int = 0  # messages, 0: no cap
    warm_up: WarmUp | None = None

    def day(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    def cap(self, now: datetime) -> int | None:
        """How many may go on this day, in all; None for no cap."""
        caps = [self.per_day] if self.per_day else []
        if self.warm_up is not None:
            caps.append(self.warm_up.cap(self.day(now)))
        return min(caps, default=None)

    def opens_at(self, now: datetime) -> datetime:
        """``now`` inside the hours of delivery, else when they begin."""
        if self.hours is None:
            return now
        begin, end = self.hours
        local = now.astimezone(self.zone)
        at = local.time()
        inside = begin <= at < end if begin < end else at >= begin or at < end
        if inside or begin == end:
            return now
        day = local.date() if at < begin else local.date() + timedelta(days=1)
        return self._at(day, begin)

    def open_seconds(self, now: datetime, until: datetime) -> float:
        """So many seconds until then lie within the hours of delivery, whatever the clocks do."""
        if self.hours is None:
            return max((until - now).total_seconds(), 0.0)
        found, moment = 0.0, self.opens_at(now)
        while moment < until:
            closes = min(self._closes_at(moment), until)
            found += (closes - moment).total_seconds()
            moment = self.opens_at(closes)
        return found

    def _closes_at(self, moment: datetime) -> datetime:
        """When the hours that ``moment`` lies in end."""
        begin, end = self.hours or (time(0), time(0))
        local = moment.astimezone(self.zone)
        past_midnight = begin > end and local.time() >= begin
        day = local.date() + timedelta(days=1) if past_midnight else local.date()
        closes = self._at(day, end)
        return closes if closes > moment else moment + timedelta(minutes=1)  # clocks were set back

    def tomorrow(self, now: datetime) -> datetime:
        """When the next day's count begins: at midnight, or when its hours of delivery do."""
        midnight = self._at(self.day(now) + timedelta(days=1), time(0))
        return self.opens_at(midnight)

    def _at(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)

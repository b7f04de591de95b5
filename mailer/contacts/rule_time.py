"""Turns ``90 days ago``, ``today`` and ``2026-11-01`` into days and spans of time.

Days, weeks, months and years are those of the calendar in the workspace's time zone; minutes and
hours are exact. The instant that counts as now comes in as an argument.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from mailer.contacts.rule import Moment

_EXACT = {"minute": 60, "minutes": 60, "hour": 3600, "hours": 3600}
_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_MONTHS = {"month": 1, "months": 1, "year": 12, "years": 12}
UNITS = (*_EXACT, *_DAYS, *_MONTHS)
NAMED_DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}
_INSTANT = timedelta(microseconds=1)
_MOST = 100_000  # of any unit


@dataclass(frozen=True, slots=True)
class Calendar:
    """Now, and the zone whose days count."""

    now: datetime  # aware
    zone: tzinfo = UTC

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def away(self, number: int, unit: str) -> date | Moment:
        """So many units from now; negative: ago. Raises ValueError beyond the calendar."""
        if abs(number) > _MOST:
            raise ValueError(f"at most {_MOST:,}")
        try:
            if unit in _EXACT:
                moment = self.now.astimezone(UTC) + timedelta(seconds=number * _EXACT[unit])
                return Moment(moment, moment + _INSTANT)
            if unit in _DAYS:
                return self._checked(self.today + timedelta(days=number * _DAYS[unit]))
            return self._checked(_months_from(self.today, number * _MONTHS[unit]))
        except (OverflowError, ValueError):
            raise ValueError("beyond the calendar") from None

    def day(self, text: str) -> date:
        """A day as it is written, such as 2026-11-01. Raises ValueError."""
        return self._checked(date.fromisoformat(text))

    def whole(self, day: date) -> Moment:
        """A day from its first instant to the next day's, in this calendar's zone."""
        return Moment(self._midnight(day), self._midnight(day + timedelta(days=1)))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)

    @staticmethod
    def _checked(day: date) -> date:
        if not 1000 <= day.year <= 9000:  # so that no zone and no next day leaves the calendar
            raise ValueError("from the year 1000 to 9000")
        return day


def _months_from(day: date, months: int) -> date:
    """The same day of another month, or the last one where that month is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))

"""Reads when something happens: a day, a time on it, and the zone whose clocks show it.

The zones are those of the ``tzdata`` package and of the machine (IANA's names).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from mailer.compose.dates import day_in_words, month_in_words, weekday_in_words

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d{1,2}:\d\d))?\Z")
_TIME = re.compile(r"\d{1,2}:\d\d\Z")


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, or a minute of it, as the clocks of the place show it."""

    day: date | None  # None: a time alone, on the day of another moment
    clock: time | None
    language: str = "en"

    @property
    def words(self) -> str:
        """The day in words, its weekday first."""
        if self.day is None:
            return ""
        weekday = weekday_in_words(self.day, self.language)
        return f"{weekday}{day_in_words(self.day, self.language)}"

    @property
    def number(self) -> str:
        """The day of the month."""
        return str(self.day.day) if self.day else ""

    @property
    def month(self) -> str:
        """The month's name."""
        return month_in_words(self.day, self.language) if self.day else ""

    @property
    def time(self) -> str:
        """The time as ``18:00``; empty when only a day is known."""
        return f"{self.clock:%H:%M}" if self.clock else ""

    def on(self, other: Moment) -> Moment:
        """Returns this moment, on the other's day when it has none."""
        return Moment(self.day or other.day, self.clock, self.language)


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its IANA name."""

    name: str

    @property
    def city(self) -> str:
        return self.name.rpartition("/")[2].replace("_", " ")

    def offset(self, moment: Moment) -> str:
        """Returns ``UTC+1`` for a moment with a time."""
        local = _local(moment, self)
        minutes = int((local.utcoffset() or local - local).total_seconds() // 60)
        sign, minutes = ("-" if minutes < 0 else "+"), abs(minutes)
        rest = f":{minutes % 60:02}" if minutes % 60 else ""
        return f"UTC{sign}{minutes // 60}{rest}" if minutes else "UTC"


def parse_moment(text: str, language: str) -> Moment:
    """Reads ``2026-12-04``, ``2026-12-04 18:00`` or ``18:00``; raises ValueError in words."""
    text = text.strip()
    try:
        if _TIME.match(text):
            return Moment(None, time.fromisoformat(text.zfill(5)), language)
        if found := _MOMENT.match(text):
            clock = time.fromisoformat(found.group(2).zfill(5)) if found.group(2) else None
            return Moment(date.fromisoformat(found.group(1)), clock, language)
    except ValueError as error:
        raise ValueError(f"`{text[:40]}` is not in the calendar") from error
    raise ValueError(f"`{text[:40]}` is no day and time")


def parse_zone(name: str) -> Zone:
    """Reads a zone's name; raises ValueError when there is no such zone."""
    if name not in zone_names():
        raise ValueError(f"`{name[:40]}` is no time zone")
    return Zone(name)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every zone that is known here."""
    return frozenset(available_timezones())


def instant(moment: Moment, zone: Zone) -> datetime:
    """Returns the moment in UTC; raises ValueError for a time that the clocks jump over."""
    found = _local(moment, zone).astimezone(UTC)
    if found.astimezone(ZoneInfo(zone.name)).replace(tzinfo=None) != _naive(moment):
        raise ValueError(f"the clocks of {zone.name} jump over {moment.day} {moment.time}")
    return found


def _local(moment: Moment, zone: Zone) -> datetime:
    try:
        return _naive(moment).replace(tzinfo=ZoneInfo(zone.name))
    except ZoneInfoNotFoundError as error:
        raise ValueError(f"`{zone.name}` is no time zone") from error


def _naive(moment: Moment) -> datetime:
    if moment.day is None:
        raise ValueError("a time without its day")
    return datetime.combine(moment.day, moment.clock or time())

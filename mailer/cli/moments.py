"""Reads a moment as an officer writes it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailer.errors import InputError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ACCEPTED = "Write 2026-11-30 08:00, 08:00 (the next one), or +90m."


def parse_moment(text: str, *, now: datetime, zone: ZoneInfo) -> datetime:
    """A day with a time of day, a time of day, or ``+2h`` from now; aware, in ``zone``.

    A time of day without a day is the next one. Raises InputError for what is none of these, and
    for a time that a change of the clocks leaves out or has twice.
    """
    text = text.strip()
    if found := re.fullmatch(r"\+(\d{1,6})\s*([smhd])", text):
        return (now + timedelta(seconds=int(found[1]) * _UNITS[found[2]])).astimezone(zone)
    here = now.astimezone(zone)
    if re.fullmatch(r"\d{1,2}:\d{2}", text):
        hour, minute = (int(part) for part in text.split(":"))
        if hour > 23 or minute > 59:
            raise InputError(f"“{text}” is no time.", hint=_ACCEPTED)
        moment = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
        if moment <= here:
            moment = datetime.combine(moment.date() + timedelta(days=1), moment.timetz())
        return _once(moment, zone, text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"“{text}” is no time.", hint=_ACCEPTED) from None
    if not re.search(r"\d:\d", text):
        raise InputError(f"“{text}” has no time of day.", hint=_ACCEPTED)
    if moment.tzinfo is not None:
        return moment.astimezone(zone)
    return _once(moment.replace(tzinfo=zone), zone, text)


def _once(moment: datetime, zone: ZoneInfo, text: str) -> datetime:
    other = moment.replace(fold=1 - moment.fold)
    if moment.utcoffset() != other.utcoffset():
        raise InputError(
            f"“{text}” is not one moment in {zone}: the clocks change there.",
            hint="Write it with its offset, such as 2026-10-25T02:30+02:00.",
        )
    return moment

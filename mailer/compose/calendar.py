"""Writes one event as a calendar file that mail and phone programs open (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

from mailer.compose.moments import Moment, Zone, instant
from mailer.model.words import SiteFile

_LONGEST = 75  # octets of a line without its end (RFC 5545 section 3.1)


@dataclass(frozen=True, slots=True)
class Event:
    """What a calendar file tells. ``site`` and ``stamp`` make it the same at each rendering."""

    title: str
    start: Moment
    end: Moment | None
    zone: Zone | None
    place: str
    url: str
    site: str  # the host that gives the event its identity
    stamp: date | None  # the day of the edition


def calendar_file(event: Event) -> SiteFile:
    """Returns the file; raises ValueError, in words, for an event that no calendar can hold."""
    start, end = event.start, event.end.on(event.start) if event.end else None
    if start.day is None:
        raise ValueError("the start has no day")
    if start.clock and event.zone is None:
        raise ValueError("a time needs its `zone`")
    if end is not None and (end.clock is None) != (start.clock is None):
        raise ValueError("start and end are both days, or both have a time")
    stamp = datetime.combine(event.stamp or start.day, time(), UTC)
    identity = sha256("\0".join((event.title, str(start.day), start.time)).encode()).hexdigest()
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//mailer//issues//EN",
        "BEGIN:VEVENT",
        f"UID:{identity[:32]}@{event.site or 'localhost'}",
        f"DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}",
        *_times(start, end, event.zone),
        f"SUMMARY:{_text(event.title)}",
    ]
    if event.place:
        lines.append(f"LOCATION:{_text(event.place)}")
    if event.url:
        lines.append(f"URL:{event.url}")
    lines += ["END:VEVENT", "END:VCALENDAR"]
    data = "".join(f"{folded}\r\n" for line in lines for folded in _folded(line)).encode()
    return SiteFile(f"{sha256(data).hexdigest()[:32]}.ics", data)


def _times(start: Moment, end: Moment | None, zone: Zone | None) -> Iterator[str]:
    """Instants in UTC, which need no table of the zone's rules; days as they are."""
    if start.clock and zone:
        first = instant(start, zone)
        yield f"DTSTART:{first:%Y%m%dT%H%M%SZ}"
        if end is not None:
            last = instant(end, zone)
            if last <= first:
                raise ValueError("the end is not after the start")
            yield f"DTEND:{last:%Y%m%dT%H%M%SZ}"
        return
    last_day = end.day if end is not None and end.day else start.day
    if start.day is None or last_day is None or last_day < start.day:
        raise ValueError("the end is not after the start")
    yield f"DTSTART;VALUE=DATE:{start.day:%Y%m%d}"
    # The end is the first day that is not of it (RFC 5545 section 3.6.1).
    yield f"DTEND;VALUE=DATE:{last_day + timedelta(days=1):%Y%m%d}"


def _text(value: str) -> str:
    """Writes a TEXT value (RFC 5545 section 3.3.11)."""
    value = " ".join(value.split()).replace("\\", "\\\\")
    return value.replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> Iterator[str]:
    """Cuts a line between characters, so that none of its pieces is too long."""
    piece, size = "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > _LONGEST:
            yield piece
            piece, size = " ", 1
        piece += character
        size += octets
    yield piece

"""An event becomes a calendar file as RFC 5545 wants it, the same at each rendering."""

from __future__ import annotations

from datetime import UTC, date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.compose.calendar import Event, calendar_file
from mailer.compose.moments import Zone, instant, parse_moment, parse_zone


def event(
    title: str = "Open night",
    start: str = "2026-12-04 18:00",
    end: str | None = "20:30",
    zone: str | None = "Europe/Zurich",
    place: str = "",
    url: str = "",
) -> Event:
    return Event(
        title,
        parse_moment(start, "en"),
        parse_moment(end, "en") if end else None,
        Zone(zone) if zone else None,
        place,
        url,
        "news.example.org",
        date(2026, 11, 24),
    )


def properties(data: bytes) -> dict[str, str]:
    """Reads a file back: lines joined again, escapes taken out (RFC 5545 sections 3.1, 3.3.11)."""
    text = data.decode().replace("\r\n ", "")
    pairs = [line.split(":", 1) for line in text.split("\r\n") if line]
    plain = {"n": "\n", "N": "\n"}
    found: dict[str, str] = {}
    for name, value in pairs:
        out, at = "", 0
        while at < len(value):
            if value[at] == "\\":
                at += 1
                out += plain.get(value[at], value[at])
            else:
                out += value[at]
            at += 1
        found.setdefault(name, out)
    return found


def test_an_event_is_written_in_utc_with_everything_that_a_calendar_needs() -> None:
    file = calendar_file(event(place="Loft 3; Quay Street, Tilvane", url="https://e.example.org/n"))

    assert file.data.split(b"\r\n") == [
        b"BEGIN:VCALENDAR",
        b"VERSION:2.0",
        b"PRODID:-//mailer//issues//EN",
        b"BEGIN:VEVENT",
        b"UID:" + properties(file.data)["UID"].encode(),
        b"DTSTAMP:20261124T000000Z",
        b"DTSTART:20261204T170000Z",
        b"DTEND:20261204T193000Z",
        b"SUMMARY:Open night",
        b"LOCATION:Loft 3\\; Quay Street\\, Tilvane",
        b"URL:https://e.example.org/n",
        b"END:VEVENT",
        b"END:VCALENDAR",
        b"",
    ]
    assert properties(file.data)["UID"].endswith("@news.example.org")
    assert file.name.endswith(".ics")
    assert calendar_file(event()) == calendar_file(event())


def test_a_day_alone_is_an_event_of_the_whole_day_and_its_end_is_the_day_after() -> None:
    one = properties(calendar_file(event(start="2026-12-04", end=None, zone=None)).data)
    three = properties(calendar_file(event(start="2026-12-30", end="2027-01-01", zone=None)).data)

    assert one["DTSTART;VALUE=DATE"] == "20261204"
    assert one["DTEND;VALUE=DATE"] == "20261205"
    assert three["DTEND;VALUE=DATE"] == "20270102"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"zone": None}, "a time needs its `zone`"),
        ({"end": "17:59"}, "the end is not after the start"),
        ({"end": "2026-12-05"}, "both"),
        ({"start": "18:00", "end": None}, "the start has no day"),
        ({"start": "2026-03-29 02:30", "end": None}, "jump over 2026-03-29 02:30"),
    ],
)
def test_what_no_calendar_can_hold_is_refused_in_words(changes: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        calendar_file(event(**changes))


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029"),
        min_size=1,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_title_arrives_and_no_line_is_longer_than_75_octets(title: str) -> None:
    data = calendar_file(event(title)).data

    assert properties(data)["SUMMARY"] == " ".join(title.split())
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    data.decode()


@given(st.dates(date(2000, 1, 1), date(2035, 1, 1)), st.times())
@settings(max_examples=100, deadline=None)
def test_a_moment_reads_back_in_its_own_zone(day: date, clock: time) -> None:
    moment = parse_moment(f"{day} {clock:%H:%M}", "en")
    found = instant(moment, Zone("Asia/Kathmandu"))  # it never changes its clocks

    assert found.tzinfo is UTC
    assert Zone("Asia/Kathmandu").offset(moment) == "UTC+5:45"


@pytest.mark.parametrize("wrong", ["2026-02-30", "tomorrow", "2026-12-04 25:00", "4.12.2026", ""])
def test_a_day_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"is no day and time|is not in the calendar"):
        parse_moment(wrong, "en")


@pytest.mark.parametrize("wrong", ["Zurich", "../../etc/passwd", "/etc/localtime", "CET\0", ""])
def test_a_zone_is_one_of_the_known_names(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        parse_zone(wrong)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Friday, 4 December 2026"),
        ("fr", "vendredi 4 décembre 2026"),
        ("de", "Freitag, 4. Dezember 2026"),
        ("ar", "الجمعة 4 ديسمبر 2026"),
        ("zh", "星期五 2026年12月4日"),
        ("fi", "2026-12-04"),
    ],
)
def test_a_day_is_said_with_its_weekday(language: str, words: str) -> None:
    assert parse_moment("2026-12-04", language).words == words

"""A moment is read in the workspace's zone, and refused when nobody can tell which one is meant."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mailer.cli.moments import parse_moment
from mailer.errors import InputError

ZURICH = ZoneInfo("Europe/Zurich")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)  # ten there


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+90m", "2026-11-24T11:30:00+01:00"),
        ("+ 2d", None),
        ("+2d", "2026-11-26T10:00:00+01:00"),
        ("11:00", "2026-11-24T11:00:00+01:00"),
        ("08:00", "2026-11-25T08:00:00+01:00"),
        ("10:00", "2026-11-25T10:00:00+01:00"),
        ("2026-11-30 08:00", "2026-11-30T08:00:00+01:00"),
        ("2026-11-30T08:00", "2026-11-30T08:00:00+01:00"),
        ("2026-11-30T08:00Z", "2026-11-30T09:00:00+01:00"),
        ("2027-07-01 08:00", "2027-07-01T08:00:00+02:00"),
        ("2027-03-28 02:30", None),  # left out
        ("2027-10-31 02:30", None),  # twice
        ("2027-10-31T02:30+02:00", "2027-10-31T02:30:00+02:00"),
        ("2026-11-30", None),
        ("24:00", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_moments(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(InputError):
            parse_moment(text, now=NOW, zone=ZURICH)
        return

    assert parse_moment(text, now=NOW, zone=ZURICH).isoformat() == expected

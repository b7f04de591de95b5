"""What is spread over a time goes evenly, ends in time, and keeps to hours and the owner's rate."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.flow import Flow, Stretch
from mailer.smtp.pace import Pace
from mailer.smtp.timetable import Timetable

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ZURICH = ZoneInfo("Europe/Zurich")


@pytest.mark.parametrize(
    ("hours", "begin", "lasts", "expected"),
    [
        (None, NOON, 90, 90),
        ((8, 13), NOON.astimezone(ZURICH), 90, 0),  # 13:00 there: they have just closed
        ((8, 14), NOON.astimezone(ZURICH), 90, 60),
        ((8, 14), NOON.astimezone(ZURICH), 24 * 60, 60 + 5 * 60),  # and the next morning
        ((22, 2), datetime(2026, 11, 24, 23, 0, tzinfo=ZURICH), 24 * 60, 3 * 60 + 60),
        # Clocks go back from three to two, and forward from two to three.
        ((1, 4), datetime(2026, 10, 25, 0, 0, tzinfo=ZURICH), 12 * 60, 4 * 60),
        ((1, 4), datetime(2026, 3, 29, 0, 0, tzinfo=ZURICH), 12 * 60, 2 * 60),
    ],
)
def test_only_the_hours_of_delivery_count(
    hours: tuple[int, int] | None, begin: datetime, lasts: int, expected: int
) -> None:
    table = Timetable(ZURICH, (time(hours[0]), time(hours[1])) if hours else None)
    begin = begin.astimezone(UTC)

    assert table.open_seconds(begin, begin + timedelta(minutes=lasts)) == expected * 60


def run(
    people: int, seconds: int, most: float, stopped_for: int = 0, beyond: int = 0
) -> list[float]:
    """When each of so many goes, by a clock of our own; a third is sent before a pause, if any.

    ``beyond`` are people who are left, and out of this run's reach.
    """
    until = NOON + timedelta(seconds=seconds)
    pace = Pace(rate=most).spread(people + beyond, NOON, until, beyond=beyond)
    flow: Flow[int] = Flow(pace, [Stretch("other", people, 0.0, "")])
    for key in range(people):
        flow.add(key, key, 0.0)
    gone: list[float] = []
    now = 0.0
    while len(gone) < people:
        flow.keep_to(people + beyond - len(gone), NOON + timedelta(seconds=now))
        popped = flow.pop(now)
        if popped is None:
            now = max(flow.opens_at(now) or now, now + 0.01)
            continue
        flow.went(popped[0], now)
        gone.append(now)
        if stopped_for and len(gone) == people // 3:
            now += stopped_for
    return gone


@given(st.integers(5, 120), st.integers(30, 4000), st.integers(0, 500))
def test_the_rest_lasts_as_long_as_it_should(people: int, seconds: int, beyond: int) -> None:
    gone = run(people, seconds, 0.0, beyond=beyond)

    half = len([each for each in gone if each <= seconds / 2])
    assert seconds * (people - 2) / people <= gone[-1] <= seconds + 0.1
    assert abs(half - people / 2) <= 2


def test_what_was_held_up_is_made_up_for() -> None:
    gone = run(90, 900, 0.0, stopped_for=300)

    assert 880 <= gone[-1] <= 900.1


def test_the_owners_rate_is_never_passed() -> None:
    gone = run(90, 900, 0.2, stopped_for=300)  # 0.1 a second would do, and the pause asks for more

    steps = [after - before for before, after in itertools.pairwise(gone)]
    assert min(steps) >= 1 / 0.2 - 0.06  # one may be late by so much

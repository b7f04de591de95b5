"""As many rows are claimed as go in half a second: few where mail goes slowly, never too few."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from mailer.smtp.pace import Pace, Window

PACE = Pace(window=500, group=250, connections=2)


def sent(window: Window, rate: float, seconds: float, *, begin: float = 0.0) -> list[int]:
    """The window at each look, every 10 ms of a run with so many answers a second."""
    first = window._counted
    sizes = []
    for tick in range(1, int(seconds * 100) + 1):
        window.committing(first + int(tick / 100 * rate), begin + tick / 100)
        window.committed(begin + tick / 100)
        sizes.append(window.rows)
    return sizes


def test_a_run_begins_with_few_rows_and_soon_has_what_a_fast_wire_needs() -> None:
    window = Window(PACE)
    assert (window.rows, window.group) == (8, 4)

    sizes = sent(window, 20_000, 0.2)

    assert sizes[:4] == [16, 32, 64, 128]
    assert sizes[-1] == 500
    assert window.group == 250


def test_a_slow_wire_has_half_a_second_of_mail_at_hand() -> None:
    assert set(sent(Window(PACE), 10, 20)) == {8}
    assert sent(Window(PACE), 300, 5)[-1] in range(140, 161)


def test_a_wire_that_becomes_slow_has_fewer_rows_within_a_second() -> None:
    window = Window(PACE)
    sent(window, 20_000, 1)
    assert sent(window, 20, 1, begin=1)[-1] <= 20


def test_a_rate_bounds_it_as_the_owners_number_does() -> None:
    assert max(sent(Window(Pace(rate=15, connections=1)), 20_000, 1)) == 30
    assert max(sent(Window(Pace(window=6, group=1)), 20_000, 1)) == 6


def slow_commits(seconds: float, rounds: int) -> Window:
    """A wire as fast as light, which waits for commits that take so long."""
    window, now, answers = Window(PACE), 0.0, 0
    for _ in range(rounds):
        window.committing(answers, now)
        now += seconds
        window.committed(now)
        answers += window.rows // 2
    return window


def test_slow_commits_do_not_make_it_smaller_and_slower_still() -> None:
    assert slow_commits(1.0, 20).rows == 500
    assert slow_commits(0.2, 20).rows == 500


@example([(0, 0.0, 2.0**-1022), (8, 0.0, 0.0)], 1, 1, 0.0)  # a clock that hardly moved
@given(
    st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 5), st.floats(0, 5)), max_size=30),
    st.integers(1, 600),
    st.integers(1, 40),
    st.floats(0, 900),
)
def test_it_stays_within_its_bounds_whatever_comes(
    looks: list[tuple[int, float, float]], most: int, connections: int, rate: float
) -> None:
    pace = Pace(window=most, group=max(1, most // 2), connections=connections, rate=rate)
    window = Window(pace)
    answers, now = 0, 0.0
    for went, waited, commit in looks:
        answers, now = answers + went, now + waited
        window.committing(answers, now)
        now += commit
        window.committed(now)
        assert min(pace.rows, connections) <= window.rows <= pace.rows
        assert 1 <= window.group <= max(1, window.rows // 2)

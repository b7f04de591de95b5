"""Whatever troubles a send, nobody is lost, nobody is mailed twice, and the counts always add up.

Each trouble once, small; ``./scripts/bench crash`` does it again and again, at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from random import Random

import pytest
from sqlalchemy import text

from mailer.model.words import DeliveryState
from tests.journeys import power_cut, troubles
from tests.journeys.counting import join
from tests.journeys.scene import Scene, scene

PEOPLE, WINDOW, SEED = 400, 60, 3
_LONG = ("power cut", "kill -9")  # have tests of their own
needs_strace = pytest.mark.skipif(
    not power_cut.available(), reason="strace is not installed: ./scripts/peers installs it"
)


def _judge(stage: Scene, bound: int) -> None:
    joined = stage.count()
    assert joined.wrong == []
    assert (joined.counts.audience, joined.counts.left) == (PEOPLE, 0)
    assert joined.counts.unknown <= bound


@pytest.mark.parametrize("name", [name for name in troubles.TROUBLES if name not in _LONG])
def test_the_counts_are_exact_after(name: str) -> None:
    with scene(people=PEOPLE, window=WINDOW, seed=SEED, **troubles.needs(name)) as stage:
        with stage.watched() as watch:
            bound = troubles.TROUBLES[name](stage)

        assert watch.wrong == []
        _judge(stage, bound)


@needs_strace
def test_a_power_cut_leaves_at_most_the_window_in_doubt() -> None:
    with scene(people=PEOPLE, window=WINDOW, seed=SEED) as stage:
        with stage.watched() as watch:
            bound = troubles.power_fails(stage)

        assert bound == WINDOW
        assert watch.wrong == []
        _judge(stage, bound)


@needs_strace
def test_the_cut_would_show_a_database_that_does_not_sync() -> None:
    """Evidence for the one above: without syncs people are mailed twice."""
    with scene(people=PEOPLE, window=WINDOW, seed=SEED) as stage:
        troubles.power_fails(stage, synchronous="OFF")

        assert len(stage.count().twice) > WINDOW


@pytest.fixture(scope="module")
def finished() -> Iterator[Scene]:
    """A campaign that nothing troubled."""
    with scene(people=PEOPLE, window=WINDOW, seed=SEED) as stage:
        stage.finish()
        yield stage


def test_a_mail_that_is_missing_or_doubled_would_be_found(finished: Scene) -> None:
    first, second, *others = finished.server.accepted
    stranger = replace(first, message_id="<nobody@example.org>")
    with finished.open() as db:
        whole = join(db, finished.server.accepted)
        assert (whole.wrong, whole.counts.unknown) == ([], 0)

        broken = join(db, [first, first, stranger, *others])

    assert list(broken.twice) == list(first.recipients)
    assert list(broken.wrongly_accepted) == list(second.recipients)
    assert list(broken.faults) == ["<nobody@example.org> belongs to nobody"]


def test_a_move_that_is_not_counted_would_be_seen(finished: Scene) -> None:
    move = "UPDATE delivery SET state = :state WHERE position = 1"
    with finished.watched() as watch, finished.open() as db:
        with db.write() as connection:
            connection.execute(text(move), {"state": DeliveryState.unknown})
        watch.look()
        seen = len(watch.wrong)
        with db.write() as connection:
            connection.execute(text(move), {"state": DeliveryState.accepted})

    assert seen > 0


def test_a_lost_write_is_lost_and_a_synced_one_is_not() -> None:
    disk = power_cut.Disk(bytearray(b"old"))
    disk.write(0, b"new")
    disk.sync()
    disk.write(0, b"odd")

    assert {deepcopy(disk).cut(Random(seed)) for seed in range(40)} == {b"new", b"odd"}

"""A sender that is killed at any moment loses nobody and mails nobody twice."""

from __future__ import annotations

from tests import postgres
from tests.journeys.killing import CONNECTIONS, Outcome, kill_and_count

PEOPLE, KILLS = 1200, 5


def _judge(outcome: Outcome) -> None:
    counts = outcome.joined.counts
    assert outcome.kills == KILLS
    assert (outcome.joined.wrong, outcome.unbalanced) == ([], [])
    assert outcome.looks > KILLS
    assert (counts.audience, counts.left) == (PEOPLE, 0)
    assert counts.refused == sum(number % 100 == 0 for number in range(1, PEOPLE + 1))
    # At most one text a connection is in doubt after each death: the recorder settles the rest.
    assert outcome.joined.most_unknown <= CONNECTIONS


def test_kill_9_on_sqlite() -> None:
    _judge(kill_and_count(people=PEOPLE, kills=KILLS, seed=1))


def test_kill_9_on_postgresql(postgresql: postgres.Server) -> None:
    url = postgresql.make("kills")
    try:
        _judge(kill_and_count(people=PEOPLE, kills=KILLS, url=url, seed=2))
    finally:
        postgresql.drop("kills")

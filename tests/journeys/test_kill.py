"""A sender that is killed at any moment loses nobody and mails nobody twice."""

from __future__ import annotations

from pathlib import Path

from tests import postgres
from tests.journeys.killing import CONNECTIONS, Outcome, kill_and_count

PEOPLE, KILLS = 1200, 5


def _judge(outcome: Outcome) -> None:
    assert outcome.kills == KILLS
    assert outcome.counts.balanced
    assert outcome.counts.audience == PEOPLE
    assert outcome.counts.left == 0
    assert (outcome.twice, outcome.forgotten, outcome.wrongly_accepted) == ([], [], [])
    assert outcome.faults == []
    assert outcome.counts.refused == sum(number % 100 == 0 for number in range(1, PEOPLE + 1))
    # At most one text a connection is in doubt after each death: the recorder settles the rest.
    assert outcome.most_unknown <= CONNECTIONS


def test_kill_9_on_sqlite(tmp_path: Path) -> None:
    _judge(kill_and_count(tmp_path, people=PEOPLE, kills=KILLS, seed=1))


def test_kill_9_on_postgresql(tmp_path: Path, postgresql: postgres.Server) -> None:
    url = postgresql.make("kills")
    try:
        _judge(kill_and_count(tmp_path, people=PEOPLE, kills=KILLS, url=url, seed=2))
    finally:
        postgresql.drop("kills")

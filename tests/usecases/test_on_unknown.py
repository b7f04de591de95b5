"""A campaign's policy decides about people whose answer was lost; without one they are held."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.model.words import CampaignState, OnUnknown
from mailer.smtp.pace import Pace
from mailer.store.database import Database
from tests.sending import plan_letters, send
from tests.smtpd import Smtpd, drop

ONE = Pace(connections=1)


def events(db: Database) -> list[tuple[str, str, str]]:
    with db.read() as connection:
        rows = connection.execute(
            text("SELECT kind, actor, detail FROM event WHERE kind LIKE 'unknown%' ORDER BY id")
        )
        return [(row[0], row[1], row[2]) for row in rows]


@pytest.mark.parametrize("policy", list(OnUnknown))
def test_one_lost_answer(db: Database, tmp_path: Path, policy: OnUnknown) -> None:
    campaign = plan_letters(db, 6, on_unknown=policy)
    with Smtpd() as server:
        server.at("dot", drop(), nth=2)
        first = send(db, campaign, tmp_path, server.port, pace=ONE)
        again = None
        if first.state is CampaignState.paused:
            again = send(db, campaign, tmp_path, server.port, pace=ONE)

    final = (again or first).counts
    assert final.balanced
    expected = {
        OnUnknown.hold: (5, 0, 1, []),
        OnUnknown.resend: (6, 0, 0, [("unknown_resent", "policy", "1 person")]),
        OnUnknown.skip: (5, 1, 0, [("unknown_skipped", "policy", "1 person")]),
    }
    assert (final.accepted, final.skipped, final.unknown, events(db)) == expected[policy]
    assert (again is not None) == (policy is OnUnknown.resend)


def test_somebody_whose_answers_are_always_lost_is_not_sent_it_for_ever(
    db: Database, tmp_path: Path
) -> None:
    campaign = plan_letters(db, 1, on_unknown="resend")
    with Smtpd() as server:
        server.at("dot", drop())
        reports = [send(db, campaign, tmp_path, server.port, pace=ONE) for _ in range(3)]

        assert [each.counts.unknown for each in reports] == [0, 0, 1]
        assert reports[-1].state is CampaignState.finished

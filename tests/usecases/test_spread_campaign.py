"""A send that is spread keeps to its time over restarts, and is refused where it can't be kept."""

from __future__ import annotations

import time as time_module
from datetime import UTC, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.adapters.clock import SystemClock
from mailer.adapters.inbox import Inbox
from mailer.errors import InputError
from mailer.smtp.pace import Pace
from mailer.smtp.timetable import Timetable
from mailer.store import campaigns
from mailer.store.database import Database
from mailer.usecases.spread_campaign import spread_campaign
from tests.cli.test_approval import planned, refused
from tests.command_line import done, mailer
from tests.fakes import FakeClock
from tests.sending import plan_letters, send


def until(db: Database, campaign: int) -> object:
    with db.read() as connection:
        return campaigns.find(connection, campaign).spread_until


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        (Pace(rate=0.05), "MAILER_SMTP_RATE allows 0.05. It takes at least 4 min"),
        (Pace(lane_rates={"other": 0.01}), "allows that lane 0.01 a second"),
        (Pace(timetable=Timetable(UTC, (time(20), time(22)))), "outside of the hours of delivery"),
        (Pace(timetable=Timetable(UTC, None, per_day=10)), "let 7 messages through"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_what_it_takes(
    db: Database, clock: FakeClock, pace: Pace, words: str
) -> None:
    campaign = plan_letters(db, 12)
    with db.write() as connection:
        day = clock.now().date().isoformat()
        connection.execute(text("INSERT INTO sent_day VALUES (:d, 3)"), {"d": day})

    with pytest.raises(InputError) as caught:
        spread_campaign(campaign, 60, db=db, clock=clock, pace=pace)

    told = " ".join(f"{fault.message} {fault.hint or ''}" for fault in caught.value.faults)
    assert words in told
    assert until(db, campaign) is None


def test_the_word_is_kept_and_can_be_taken_back(db: Database, clock: FakeClock) -> None:
    campaign = plan_letters(db, 12)

    spread_campaign(campaign, 5400, db=db, clock=clock, pace=Pace(rate=1))
    assert until(db, campaign) == clock.now() + timedelta(minutes=90)
    spread_campaign(campaign, 0, db=db, clock=clock, pace=Pace(rate=1))
    assert until(db, campaign) is None


def test_every_send_keeps_to_it(db: Database, tmp_path: Path) -> None:
    """Nobody said --over this time: twelve in three seconds, where the wire takes milliseconds."""
    campaign = plan_letters(db, 12)
    spread_campaign(campaign, 3, db=db, clock=SystemClock(), pace=Pace())

    begun = time_module.monotonic()
    with Inbox() as inbox:
        report = send(db, campaign, tmp_path, inbox.port)

    assert report.counts.accepted == 12
    assert time_module.monotonic() - begun >= 2


def test_from_the_command_line(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port, smtp_rate=0.5)
        words = ("campaigns", "send", "tide-table", "--yes")
        refused(mailer(workspace, *words, "--over", "1s"), "MAILER_SMTP_RATE allows 0.5")
        assert len(inbox.messages) == 0
        found = done(workspace, *words, "--over", "5s")
        assert (found["accepted"], bool(found["spread_until"])) == (2, True)

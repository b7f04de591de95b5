"""Nobody gets an issue twice, whichever way two campaigns of it meet; and nobody is forgotten."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.adapters.clock import SystemClock
from mailer.adapters.inbox import Inbox
from mailer.errors import InputError, MailerError, SettingsError
from mailer.message.links import KeyRing
from mailer.model.words import CampaignState, Counts, DeliveryState
from mailer.smtp.pace import Pace
from mailer.store import campaigns, maintenance, migrations, runs
from mailer.store.claims import Ledger
from mailer.store.database import Database, database_url
from mailer.store.ledger import Settlements, counts
from mailer.usecases.reopen_deliveries import resend_unknown, skip_unknown
from mailer.usecases.send_campaign import Schedule, SendReport
from mailer.usecases.stop_campaign import cancel_campaign, pause_campaign
from tests import sending
from tests.crowd import make_crowd
from tests.sending import plan_for, plan_letters, send
from tests.smtpd import Smtpd, drop, say, stall


def two_plans(db: Database, people: int) -> tuple[int, int]:
    """Two campaigns of one issue for the same people."""
    list_id, crowd = make_crowd(db, people)
    first = plan_for(db, crowd, list_id, slug="first")
    second = plan_for(db, crowd, list_id, slug="second")
    with db.write() as connection:
        connection.execute(text("UPDATE campaign SET issue = 'edition'"))
    return first, second


def ports(db: Database, folder: Path) -> Any:
    return {"db": db, "clock": SystemClock(), "folder": folder, "retry_after": (120,)}


def counts_of(db: Database, campaign_id: int) -> Counts:
    with db.read() as connection:
        return counts(connection, campaign_id)


@pytest.mark.parametrize("attempt", range(3))
def test_two_sends_at_one_moment_do_not_both_go_on(
    db: Database, tmp_path: Path, attempt: int
) -> None:
    both = two_plans(db, 60)
    start = threading.Barrier(2)
    refused: list[MailerError] = []

    def go(campaign_id: int, port: int) -> None:
        start.wait()
        try:
            send(db, campaign_id, tmp_path, port, pace=Pace(rate=400))
        except InputError as error:
            refused.append(error)

    with Inbox() as inbox:
        threads = [threading.Thread(target=go, args=(each, inbox.port)) for each in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(inbox.messages) == 60
    assert len({mail.recipients for mail in inbox.messages}) == 60
    assert len(refused) <= 1


def test_a_window_of_people_who_are_all_skipped_does_not_end_the_run(
    db: Database, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 40)
    with db.write() as connection:
        connection.execute(
            text(
                "UPDATE subscription SET status = 'unsubscribed' WHERE subscriber_id IN"
                " (SELECT subscriber_id FROM delivery WHERE position <= 25)"
            )
        )
    with Inbox() as inbox:
        report = send(db, campaign_id, tmp_path, inbox.port, pace=Pace(window=5, group=2))

    assert report.state is CampaignState.finished
    assert report.counts == Counts(audience=40, accepted=15, skipped=25)


def test_a_campaign_that_is_cancelled_while_it_is_sent_is_still_under_way(
    db: Database, tmp_path: Path
) -> None:
    first, second = two_plans(db, 10)
    with Smtpd() as server:
        server.at("dot", stall(), nth=2)
        thread = threading.Thread(
            target=lambda: send(db, first, tmp_path, server.port), daemon=True
        )
        thread.start()
        deadline = time.monotonic() + 10
        while not server.accepted and time.monotonic() < deadline:
            time.sleep(0.01)
        cancel_campaign(first, **ports(db, tmp_path))

        with pytest.raises(InputError, match="under way as “first”"):
            send(db, second, tmp_path, server.port)
        server.stop()
        thread.join(timeout=20)

    with Inbox() as inbox:
        report = send(db, second, tmp_path, inbox.port)
    got = {mail.recipients[0] for mail in server.accepted}
    got_second = {mail.recipients[0] for mail in inbox.messages}
    assert got & got_second == set()
    assert report.counts.accepted + report.counts.skipped == 10
    assert report.counts.skipped <= counts_of(db, first).accepted + counts_of(db, first).unknown


def test_a_dead_sender_of_a_cancelled_campaign_is_settled_by_the_next_plan(
    db: Database, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 5)
    now = SystemClock().now()
    judge = Schedule((120,), SystemClock()).judge
    begun = runs.begin(db, campaign_id, folder=tmp_path, slots=9, now=now, judge=judge)
    ledger = Ledger(campaign_id, 1, begun.run_id, db.dialect, 10**9)
    with db.write() as connection:
        claimed = ledger.exchange(connection, Settlements(), 5, runs.milliseconds(now)).claimed
        runs.move_campaign(connection, campaign_id, CampaignState.cancelled, now=now)
    begun.recorder.started(begun.recorder.claim(claimed[0].position, 1), b"h" * 16)
    begun.recorder.close(remove=False)

    runs.recover_issue(db, "edition", folder=tmp_path, now=now, judge=judge)

    assert counts_of(db, campaign_id) == Counts(audience=5, skipped=4, unknown=1)
    with pytest.raises(InputError, match="is cancelled"):
        resend_unknown(campaign_id, **ports(db, tmp_path))
    assert skip_unknown(campaign_id, **ports(db, tmp_path)) == 1
    assert maintenance.faults(db) == []


def test_a_person_on_whom_the_server_hangs_up_holds_up_nobody(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 12)
    with Smtpd() as server:
        server.at("rcpt", drop(), holding=b"edition-3@")
        reports: list[SendReport] = []
        for _ in range(4):
            pace = Pace(window=1, group=1, connections=1)
            reports.append(send(db, campaign_id, tmp_path, server.port, pace=pace, max_wait=20))
            if reports[-1].counts.deferred:
                break

    assert reports[-1].counts == Counts(audience=12, accepted=11, deferred=1)
    with db.read() as connection:
        assert campaigns.reasons(connection, campaign_id) == {
            DeliveryState.deferred: {"connection_dropped": 1}
        }


def test_a_server_that_breaks_off_after_texts_is_left_soon(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 200)
    with Smtpd() as server:
        for number in range(2, 400, 2):
            server.at("dot", drop(takes=True), nth=number)
        report = send(db, campaign_id, tmp_path, server.port)

    assert report.state is CampaignState.paused
    assert report.counts.unknown <= 14
    assert "broke off" in report.because or "unanswered" in report.because


def test_a_lost_secret_key_is_told_before_anybody_is_claimed(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = plan_letters(db, 2, key_id=(sending.KEYS.key_id + 1) % 256)

    with pytest.raises(SettingsError, match="MAILER_SECRET_KEY_OLD"):
        send(db, campaign_id, tmp_path, 1)

    assert counts_of(db, campaign_id) == Counts(audience=2, planned=2)
    assert KeyRing(bytes(range(32))).key_id == sending.KEYS.key_id


def test_an_old_recorder_of_the_same_name_is_in_nobodys_way(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 2)
    with db.read() as connection:
        name = runs.recorder_name(connection, campaign_id)
    (tmp_path / name).write_bytes(b"of another timeline")

    with Inbox() as inbox:
        report = send(db, campaign_id, tmp_path, inbox.port)

    assert report.counts.accepted == 2


def test_a_restored_backup_can_plan_and_send(tmp_path: Path, sqlite_template: Path) -> None:
    with Database(database_url(f"sqlite:///{sqlite_template}", tmp_path)) as db:
        maintenance.backup(db, tmp_path / "restored.db")
    with Database(database_url("sqlite:///restored.db", tmp_path)) as db:
        migrations.require_current(db)
        campaign_id = plan_letters(db, 3)
        with Inbox() as inbox:
            assert send(db, campaign_id, tmp_path, inbox.port).counts.accepted == 3
        with db.read() as connection:
            mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
    assert mode == "wal"


def test_a_finished_campaign_can_not_be_paused(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 1)
    with Inbox() as inbox:
        send(db, campaign_id, tmp_path, inbox.port)

    with pytest.raises(InputError, match="finished already"):
        pause_campaign(campaign_id, db=db, clock=SystemClock())


def test_a_send_that_is_started_again_tries_deferred_people_soon(
    db: Database, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 1)
    with Smtpd() as server:
        server.at("rcpt", say("450 4.2.1 Busy"), nth=1)
        send(db, campaign_id, tmp_path, server.port, retry_after=(3600,))
        time.sleep(1.1)
        report = send(db, campaign_id, tmp_path, server.port, retry_after=(1, 3600), max_wait=5)

    assert report.counts == Counts(audience=1, accepted=1)

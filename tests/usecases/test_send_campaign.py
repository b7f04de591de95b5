"""A send carries everybody's letter once over a real connection, and its counts add up."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.adapters.clock import SystemClock
from mailer.adapters.inbox import Inbox
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.errors import BusyError, InputError
from mailer.message.links import Purpose, read, read_verp
from mailer.model.words import CampaignState, Counts, DeliveryState, Reply, Stage
from mailer.smtp.exchange import Observer, Source
from mailer.smtp.pace import Pace
from mailer.store import campaigns, maintenance, runs
from mailer.store.database import Database
from mailer.usecases.reopen_deliveries import resend_unknown, retry_refused, skip_unknown
from mailer.usecases.send_campaign import send_campaign
from mailer.usecases.stop_campaign import cancel_campaign, pause_campaign
from tests.builders import make_list, make_subscriber, subscribe
from tests.sending import KEYS, plan_for, plan_letters, send
from tests.smtpd import Smtpd, drop, say, stall

RETRY = (120,)
SAMPLES = Path(__file__).parent.parent / "samples"


def addresses(db: Database, campaign_id: int, *states: DeliveryState) -> list[str]:
    with db.read() as connection:
        return sorted(r.address for r in campaigns.recipients(connection, campaign_id, states))


def test_everybody_gets_one_letter_with_all_bulk_headers(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 30)

    with Inbox() as inbox:
        report = send(db, campaign_id, tmp_path, inbox.port)

    assert report.state is CampaignState.finished
    assert report.counts == Counts(audience=30, accepted=30)
    received = {mail.recipients[0]: mail for mail in inbox.messages}
    assert sorted(received) == addresses(db, campaign_id)
    assert len(inbox.messages) == 30
    mail = inbox.messages[0]
    parsed = email.message_from_bytes(mail.data, policy=email.policy.default)
    assert parsed["To"] == mail.recipients[0]
    assert parsed["List-Id"] == "Harbour <harbour.news.example.org>"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = read(
        KEYS, parsed["List-Unsubscribe"].strip("<>").rpartition("/")[2], Purpose.unsubscribe
    )
    bounce = read_verp(KEYS, mail.sender.partition("+")[2].partition("@")[0])
    assert link is not None
    assert bounce is not None
    assert (link.campaign, link.subscriber) == (bounce.campaign, bounce.subscriber)
    assert link.campaign == campaign_id
    body = parsed.get_body(("plain",))
    assert body is not None
    assert mail.recipients[0] in body.get_content()
    assert len({email.message_from_bytes(m.data)["Message-ID"] for m in inbox.messages}) == 30
    assert maintenance.faults(db) == []
    assert list(tmp_path.glob("*.recorder")) == []


def test_what_was_said_about_a_person_goes_when_the_row_is_final(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_FORGOTTEN_AT_ONCE", 2)  # so that there are several slices
    campaign_id = plan_letters(db, 5)
    with Inbox() as inbox:
        send(db, campaign_id, tmp_path, inbox.port)

    with db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM snapshot")).scalar() == 0


def test_a_refused_person_stops_nobody_else(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 10)
    with Smtpd() as server:
        server.at("rcpt", say("550 5.1.1 No such user"), holding=b"edition-4@")
        report = send(db, campaign_id, tmp_path, server.port)

    assert report.counts == Counts(audience=10, accepted=9, refused=1)
    assert addresses(db, campaign_id, DeliveryState.refused) == ["edition-4@example4.org"]
    with db.read() as connection:
        assert campaigns.reasons(connection, campaign_id)[DeliveryState.refused] == {
            "no_such_user": 1
        }
        replies = campaigns.sample_replies(connection, campaign_id)
    assert replies["no_such_user"] == "550 5.1.1 No such user"


def test_a_deferred_person_is_tried_again_in_the_same_run_with_the_same_bytes(
    db: Database, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 5)
    with Smtpd() as server:
        server.at("dot", say("451 4.3.0 Try again"), nth=2)
        report = send(db, campaign_id, tmp_path, server.port, retry_after=(1,), max_wait=30)

    assert report.counts == Counts(audience=5, accepted=5)
    with db.read() as connection:
        attempts = connection.execute(text("SELECT max(attempt), count(*) FROM delivery")).one()
    assert tuple(attempts) == (2, 5)
    assert len({mail.message_id for mail in server.accepted}) == 5
    refused = [mail for mail in server.texts if mail not in {m.data for m in server.accepted}]
    assert refused == []  # the text that was turned away came again, octet for octet


def test_a_far_deferral_ends_the_run_and_says_when(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 3)
    with Smtpd() as server:
        server.at("rcpt", say("450 4.2.1 Busy"), nth=1)
        report = send(db, campaign_id, tmp_path, server.port, retry_after=(3600,), max_wait=5)

    assert report.state is CampaignState.paused
    assert report.counts == Counts(audience=3, accepted=2, deferred=1)
    assert report.next_due is not None
    assert 3500 < report.next_due / 1000 - time.time() < 4000


def test_a_server_that_is_not_there_marks_nobody(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 3)

    report = send(db, campaign_id, tmp_path, 1)

    assert report.state is CampaignState.paused
    assert report.counts == Counts(audience=3, planned=3)
    assert "127.0.0.1" in report.because
    with Inbox() as inbox:
        assert send(db, campaign_id, tmp_path, inbox.port).counts.accepted == 3


def test_a_refused_sender_finalises_nobody_and_stops(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 40)
    with Smtpd() as server:
        server.at("mail", say("550 5.7.1 Sender not allowed here"))
        report = send(db, campaign_id, tmp_path, server.port)

    assert report.counts == Counts(audience=40, planned=40)
    assert report.state is CampaignState.paused
    assert "550 5.7.1 Sender not allowed here" in report.because


def test_ten_equal_refusals_in_a_row_stop_the_run(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 60)
    with Smtpd() as server:
        server.at("rcpt", say("550 5.4.6 Routing loop"))
        report = send(db, campaign_id, tmp_path, server.port)

    assert report.state is CampaignState.paused
    assert "in a row" in report.because
    assert 10 <= report.counts.refused < 40
    assert report.counts.balanced


def test_a_connection_lost_after_the_dot_makes_one_person_unknown(
    db: Database, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 20)
    with Smtpd() as server:
        server.at("dot", drop(takes=True), nth=5)
        report = send(db, campaign_id, tmp_path, server.port)

    assert report.state is CampaignState.finished
    assert report.counts == Counts(audience=20, accepted=19, unknown=1)
    assert len({mail.message_id for mail in server.accepted}) == len(server.accepted) == 20


def test_unknown_people_are_resent_or_skipped_on_the_operators_word(
    db: Database, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 4)
    with Smtpd() as server:
        server.at("dot", drop(takes=False), nth=1)
        server.at("dot", drop(takes=False), nth=2)
        first = send(db, campaign_id, tmp_path, server.port)
    assert first.counts == Counts(audience=4, accepted=2, unknown=2)
    ports: Any = {"db": db, "clock": SystemClock(), "folder": tmp_path, "retry_after": RETRY}

    assert resend_unknown(campaign_id, **ports) == 2
    with Inbox() as inbox:
        second = send(db, campaign_id, tmp_path, inbox.port)

    assert second.counts == Counts(audience=4, accepted=4)
    assert skip_unknown(campaign_id, **ports) == 0


def test_refusals_that_may_be_cured_are_retried(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 3)
    with Smtpd() as server:
        server.at("rcpt", say("550 5.1.1 No such user"), nth=1)
        server.at("rcpt", say("550 Mailbox unavailable"), nth=2)
        assert send(db, campaign_id, tmp_path, server.port).counts.refused == 2
    ports: Any = {"db": db, "clock": SystemClock(), "folder": tmp_path, "retry_after": RETRY}

    assert retry_refused(campaign_id, **ports) == 1
    with Inbox() as inbox:
        assert send(db, campaign_id, tmp_path, inbox.port).counts == Counts(
            audience=3, accepted=2, refused=1
        )


@pytest.mark.parametrize(
    ("stage", "reply", "cured"),
    [
        ("dot", "554 We do not want this", True),  # as message.replies promises
        ("rcpt", "550 5.2.1 Disabled", True),
        ("rcpt", "550 5.4.6 A routing loop", True),
        ("rcpt", "550 5.7.124 Not from outside", True),
        ("rcpt", "550 5.1.3 Bad address", False),
        ("rcpt", "550 5.2.3 Too large for this mailbox", False),
    ],
)
def test_which_refusals_may_be_cured(
    stage: str, reply: str, cured: bool, db: Database, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 1)
    with Smtpd().at(stage, say(reply)) as server:
        assert send(db, campaign_id, tmp_path, server.port).counts.refused == 1
    ports: Any = {"db": db, "clock": SystemClock(), "folder": tmp_path, "retry_after": RETRY}

    assert retry_refused(campaign_id, **ports) == int(cured)


def test_every_curable_refusal_is_one_that_a_reply_can_be() -> None:
    lines = (SAMPLES / "replies.txt").read_text(encoding="utf-8").splitlines()
    told = {line.split(" | ")[2].strip() for line in lines if " | refused | " in line}

    assert set(campaigns.CURABLE) - told == {"expired"}  # which no server says


def test_a_second_send_of_the_same_campaign_is_refused_by_name(
    db: Database, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 2)
    with Smtpd() as server:
        server.at("mail", stall())
        thread = threading.Thread(
            target=lambda: send(db, campaign_id, tmp_path, server.port), daemon=True
        )
        thread.start()
        deadline = time.monotonic() + 10
        while not list(tmp_path.glob("*.recorder")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)

        with pytest.raises(BusyError, match="being sent by another process"):
            send(db, campaign_id, tmp_path, server.port)
        cancel_campaign(campaign_id, db=db, clock=SystemClock(), folder=tmp_path, retry_after=RETRY)
        server.stop()
        thread.join(timeout=20)

    with db.read() as connection:
        assert campaigns.find(connection, campaign_id).state == "cancelled"
        assert runs.left_to_try(connection, campaign_id) == 0


def test_a_pause_stops_the_sending_process_and_resume_finishes(
    db: Database, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 60)
    paused = threading.Event()

    def pause_at_once(counts: Counts, due: int | None) -> None:
        if counts.accepted and not paused.is_set():
            paused.set()
            pause_campaign(campaign_id, db=db, clock=SystemClock())

    pace = Pace(window=4, group=2, rate=60)
    with Inbox() as inbox:
        first = send(db, campaign_id, tmp_path, inbox.port, pace=pace, progress=pause_at_once)
        assert first.state is CampaignState.paused
        assert 0 < first.counts.accepted < 60
        assert first.counts.unknown == 0
        second = send(db, campaign_id, tmp_path, inbox.port)

    assert second.counts == Counts(audience=60, accepted=60)
    assert len({mail.recipients for mail in inbox.messages}) == len(inbox.messages) == 60


def test_a_signal_stops_cleanly(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 50)

    async def interrupted(port: int) -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.4, stop.set)
        report = await send_campaign(
            campaign_id,
            db=db,
            transport=SmtpTransport("127.0.0.1", port, security="none"),
            keys=KEYS,
            clock=SystemClock(),
            folder=tmp_path,
            pace=Pace(window=10, group=2, rate=40),
            retry_after=RETRY,
            expires_after=3600,
            max_wait=0,
            stop=stop,
        )
        assert report.because == "It was interrupted."
        assert report.counts.unknown == 0
        assert report.counts.planned > 0

    with Inbox() as inbox:
        asyncio.run(interrupted(inbox.port))
        report = send(db, campaign_id, tmp_path, inbox.port)
    assert report.counts == Counts(audience=50, accepted=50)
    assert len(inbox.messages) == 50


class _Slow:
    """Takes one mail at a time, and thirty milliseconds for it."""

    async def run(self, source: Source, observer: Observer) -> None:
        while not source.finished:
            outgoing = source.take()
            if outgoing is None:
                await source.changed()
            elif observer.started(outgoing.key):
                await asyncio.sleep(0.03)
                observer.answered(outgoing.key, Stage.dot, Reply(250, "2.0.0 Ok", "2.0.0"))


def test_of_a_slow_send_a_power_cut_would_leave_few_in_doubt(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 40)
    in_doubt: list[int] = []

    def watch(counts: Counts, due: int | None) -> None:
        in_doubt.append(counts.sending)

    report = send(db, campaign_id, tmp_path, 0, transport=_Slow(), progress=watch)

    assert report.counts.accepted == 40
    assert max(in_doubt) <= 17  # half a second of mail, at most 34 of which go in one


def test_the_rate_is_kept(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 21)
    with Inbox() as inbox:
        report = send(db, campaign_id, tmp_path, inbox.port, pace=Pace(rate=20))

    assert report.counts.accepted == 21
    assert report.seconds >= 0.9  # the twenty-first goes a second after the first


def test_nobody_gets_the_same_issue_from_two_campaigns(db: Database, tmp_path: Path) -> None:
    first = plan_letters(db, 4)
    with db.write() as connection:
        rows = connection.execute(
            text(
                "SELECT subscriber_id, address FROM delivery NATURAL JOIN"
                " snapshot ORDER BY position"
            )
        ).all()
        list_id = connection.execute(text("SELECT list_id FROM campaign")).scalar_one()
    everybody = {row.subscriber_id: row.address for row in rows}
    second = plan_for(db, everybody, list_id, slug="other")
    with db.write() as connection:
        connection.execute(text("UPDATE campaign SET issue = 'edition'"))
    with Inbox() as inbox:
        send(db, first, tmp_path, inbox.port)
        report = send(db, second, tmp_path, inbox.port)

    assert report.counts == Counts(audience=4, skipped=4)
    assert len(inbox.messages) == 4


def test_an_issue_under_way_elsewhere_is_refused(db: Database, tmp_path: Path) -> None:
    first = plan_letters(db, 2)
    second = plan_letters(db, 2, slug="other")
    with db.write() as connection:
        connection.execute(text("UPDATE campaign SET issue = 'edition'"))
    send(db, first, tmp_path, 1)

    with pytest.raises(InputError, match="under way as “edition”"):
        send(db, second, tmp_path, 1)


def test_a_finished_campaign_can_not_be_cancelled_or_sent(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 1)
    with Inbox() as inbox:
        send(db, campaign_id, tmp_path, inbox.port)
        with pytest.raises(InputError, match="is finished"):
            send(db, campaign_id, tmp_path, inbox.port)


def test_the_date_is_the_first_claims_time(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 1)
    with Inbox() as inbox:
        send(db, campaign_id, tmp_path, inbox.port)
    date = email.message_from_bytes(inbox.messages[0].data, policy=email.policy.default)["Date"]

    with db.read() as connection:
        first_at = connection.execute(text("SELECT first_at FROM delivery")).scalar_one()
    assert date.datetime == datetime.fromtimestamp(first_at // 1000, UTC)


def test_an_address_that_the_server_can_not_take_is_refused_alone(
    db: Database, tmp_path: Path
) -> None:
    people = {make_subscriber(db, address): address for address in ("émile@example.org", "b@c.org")}
    list_id = make_list(db)
    for subscriber in people:
        subscribe(db, subscriber, list_id)
    campaign_id = plan_for(db, people, list_id)
    with Smtpd(offers=("8BITMIME",)) as server:
        report = send(db, campaign_id, tmp_path, server.port)

    assert report.state is CampaignState.finished
    assert report.counts == Counts(audience=2, accepted=1, refused=1)
    with db.read() as connection:
        assert campaigns.reasons(connection, campaign_id) == {
            DeliveryState.refused: {"eai_unsupported": 1}
        }


def test_an_address_beyond_ascii_travels_where_it_can(db: Database, tmp_path: Path) -> None:
    person = make_subscriber(db, "émile@example.org")
    list_id = make_list(db)
    subscribe(db, person, list_id)
    campaign_id = plan_for(db, {person: "émile@example.org"}, list_id)
    with Smtpd() as server:
        report = send(db, campaign_id, tmp_path, server.port)

    assert report.counts == Counts(audience=1, accepted=1)
    assert "\r\nTo: émile@example.org\r\n".encode() in server.accepted[0].data


def test_a_letter_that_can_not_be_made_is_one_persons_trouble(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 4)
    with db.write() as connection:
        connection.execute(
            text("UPDATE snapshot SET address = 'not an address' WHERE position = 2")
        )
    with Inbox() as inbox:
        report = send(db, campaign_id, tmp_path, inbox.port)

    assert report.counts == Counts(audience=4, accepted=3, refused=1)
    with db.read() as connection:
        assert campaigns.reasons(connection, campaign_id) == {
            DeliveryState.refused: {"unsendable": 1}
        }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("site_url", "https://news.example.org>\r\nBcc: <all@example.org"),
        ("site_url", "https://news.example.org/a b"),
        ("message_id_domain", "example.org>\r\nBcc: <all@example.org"),
    ],
)
def test_what_no_header_can_hold_is_not_sent(
    db: Database, tmp_path: Path, name: str, value: str
) -> None:
    """What stands around a person's tokens is looked at once, and then each letter if need be."""
    campaign_id = plan_letters(db, 2)
    with db.write() as connection:
        frozen = connection.execute(text("SELECT frozen FROM campaign")).scalar_one()
        known = json.loads(frozen) if isinstance(frozen, str) else frozen
        changed = json.dumps({**known, name: value})
        connection.execute(text("UPDATE campaign SET frozen = :to"), {"to": changed})
    with Inbox() as inbox:
        report = send(db, campaign_id, tmp_path, inbox.port)

    assert inbox.messages == []
    assert report.counts == Counts(audience=2, refused=2)


def test_other_bytes_than_at_the_first_attempt_are_never_sent(db: Database, tmp_path: Path) -> None:
    campaign_id = plan_letters(db, 1)
    with Smtpd() as server:
        server.at("dot", say("451 4.3.0 Later"))
        send(db, campaign_id, tmp_path, server.port)
    with db.write() as connection:
        connection.execute(text("UPDATE snapshot SET address = 'someone.else@example.org'"))
        connection.execute(text("UPDATE waiting SET due_at = 0"))
    with Inbox() as inbox:
        report = send(db, campaign_id, tmp_path, inbox.port)

    assert inbox.messages == []
    assert "not what the first attempt sent" in report.because
    assert report.counts == Counts(audience=1, deferred=1)


def test_a_server_that_dislikes_an_internationalised_letter_refuses_that_person_alone(
    db: Database, tmp_path: Path
) -> None:
    people = {make_subscriber(db, address): address for address in ("émile@example.org", "b@c.org")}
    list_id = make_list(db)
    for subscriber in people:
        subscribe(db, subscriber, list_id)
    campaign_id = plan_for(db, people, list_id)
    with Smtpd() as server:
        server.at("dot", say("554 5.6.0 Malformed header"), nth=1)
        report = send(db, campaign_id, tmp_path, server.port, pace=Pace(connections=1))

    assert report.state is CampaignState.finished
    assert report.counts == Counts(audience=2, accepted=1, refused=1)
    assert addresses(db, campaign_id, DeliveryState.refused) == ["émile@example.org"]

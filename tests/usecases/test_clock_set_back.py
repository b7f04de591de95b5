"""A clock that was set back between two sends makes nobody wait for the hours it lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from mailer.model.words import CampaignState, Counts
from mailer.store.database import Database
from tests.builders import make_list, make_subscriber, subscribe
from tests.sending import plan_for, send
from tests.smtpd import Smtpd, say

HOURS = 5 * 3_600_000  # ms


def test_deferred_and_released_people_are_tried_soon(db: Database, tmp_path: Path) -> None:
    list_id = make_list(db, "edition")
    people = {make_subscriber(db, f"p{n}@example.org"): f"p{n}@example.org" for n in range(4)}
    for subscriber in people:
        subscribe(db, subscriber, list_id)
    campaign = plan_for(db, people, list_id)
    with Smtpd() as server:
        server.at("dot", say("451 4.3.0 Later"), nth=1)
        server.at("mail", say("530 5.7.0 Sign in first"), nth=2)  # releases the rest
        first = send(db, campaign, tmp_path, server.port)
    assert (first.counts.deferred, first.counts.planned) == (1, 3)
    with db.write() as connection:  # as it stands when the clock was five hours ahead
        for table, column in (("waiting", "due_at"), ("delivery", "at")):
            connection.execute(text(f"UPDATE {table} SET {column} = {column} + {HOURS}"))

    with Smtpd() as server:
        second = send(db, campaign, tmp_path, server.port, retry_after=(1,), max_wait=30)

    assert second.counts == Counts(audience=4, accepted=4)
    assert second.state is CampaignState.finished


def test_no_provider_rests_longer_than_it_may_ask_for(db: Database, tmp_path: Path) -> None:
    list_id = make_list(db, "edition")
    person = make_subscriber(db, "p@gmail.com")
    subscribe(db, person, list_id)
    campaign = plan_for(db, {person: "p@gmail.com"}, list_id, lanes=[("gmail", 1)])
    now = int(datetime.now(UTC).timestamp() * 1000)
    with db.write() as connection:
        connection.execute(text(f"UPDATE lane SET resume_at = {now + HOURS}"))

    with Smtpd() as server:
        report = send(db, campaign, tmp_path, server.port)

    assert report.counts.planned == 1
    assert report.next_due is not None
    assert report.next_due - now < 7_300_000

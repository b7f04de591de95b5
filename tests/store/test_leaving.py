"""A group of one-click posts does what each of them would have done alone."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from mailer.model.words import SubscriptionStatus
from mailer.store.database import Database
from mailer.store.leaving import Left, leave_lists
from mailer.store.subscriptions import Click, leave_list
from tests import builders
from tests.fakes import FakeClock

_EVENTS = "SELECT at, kind, actor, subscriber_id, list_id, campaign_id, detail FROM event"
_STANDING = "SELECT list_id, subscriber_id, status, since FROM subscription"
_KINDS = ("active", "pending", "unsubscribed", "bounced", "complained", None, "erased")


def _state(db: Database) -> tuple[list[str], list[str]]:
    with db.read() as connection:
        return (
            sorted(map(str, connection.execute(text(_EVENTS)))),
            sorted(map(str, connection.execute(text(_STANDING)))),
        )


def _clicks(db: Database, clock: FakeClock) -> tuple[list[Click], int]:
    """One reader of each kind, each in the mail of a campaign; the first of them twice."""
    list_id = builders.make_list(db, "harbour", title="Harbour")
    campaign = builders.make_campaign(db, list_id, pages={"en": "<p>", "fr": "<p>"})
    clicks = []
    for number, kind in enumerate(_KINDS):
        if kind == "erased":
            person = 999
        else:
            person = builders.make_subscriber(db, f"p{number}@example.org")
            if kind is not None:
                builders.subscribe(db, person, list_id, SubscriptionStatus(kind))
        clicks.append(Click(person, campaign.id, clock.now() + timedelta(seconds=number)))
    clicks.append(clicks[0])
    return clicks, list_id


def test_a_group_leaves_as_each_one_would(db: Database, clock: FakeClock) -> None:
    clicks, list_id = _clicks(db, clock)
    before = _state(db)
    with db.write() as connection:
        one_by_one = [leave_list(connection, click, list_id) for click in clicks]
    expected = _state(db)
    assert expected != before
    with db.write() as connection:
        connection.execute(text("DELETE FROM event"))
        connection.execute(text("DELETE FROM subscription"))
    for click, kind in zip(clicks, _KINDS, strict=False):
        if kind is not None and kind != "erased":
            builders.subscribe(db, click.subscriber_id, list_id, SubscriptionStatus(kind))
    assert _state(db) == ([], before[1])
    with db.write() as connection:
        together = leave_lists(connection, clicks)

    assert [left is not None and left.changed for left in together] == one_by_one
    assert _state(db) == expected
    assert together[0] == Left(True, "Harbour", "en")


def test_a_campaign_that_there_is_not_has_nobody_to_leave(db: Database, clock: FakeClock) -> None:
    clicks, _ = _clicks(db, clock)
    with db.write() as connection:
        left = leave_lists(connection, [Click(1, 999, clock.now()), clicks[0]])

    assert left == [None, Left(True, "Harbour", "en")]


def test_a_group_reads_by_keys_alone(db: Database, clock: FakeClock) -> None:
    """A walk through the whole list for every group would be the end of the speed."""
    if not db.on_sqlite:
        return
    clicks, _ = _clicks(db, clock)
    seen: list[str] = []
    with db.write() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(seen.append)
        leave_lists(connection, clicks)
        driver.set_trace_callback(None)
        for statement in seen[:3]:
            plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}")]
            assert not [
                step
                for step in plan
                if step.startswith("SCAN") and step.split()[1] in ("u", "c", "subscription", "d")
            ], plan

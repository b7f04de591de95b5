"""A reader's click moves one person's subscriptions, once, and writes down what it did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from mailer.model.words import SubscriptionStatus
from mailer.store import subscriptions
from mailer.store.database import Database
from mailer.store.subscriptions import Click, Departure
from tests import builders

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def test_leaving_says_since_when(db: Database) -> None:
    anna, harbour = builders.make_subscriber(db), builders.make_list(db)
    builders.subscribe(db, anna, harbour)
    with db.write() as connection:
        assert subscriptions.leave_list(connection, Click(anna, 7, NOW), harbour)
    with db.write() as connection:
        later = Click(anna, 7, NOW + timedelta(days=1))
        assert not subscriptions.leave_list(connection, later, harbour)

    rows = builders.dump(db)["subscription"]
    assert len(rows) == 1
    assert "2026-11-24 09:00" in rows[0] or "2026, 11, 24, 9, 0" in rows[0]
    assert builders.events(db, anna) == [("unsubscribed", "reader", harbour, "")]


def test_a_departure_remembers_what_was(db: Database) -> None:
    anna, harbour = builders.make_subscriber(db), builders.make_list(db)
    builders.subscribe(db, anna, harbour, SubscriptionStatus.pending)
    with db.write() as connection:
        subscriptions.leave_everything(connection, Click(anna, None, NOW))

    assert builders.events(db, anna) == [
        ("unsubscribed", "reader", harbour, "everything pending"),
        ("suppressed", "reader", None, "everything"),
    ]
    departure = Departure.parse("reader", "everything pending")
    assert departure == Departure("reader", True, SubscriptionStatus.pending)


def test_a_departure_by_somebody_else_is_not_the_readers_to_undo() -> None:
    assert Departure.parse("reader", "").may_be_undone
    assert not Departure.parse("operator", "").may_be_undone
    assert not Departure.parse("import", "contacts.csv").may_be_undone
    assert not Departure.parse("reader", "absent").may_be_undone


def _everything(connection: Connection, click: Click, _list_id: int) -> bool:
    return subscriptions.leave_everything(connection, click)


_STEPS: dict[str, Callable[[Connection, Click, int], bool]] = {
    "leave": subscriptions.leave_list,
    "everything": _everything,
    "undo": subscriptions.undo_departure,
    "return": subscriptions.return_to_list,
}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    start=st.lists(st.sampled_from([*SubscriptionStatus, None]), min_size=2, max_size=2),
    steps=st.lists(st.tuples(st.sampled_from(sorted(_STEPS)), st.integers(0, 1)), max_size=7),
)
def test_no_walk_of_clicks_mails_somebody_who_was_not_to_be_mailed(
    db: Database, start: list[SubscriptionStatus | None], steps: list[tuple[str, int]]
) -> None:
    """Whatever is clicked: nobody rises above where they began, and each step is idempotent."""
    number = len(builders.dump(db)["subscriber"])
    anna = builders.make_subscriber(db, f"anna{number}@example.org")
    lists = [builders.make_list(db, f"l{number}-{index}") for index in (0, 1)]
    for list_id, status in zip(lists, start, strict=True):
        if status is not None:
            builders.subscribe(db, anna, list_id, status)
    for step, index in steps:
        with db.write() as connection:
            _STEPS[step](connection, Click(anna, 1, NOW), lists[index])
        if step != "undo":  # each undo takes back one step more
            before = builders.dump(db)
            with db.write() as connection:
                assert not _STEPS[step](connection, Click(anna, 1, NOW), lists[index])
            assert builders.dump(db) == before
    for list_id, status in zip(lists, start, strict=True):
        now = builders.status_of(db, anna, list_id)
        assert now in (status, "unsubscribed")
        if status in ("bounced", "complained", "unsubscribed"):
            assert now == status

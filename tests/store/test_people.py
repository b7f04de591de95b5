"""People are found however they are typed; leaving and suppressing do no harm when done twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from mailer.errors import NotFoundError
from mailer.model.words import FieldKind, SubscriptionStatus
from mailer.store import people, subscriptions
from mailer.store.database import Database
from tests.builders import (
    events,
    make_list,
    make_subscriber,
    status_of,
    subscribe,
    suppression_hash,
)
from tests.fakes import FakeClock


def test_finds_a_person_however_typed(db: Database) -> None:
    anna = make_subscriber(db, "Anna@example.org", fields={"city": "Zürich"})

    with db.read() as connection:
        for typed in ("anna@EXAMPLE.org", " Anna@example.org ", "Anna <ANNA@example.org>"):
            found = people.find_subscriber(connection, typed)
            assert found is not None
            assert (found.id, found.fields) == (anna, {"city": "Zürich"})
        assert people.find_subscriber(connection, "bob@example.org") is None
        assert people.find_subscriber(connection, "nonsense") is None
        with pytest.raises(NotFoundError, match=r"bob@example\.org"):
            people.require_subscriber(connection, "bob@example.org")


def test_an_unknown_list_names_the_known_ones(db: Database) -> None:
    with db.read() as connection, pytest.raises(NotFoundError, match="none yet"):
        people.find_list(connection, "news")
    make_list(db, "news")
    make_list(db, "letters")

    with db.read() as connection:
        with pytest.raises(NotFoundError, match="“letters”, “news”"):
            people.find_list(connection, "News")
        assert people.find_list(connection, "news").title == "News"


def test_leaving_a_list_twice_is_leaving_it_once(db: Database, clock: FakeClock) -> None:
    news, other = make_list(db, "news"), make_list(db, "other")
    anna = make_subscriber(db)
    subscribe(db, anna, news)
    subscribe(db, anna, other)

    for changed in (True, False):
        with db.write() as connection:
            assert (
                people.unsubscribe(
                    connection,
                    list_id=news,
                    subscriber_id=anna,
                    actor="operator",
                    at=clock.now(),
                    detail="by telephone",
                )
                is changed
            )
        clock.advance(timedelta(days=1))

    assert status_of(db, anna, news) == "unsubscribed"
    assert status_of(db, anna, other) == "active"
    assert events(db, anna) == [("unsubscribed", "operator", news, "by telephone")]
    with db.read() as connection:
        joined = {each.name: each.since for each in people.joined(connection, anna)}
    assert joined["news"] == clock.now() - timedelta(days=2)


@pytest.mark.parametrize("status", [SubscriptionStatus.bounced, SubscriptionStatus.complained])
def test_who_bounced_or_complained_does_not_become_somebody_who_left(
    db: Database, clock: FakeClock, status: SubscriptionStatus
) -> None:
    news, anna = make_list(db, "news"), make_subscriber(db)
    subscribe(db, anna, news, status)

    with db.write() as connection:
        assert not people.unsubscribe(
            connection, list_id=news, subscriber_id=anna, actor="operator", at=clock.now()
        )
    assert status_of(db, anna, news) == status


def test_suppresses_known_and_unknown_addresses(db: Database, clock: FakeClock) -> None:
    anna = make_subscriber(db, "Anna@example.org")

    with db.write() as connection:
        for key in ("anna@example.org", "nobody@example.org"):
            assert people.suppress(
                connection, key, reason="complaint", actor="server", at=clock.now()
            )
            assert not people.suppress(
                connection, key, reason="operator", actor="operator", at=clock.now()
            )
        found = people.suppression_of(
            connection, suppression_hash(connection, "nobody@example.org")
        )
        assert found is not None
        assert (found.reason, found.at) == ("complaint", clock.now())
        assert people.unsuppress(connection, "anna@example.org", actor="operator", at=clock.now())
        assert not people.unsuppress(
            connection, "anna@example.org", actor="operator", at=clock.now()
        )

    assert events(db, anna) == [
        ("suppressed", "server", None, "complaint"),
        ("unsuppressed", "operator", None, ""),
    ]


def test_an_operator_may_make_a_readers_wish_final(db: Database, clock: FakeClock) -> None:
    news = make_list(db)
    anna = make_subscriber(db, "anna@example.org")
    subscribe(db, anna, news, SubscriptionStatus.active)
    click = subscriptions.Click(anna, None, clock.now())
    with db.write() as connection:
        assert subscriptions.leave_everything(connection, click)

        for changed in (True, False):  # once only: then it is the operator's
            assert changed is people.suppress(
                connection,
                "anna@example.org",
                reason="operator",
                actor="operator",
                at=clock.now(),
            )
        subscriptions.undo_departure(connection, click, news)
        found = people.suppression_of(connection, suppression_hash(connection, "anna@example.org"))

    assert found is not None
    assert found.reason == "operator"


def test_fields_and_wordings_are_declared_once(db: Database, clock: FakeClock) -> None:
    with db.write() as connection:
        people.declare_fields(connection, ["city", "age"], clock.now())
        connection.execute(text("UPDATE field SET kind = 'number' WHERE name = 'age'"))
        people.declare_fields(connection, ["age", "zip"], clock.now())
        people.declare_fields(connection, [], clock.now())
        one = people.wording(connection, "I agree.", clock.now())

        assert people.wording(connection, "I agree.", clock.now()) == one
        assert people.find_wording(connection, "I agree.") == one
        assert people.find_wording(connection, "I agree!") is None
        assert people.wording(connection, "", clock.now()) is None
        assert people.field_kinds(connection) == {
            "age": FieldKind.number,
            "city": FieldKind.text,
            "zip": FieldKind.text,
        }

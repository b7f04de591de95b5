"""Finding people: every filter narrows, the order is stable, pages add up, nothing is injected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailer.contacts.rule_time import Calendar
from mailer.errors import InputError, NotFoundError
from mailer.model.words import PersonOrder, SubscriptionStatus
from mailer.store.database import Database
from mailer.usecases.add_list import add_list
from mailer.usecases.add_segment import add_segment
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.find_subscribers import Question, count_subscribers, find_subscribers
from mailer.usecases.suppress_address import suppress_address
from mailer.usecases.tag_subscriber import tag_subscriber
from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber
from tests.builders import make_subscriber
from tests.fakes import FakeClock

CALENDAR = Calendar(datetime(2026, 11, 24, 9, tzinfo=UTC))


@pytest.fixture(autouse=True)
def crowd(db: Database, clock: FakeClock) -> None:
    """Anna, Ben (left), Cléo (a day later), and Dora on another list."""
    add_list("news", db=db, clock=clock)
    add_list("letters", db=db, clock=clock)
    people = [("dora", "letters", "Geneva"), ("anna", "news", "Geneva"), ("ben", "news", "100%")]
    for name, on, city in people:
        fields = {"city": city, "note": f"{name}_x"}
        add_subscriber(f"{name}@x.org", list_name=on, db=db, clock=clock, fields=fields)
    unsubscribe_subscriber("ben@x.org", db=db, clock=clock)
    clock.advance(timedelta(days=1))
    add_subscriber(
        "cleo@y.org", list_name="news", db=db, clock=clock, fields={"city": "Genève"}, language="fr"
    )
    suppress_address("anna@x.org", db=db, clock=clock, list_name="news", reason="wrong person")
    tag_subscriber("anna@x.org", ["VIP"], db=db, clock=clock)


def found(db: Database, **asked: Any) -> list[str]:
    question = Question(**asked)
    people = find_subscribers(db=db, question=question, calendar=CALENDAR)
    names = [each.address.split("@")[0] for each in people]
    total = count_subscribers(question, db=db, calendar=CALENDAR)
    assert total == len(names) or question.limit is not None
    return names


def test_each_filter_narrows(db: Database, clock: FakeClock) -> None:
    left = SubscriptionStatus.unsubscribed

    assert found(db) == ["dora", "anna", "ben", "cleo"]
    assert found(db, list_name="news") == ["anna", "ben", "cleo"]
    assert found(db, status=left) == ["ben"]
    assert found(db, list_name="letters", status=left) == []
    assert found(db, tag="vip") == ["anna"]
    assert found(db, fields={"city": "Geneva"}) == ["dora", "anna"]
    assert found(db, fields={"city": "Geneva"}, list_name="news") == ["anna"]
    assert found(db, fields={"city": "Geneva", "note": "anna_x"}) == ["anna"]
    assert found(db, text="GENE") == ["dora", "anna"]
    assert found(db, text="Y.ORG") == ["cleo"]
    assert found(db, text="0%") == ["ben"]
    assert found(db, text="a_x") == ["dora", "anna"]
    assert found(db, text="%") == ["ben"]
    assert found(db, since=clock.now()) == ["cleo"]
    assert found(db, since=clock.now(), list_name="news") == ["cleo"]
    assert found(db, suppressed=True, list_name="news") == ["anna"]
    assert found(db, suppressed=False, list_name="news") == ["ben", "cleo"]
    assert found(db, suppressed=True) == []


def test_finds_whom_a_segment_means(db: Database, clock: FakeClock) -> None:
    rule = 'city in ("Geneva", "Genève") and not tag("vip")'
    add_segment("lakeside", rule, db=db, calendar=CALENDAR)

    assert found(db, segment="lakeside") == ["dora", "cleo"]
    assert found(db, segment="lakeside", list_name="news") == ["cleo"]
    assert found(db, segment="lakeside", limit=1, offset=1) == ["cleo"]
    with pytest.raises(NotFoundError, match="There is no segment “lake”"):
        found(db, segment="lake")


def test_kinds_of_values(db: Database) -> None:
    odd = {"city": ["a", "b"], "note": True}
    make_subscriber(db, "odd@x.org", fields=odd)
    make_subscriber(db, "num@x.org", fields={"city": 12})

    assert found(db, fields={"city": "b"}) == ["odd"]
    assert found(db, fields={"note": "true"}) == ["odd"]
    assert found(db, fields={"city": "12"}) == ["num"]


def test_order_and_pages(db: Database) -> None:
    by_address = PersonOrder.address

    assert found(db, order=by_address) == ["anna", "ben", "cleo", "dora"]
    assert found(db, order=by_address, descending=True) == ["dora", "cleo", "ben", "anna"]
    assert found(db, order=by_address, limit=3) == ["anna", "ben", "cleo"]
    assert found(db, order=by_address, limit=3, offset=3) == ["dora"]
    assert found(db, order=PersonOrder.since, descending=True, list_name="news") == [
        "cleo",
        "ben",
        "anna",
    ]
    assert count_subscribers(Question(limit=3), db=db) == 4


def test_nothing_that_is_typed_is_sql(db: Database) -> None:
    nasty = "x' OR 1=1 --"

    assert found(db, text=nasty) == []
    assert found(db, fields={"city": nasty}) == []
    assert found(db, tag=nasty) == []
    with pytest.raises(InputError, match="There are: city, note"):
        found(db, fields={nasty: "x"})
    with pytest.raises(NotFoundError):
        found(db, list_name=nasty)

"""Whoever says yes in the very moment in which the silent are dropped stays on the list."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from mailer.message.links import Purpose, Tokens
from mailer.store import asking
from mailer.store.database import Database
from mailer.usecases.ask_again import ask_again
from mailer.usecases.drop_silent import drop_silent
from mailer.usecases.reconfirm_reader import reconfirm_reader
from tests import builders
from tests.fakes import FakeClock
from tests.sending import KEYS


@pytest.fixture
def asked(db: Database, clock: FakeClock) -> tuple[int, int, list[int]]:
    """The list, the campaign that asked, and three silent people; the day is over."""
    list_id = builders.make_list(db)
    people = [builders.make_subscriber(db, f"p{n}@example.org") for n in range(3)]
    for person in people:
        builders.subscribe(db, person, list_id)
    ask_again("harbour", until=clock.now() + timedelta(days=1), db=db, clock=clock)
    campaign = builders.make_campaign(
        db,
        list_id,
        readers=dict.fromkeys(people, "en"),
        frozen={"asks_again": True},
        planned_at=clock.now(),
    )
    with db.write() as connection:
        connection.execute(text("UPDATE delivery SET state = 'accepted'"))
    clock.advance(timedelta(days=2))
    return list_id, campaign.id, people


def standing(db: Database, list_id: int, people: list[int]) -> list[str | None]:
    return [builders.status_of(db, person, list_id) for person in people]


def test_a_yes_that_is_being_written_is_waited_for_or_passed_over(
    db: Database, clock: FakeClock, asked: tuple[int, int, list[int]]
) -> None:
    """The yes has not been committed when the drop looks."""
    list_id, campaign, people = asked
    with ThreadPoolExecutor(1) as pool:
        with db.write() as connection:
            asking.hold(connection, db.dialect, campaign, people[1])
            found = asking.standing(connection, campaign, people[1])
            assert found is not None
            asking.say_yes(connection, found, at=clock.now(), ip=None, user_agent=None)
            dropping = pool.submit(drop_silent, "harbour", db=db, clock=clock)
            threading.Event().wait(0.5)  # long enough to reach the row, or its lock
        dropped = dropping.result(10).dropped

    assert standing(db, list_id, people) == ["unsubscribed", "active", "unsubscribed"]
    assert dropped == 2


@pytest.mark.parametrize("db", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_yes_between_the_look_and_the_hold_counts(
    db: Database, clock: FakeClock, asked: tuple[int, int, list[int]]
) -> None:
    """The drop has seen silence; then the yes is committed; then the drop writes."""
    list_id, campaign, people = asked
    said: list[bool] = []

    def say_yes(*call: Any) -> None:
        if said or "SKIP LOCKED" not in call[2]:
            return
        said.append(True)
        with db.write() as connection:
            found = asking.standing(connection, campaign, people[1])
            assert found is not None
            asking.say_yes(connection, found, at=clock.now(), ip=None, user_agent=None)

    event.listen(db.engine, "after_cursor_execute", say_yes)
    done = drop_silent("harbour", db=db, clock=clock)

    assert said == [True]
    assert standing(db, list_id, people) == ["unsubscribed", "active", "unsubscribed"]
    assert done.dropped == 2


def test_readers_who_click_while_the_silent_are_dropped_are_on_the_list_in_the_end(
    db: Database, clock: FakeClock, asked: tuple[int, int, list[int]]
) -> None:
    """By the link, as they would: some before, some after, whoever comes first."""
    list_id, campaign, people = asked
    tokens = Tokens(KEYS, campaign, KEYS.key_id)
    links = [tokens.link(Purpose.reconfirm, person) for person in people[:2]]
    with ThreadPoolExecutor(3) as pool:
        dropping = pool.submit(drop_silent, "harbour", db=db, clock=clock)
        said = [
            pool.submit(reconfirm_reader, link, keys=KEYS, db=db, clock=clock) for link in links
        ]
        answers = [each.result(10).result(10) for each in said]
        dropping.result(10)

    assert answers == [True, True]
    assert standing(db, list_id, people) == ["active", "active", "unsubscribed"]

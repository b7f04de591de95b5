"""What was kept for long enough goes by its rule; a dry run says the same and changes nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.adapters.leftovers import Leftovers
from mailer.errors import InputError
from mailer.model.words import RetentionRule, SubscriptionStatus
from mailer.settings import retention
from mailer.store import clicks, evidence, people
from mailer.store.database import Database
from mailer.usecases.add_list import add_list
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.check_suppression import check_suppression
from mailer.usecases.edit_subscriber import SubscriberChanges, edit_subscriber
from mailer.usecases.find_subscribers import find_subscribers
from mailer.usecases.prune_database import prune_database
from mailer.usecases.tag_subscriber import tag_subscriber
from mailer.usecases.undo_import import undo_import
from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber
from tests.builders import dump
from tests.fakes import FakeClock
from tests.sending import plan_for
from tests.usecases.test_import_contacts import import_text

EVERYTHING = dict.fromkeys(RetentionRule, 30)


def test_each_rule_by_its_age(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    add_list("news", db=db, clock=clock)
    add_list("other", db=db, clock=clock)
    pending = SubscriptionStatus.pending
    for name, status in (("anna", None), ("ben", None), ("carl", pending), ("dora", pending)):
        add_subscriber(f"{name}@x.org", list_name="news", db=db, clock=clock, status=status)
    add_subscriber("dora@x.org", list_name="other", db=db, clock=clock)
    unsubscribe_subscriber("ben@x.org", db=db, clock=clock)
    tag_subscriber("anna@x.org", ["press"], db=db, clock=clock)
    with db.write() as connection:
        anna = people.require_subscriber(connection, "anna@x.org").id
        evidence.record_consent(
            connection, anna, 1, source="form", detail="f", at=clock.now(), ip="203.0.113.7"
        )
    campaign = plan_for(db, {anna: "anna@x.org"}, 1)
    click = clicks.Row(campaign, 1, round(clock.now().timestamp() * 1000), anna, b"hashed")
    with db.write() as connection:
        clicks.add(connection, [click])
        clicks.add(connection, [replace(click, number=0)], clicks.Log.loads)
    with db.write() as connection:
        connection.execute(text("UPDATE campaign SET state = 'finished'"))
        connection.execute(
            text("UPDATE delivery SET state = 'refused', reply = '550 no', at = :at"),
            {"at": round(clock.now().timestamp() * 1000)},
        )
    folder = tmp_path / "rejects"
    folder.mkdir()
    old = folder / "old.csv"
    old.write_text("email\nnobody\n", "utf-8")
    os.utime(old, (clock.now().timestamp(),) * 2)
    ports: Any = {"db": db, "clock": clock, "leftovers": Leftovers(folder)}

    clock.advance(timedelta(days=29))
    young = prune_database(EVERYTHING, **ports, dry_run=True)
    clock.advance(timedelta(days=2))
    add_subscriber("eve@x.org", list_name="news", db=db, clock=clock, status=pending)
    before = dump(db)
    dry = prune_database(EVERYTHING, **ports, dry_run=True)
    assert dump(db) == before
    done = prune_database(EVERYTHING, **ports)
    again = prune_database(EVERYTHING, **ports)

    counted = {each.rule.value: each.count for each in dry.rules}
    assert young.total == 0
    assert counted == {
        "rejects": 1,
        "network": 3,
        "replies": 1,
        "values": 1,
        "clicks": 2,
        "events": 1,
        "pending": 1,
        "left": 1,
    }
    assert done.rules == dry.rules
    assert (again.total, done.rewritten) == (0, True)
    assert [each.address for each in find_subscribers(db=db)] == [
        "anna@x.org",
        "dora@x.org",
        "eve@x.org",
    ]
    assert check_suppression("ben@x.org", db=db).suppressed
    assert not check_suppression("carl@x.org", db=db).suppressed
    assert not old.exists()
    after = dump(db)
    assert len(after["consent"]) == len(before["consent"]) - 2  # Ben's and Carl's
    assert "203.0.113.7" not in str(after)
    assert after["link_click"] == after["image_load"] == []


def test_an_undo_does_not_forget_an_act_whose_event_went(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    """What an import recorded goes with the events since: it can't be undone any more."""
    import_text(db, clock, "email,first_name\nanna@x.org,Anna\n", keep_columns=True)
    import_text(db, clock, "email,first_name\nanna@x.org,Ann\n", keep_columns=True)
    edit_subscriber(
        "anna@x.org", SubscriberChanges(fields={"first_name": "Annie"}), db=db, clock=clock
    )
    clock.advance(timedelta(days=31))
    import_text(db, clock, "email,first_name\nben@x.org,Ben\n", keep_columns=True)

    ages: dict[RetentionRule, int | None] = {RetentionRule.events: 30}
    ports: Any = {"db": db, "clock": clock, "leftovers": Leftovers(tmp_path)}
    dry = prune_database(ages, **ports, dry_run=True)
    done = prune_database(ages, **ports)

    assert done.rules == dry.rules
    for batch in (1, 2):
        with pytest.raises(InputError, match="not on record any more"):
            undo_import(batch, db=db, clock=clock)
    assert undo_import(3, db=db, clock=clock).undone == 1
    [anna] = find_subscribers(db=db)
    assert anna.fields == {"first_name": "Annie"}


def test_ages_are_read_over_the_defaults() -> None:
    ages = retention(["left=1095d", "network=off"])

    assert ages[RetentionRule.left] == 1095
    assert ages[RetentionRule.network] is None
    assert ages[RetentionRule.rejects] == 90
    assert RetentionRule.pending not in ages

"""An operator adds, shows, finds, unsubscribes and suppresses people by the rules of an import."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

import pytest

from mailer.errors import InputError, NotFoundError
from mailer.model.words import SubscriptionStatus
from mailer.store.database import Database
from mailer.usecases.add_list import add_list
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.archive_list import archive_list
from mailer.usecases.check_suppression import check_suppression
from mailer.usecases.find_subscribers import find_subscribers
from mailer.usecases.lift_suppression import lift_suppression
from mailer.usecases.show_subscriber import show_subscriber
from mailer.usecases.suppress_address import suppress_address
from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber
from tests.builders import dump, events
from tests.fakes import FakeClock


@pytest.fixture(autouse=True)
def lists(db: Database, clock: FakeClock) -> None:
    add_list("news", db=db, clock=clock)
    add_list("letters", db=db, clock=clock)


def test_adds_a_person_with_consent(db: Database, clock: FakeClock) -> None:
    added = add_subscriber(
        "Anna <Anna@x.org>",
        list_name="news",
        db=db,
        clock=clock,
        fields={"city": "Rome"},
        language="pt_br",
        consent="At the fair.",
    )

    assert (added.address, added.outcome, added.status) == ("Anna@x.org", "added", "active")
    shown = show_subscriber("anna@x.org", db=db)
    assert (shown.fields, shown.language) == ({"city": "Rome"}, "pt-BR")
    [proof] = shown.consents
    assert (proof.list, proof.source, proof.batch, proof.wording, proof.at) == (
        "news",
        "operator",
        None,
        "At the fair.",
        clock.now(),
    )
    assert events(db, 1) == [("subscribed", "operator", 1, "")]


def test_adding_again_changes_nothing(db: Database, clock: FakeClock) -> None:
    add_subscriber("a@x.org", list_name="news", db=db, clock=clock, fields={"city": "Rome"})
    before = dump(db)
    clock.advance(timedelta(days=1))

    again = add_subscriber("A@X.org", list_name="news", db=db, clock=clock, fields={"city": "Rome"})

    assert again.outcome == "unchanged"
    assert dump(db) == before


def test_adding_does_not_bring_back_who_left(db: Database, clock: FakeClock) -> None:
    add_subscriber("a@x.org", list_name="news", db=db, clock=clock)
    unsubscribe_subscriber("a@x.org", db=db, clock=clock)
    suppress_address("b@x.org", db=db, clock=clock)

    left = add_subscriber("a@x.org", list_name="news", db=db, clock=clock, consent="Words.")
    kept_out = add_subscriber("b@x.org", list_name="news", db=db, clock=clock)

    assert (left.outcome, left.status) == ("unchanged", "unsubscribed")
    assert (kept_out.outcome, kept_out.status) == ("suppressed", None)


def test_refuses_what_cannot_be_added(db: Database, clock: FakeClock) -> None:
    for address, fields, language in [
        ("nobody", {}, None),
        ("a@x.org", {"campaign": "x"}, None),
        ("a@x.org", {}, "Klingon"),
    ]:
        with pytest.raises(InputError):
            add_subscriber(
                address, list_name="news", db=db, clock=clock, fields=fields, language=language
            )
    with pytest.raises(NotFoundError):
        add_subscriber("a@x.org", list_name="nws", db=db, clock=clock)
    archive_list("news", db=db, clock=clock)
    with pytest.raises(InputError, match="archived"):
        add_subscriber("a@x.org", list_name="news", db=db, clock=clock)


def test_unsubscribes_from_one_list_or_all(db: Database, clock: FakeClock) -> None:
    for name in ("news", "letters"):
        add_subscriber("a@x.org", list_name=name, db=db, clock=clock)

    one = unsubscribe_subscriber("A@x.org", db=db, clock=clock, list_name="news")
    rest = unsubscribe_subscriber("a@x.org", db=db, clock=clock)

    assert (one.left, one.already) == (["news"], [])
    assert (rest.left, rest.already) == (["letters"], ["news"])
    with pytest.raises(NotFoundError):
        unsubscribe_subscriber("b@x.org", db=db, clock=clock)
    with pytest.raises(NotFoundError):
        unsubscribe_subscriber("a@x.org", db=db, clock=clock, list_name="nws")


def test_suppressions_are_told_for_anybody(db: Database, clock: FakeClock) -> None:
    assert not check_suppression("Anna@x.org", db=db).suppressed

    done = suppress_address("Anna@x.org", db=db, clock=clock, reason="complaint")
    again = suppress_address("anna@X.org", db=db, clock=clock, reason="operator")

    assert (done.changed, again.changed) == (True, False)
    found = check_suppression("ANNA@x.org", db=db)
    assert (found.suppressed, found.reason, found.since) == (True, "complaint", clock.now())
    shown = show_subscriber("anna@x.org", db=db)
    assert (shown.suppressed, list(shown.lists), shown.suppressed_because) == (
        True,
        [],
        "complaint",
    )
    assert lift_suppression("anna@x.org", db=db, clock=clock).changed
    assert not lift_suppression("anna@x.org", db=db, clock=clock).changed
    assert not check_suppression("anna@x.org", db=db).suppressed
    with pytest.raises(InputError):
        check_suppression("nobody", db=db)


def test_nobody_is_not_shown(db: Database) -> None:
    for typed in ("nobody@x.org", "no address at all"):
        with pytest.raises(NotFoundError, match="Nobody has the address"):
            show_subscriber(typed, db=db)


def test_finds_people_one_by_one(db: Database, clock: FakeClock) -> None:
    for n in range(5):
        add_subscriber(f"p{n}@x.org", list_name="news", db=db, clock=clock, fields={"n": str(n)})
    add_subscriber("p1@x.org", list_name="letters", db=db, clock=clock)
    unsubscribe_subscriber("p2@x.org", db=db, clock=clock)
    suppress_address("p3@x.org", db=db, clock=clock)
    gone = SubscriptionStatus.unsubscribed

    everybody = list(find_subscribers(db=db))
    assert [each.address for each in everybody] == [f"p{n}@x.org" for n in range(5)]
    assert [each.fields for each in everybody] == [{"n": str(n)} for n in range(5)]
    assert [each.suppressed for each in everybody] == [False, False, False, True, False]
    [one] = find_subscribers(db=db, list_name="letters")
    assert (one.address, one.status, one.since) == ("p1@x.org", "active", clock.now())
    assert [x.address for x in find_subscribers(db=db, status=gone)] == ["p2@x.org"]
    assert [x.address for x in find_subscribers(db=db, list_name="news", status=gone)] == [
        "p2@x.org"
    ]
    assert len(list(islice(find_subscribers(db=db), 2))) == 2
    with pytest.raises(NotFoundError):
        find_subscribers(db=db, list_name="nws")

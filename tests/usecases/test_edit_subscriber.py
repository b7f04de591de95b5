"""An operator's edits change what they name, leave a trace, and bring nobody back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailer.errors import InputError, NotFoundError
from mailer.model.words import TrackingAnswer
from mailer.store import evidence, people
from mailer.store.database import Database
from mailer.usecases.add_list import add_list
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.edit_subscriber import SubscriberChanges, edit_subscriber
from mailer.usecases.show_consents import show_consents
from mailer.usecases.show_history import show_history
from mailer.usecases.show_subscriber import show_subscriber
from mailer.usecases.suppress_address import suppress_address
from mailer.usecases.tag_subscriber import tag_subscriber
from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber
from mailer.usecases.untag_subscriber import untag_subscriber
from tests.builders import dump
from tests.fakes import FakeClock


@pytest.fixture(autouse=True)
def anna(db: Database, clock: FakeClock) -> None:
    add_list("news", db=db, clock=clock)
    add_list("letters", db=db, clock=clock)
    add_subscriber(
        "anna@x.org",
        list_name="news",
        db=db,
        clock=clock,
        fields={"city": "Rome", "team": "red"},
        consent="Yes please.",
    )
    clock.advance(timedelta(hours=1))


def test_fields_language_and_tracking(db: Database, clock: FakeClock) -> None:
    changes = SubscriberChanges(
        fields={"city": " Oslo ", "boat": "yes"},
        clear=["team"],
        language="fr",
        tracking=TrackingAnswer.yes,
        wording="May we count what you open?",
    )

    edited = edit_subscriber("Anna@x.org", changes, db=db, clock=clock)

    assert edited.changed == ["language", "boat", "city", "team", "tracking"]
    shown = show_subscriber("anna@x.org", db=db)
    assert (shown.fields, shown.language, shown.tracking) == (
        {"city": "Oslo", "boat": "yes"},
        "fr",
        "yes",
    )
    before = dump(db)
    assert edit_subscriber("anna@x.org", changes, db=db, clock=clock).changed == []
    assert dump(db) == before
    no = SubscriberChanges(tracking=TrackingAnswer.no)
    edit_subscriber("anna@x.org", no, db=db, clock=clock)
    consents = show_consents("anna@x.org", db=db)
    assert consents.tracking is TrackingAnswer.no
    assert [each.wording for each in consents.tracking_records] == [
        "May we count what you open?",
        None,
    ]


def test_wrong_changes_change_nothing(db: Database, clock: FakeClock) -> None:
    add_subscriber("ben@x.org", list_name="news", db=db, clock=clock)
    suppress_address("gone@x.org", db=db, clock=clock)
    before = dump(db)
    for changes in (
        SubscriberChanges(fields={"campaign": "x"}),
        SubscriberChanges(clear=["nothing"]),
        SubscriberChanges(language="Klingon"),
        SubscriberChanges(address="nobody"),
        SubscriberChanges(address="BEN@x.org"),
        SubscriberChanges(address="gone@x.org"),
    ):
        with pytest.raises(InputError):
            edit_subscriber("anna@x.org", changes, db=db, clock=clock)
    with pytest.raises(NotFoundError):
        edit_subscriber("zoe@x.org", SubscriberChanges(language="fr"), db=db, clock=clock)

    assert dump(db) == before


def test_a_new_address_brings_nobody_back(db: Database, clock: FakeClock) -> None:
    """Who left as anna@ must not come back as anna@ because somebody renamed them."""
    unsubscribe_subscriber("anna@x.org", db=db, clock=clock)
    edit_subscriber("anna@x.org", SubscriberChanges(address="anna@y.org"), db=db, clock=clock)

    again = add_subscriber("anna@x.org", list_name="news", db=db, clock=clock)
    elsewhere = add_subscriber("anna@x.org", list_name="letters", db=db, clock=clock)

    assert (again.outcome, again.status) == ("suppressed", None)
    assert elsewhere.outcome == "added"
    [joined] = show_subscriber("anna@y.org", db=db).lists
    assert joined.status == "unsubscribed"


def test_a_suppressed_person_cannot_be_renamed(db: Database, clock: FakeClock) -> None:
    suppress_address("anna@x.org", db=db, clock=clock, list_name="news", reason="complaint")

    with pytest.raises(InputError, match="is suppressed"):
        edit_subscriber("anna@x.org", SubscriberChanges(address="b@x.org"), db=db, clock=clock)
    spelled = SubscriberChanges(address="Anna@X.org")
    edit_subscriber("anna@x.org", spelled, db=db, clock=clock)
    assert show_subscriber("anna@x.org", db=db).address == "Anna@x.org"


def test_tags(db: Database, clock: FakeClock) -> None:
    done = tag_subscriber("anna@x.org", ["Press", " press ", "été"], db=db, clock=clock)
    assert (done.tags, done.changed) == (["press", "été"], ["press", "été"])
    assert tag_subscriber("anna@x.org", ["press"], db=db, clock=clock).changed == []
    assert untag_subscriber("anna@x.org", ["press", "x"], db=db, clock=clock).tags == ["été"]
    for word in ("", "a,b", "x" * 61, "a\nb"):
        with pytest.raises(InputError, match="can't be a tag"):
            tag_subscriber("anna@x.org", [word], db=db, clock=clock)


def test_history_is_in_order_and_says_who(db: Database, clock: FakeClock) -> None:
    tag_subscriber("anna@x.org", ["press"], db=db, clock=clock)
    clock.advance(timedelta(hours=1))
    unsubscribe_subscriber("anna@x.org", db=db, clock=clock)
    clock.advance(timedelta(hours=1))
    suppress_address("anna@x.org", db=db, clock=clock, reason="wrote to us")

    story = show_history("anna@x.org", db=db)

    assert [(each.kind, each.actor, each.list, each.detail) for each in story.happenings] == [
        ("subscribed", "operator", "news", ""),
        ("consent", "operator", "news", "Yes please."),
        ("tagged", "operator", None, "press"),
        ("unsubscribed", "operator", "news", ""),
        ("suppressed", "operator", None, "wrote to us"),
    ]
    times = [each.at for each in story.happenings]
    assert times == sorted(times)


def test_history_says_who_agreed_and_who_confirmed(db: Database, clock: FakeClock) -> None:
    clock.advance(timedelta(hours=1))
    with db.write() as connection:
        person = people.require_subscriber(connection, "anna@x.org").id
        for source, detail in (("operator", "olga"), ("form", "sign-up page")):
            consent = evidence.record_consent(
                connection, person, 1, source=source, detail=detail, at=clock.now()
            )
            evidence.confirm_consent(connection, consent, at=clock.now(), message_id="m@x.org")

    told = show_history("anna@x.org", db=db).happenings[2:]

    assert [(each.kind, each.actor, each.source, each.detail) for each in told] == [
        ("consent", "operator olga", "", ""),
        ("confirmed", "reader", "", "m@x.org"),
        ("consent", "reader", "sign-up page", ""),
        ("confirmed", "reader", "sign-up page", "m@x.org"),
    ]


def test_consents_name_words_and_withdrawal(db: Database, clock: FakeClock) -> None:
    left_at = clock.now()
    unsubscribe_subscriber("anna@x.org", db=db, clock=clock)

    shown = show_consents("anna@x.org", db=db)

    [news] = shown.lists
    [given] = news.consents
    assert (news.status, given.record.source, given.record.wording) == (
        "unsubscribed",
        "operator",
        "Yes please.",
    )
    assert given.withdrawn is not None
    assert (given.withdrawn.at, given.withdrawn.actor) == (left_at, "operator")
    assert shown.tracking is TrackingAnswer.unknown

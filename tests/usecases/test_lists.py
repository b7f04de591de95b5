"""Lists are added, shown, edited and archived; a name leads to one list and one slug."""

from __future__ import annotations

import pytest

from mailer.errors import InputError, NotFoundError
from mailer.model.words import SubscriptionStatus
from mailer.store.database import Database
from mailer.usecases.add_list import add_list
from mailer.usecases.archive_list import archive_list
from mailer.usecases.edit_list import edit_list
from mailer.usecases.show_lists import show_lists
from tests.builders import make_subscriber, subscribe
from tests.fakes import FakeClock


def test_adds_a_list(db: Database, clock: FakeClock) -> None:
    added = add_list("Nouvelles de Genève", db=db, clock=clock, settings={"public": False})

    assert (added.slug, added.title, added.public) == (
        "nouvelles-de-geneve",
        "Nouvelles de Genève",
        False,
    )
    [shown] = show_lists(db=db)
    assert (shown.name, shown.public, shown.archived_at) == ("Nouvelles de Genève", False, None)


def test_slugs_never_meet(db: Database, clock: FakeClock) -> None:
    names = ["News!", "news", "NEWS", "新闻", "新"]

    assert [add_list(name, db=db, clock=clock).slug for name in names] == [
        "news",
        "news-2",
        "news-3",
        "list",
        "list-2",
    ]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_refuses_names_that_cannot_be_used(db: Database, clock: FakeClock, name: str) -> None:
    with pytest.raises(InputError, match="1 to 100 printable"):
        add_list(name, db=db, clock=clock)


def test_refuses_a_name_that_is_taken(db: Database, clock: FakeClock) -> None:
    add_list("news", db=db, clock=clock)

    with pytest.raises(InputError, match="already"):
        add_list(" news ", db=db, clock=clock)


def test_shows_people_by_status(db: Database, clock: FakeClock) -> None:
    add_list("b", db=db, clock=clock)
    add_list("a", db=db, clock=clock)
    for n, status in enumerate([SubscriptionStatus.active] * 2 + [SubscriptionStatus.bounced]):
        subscribe(db, make_subscriber(db, f"p{n}@x.org"), 1, status)

    assert [shown.name for shown in show_lists(db=db)] == ["a", "b"]
    [shown] = show_lists("b", db=db)
    assert shown.people == {
        "active": 2,
        "pending": 0,
        "unsubscribed": 0,
        "bounced": 1,
        "complained": 0,
    }
    with pytest.raises(NotFoundError):
        show_lists("c", db=db)


def test_edits_a_list_and_keeps_its_slug(db: Database, clock: FakeClock) -> None:
    add_list("news", db=db, clock=clock)

    shown = edit_list(
        "news", {"title": "The News", "sender": "News <n@x.org>", "public": False}, db=db
    )

    assert (shown.title, shown.sender, shown.public, shown.slug) == (
        "The News",
        "News <n@x.org>",
        False,
        "news",
    )
    with pytest.raises(InputError, match="“slug” of a list can't be changed"):
        edit_list("news", {"slug": "x"}, db=db)
    with pytest.raises(InputError, match="needs a title"):
        edit_list("news", {"title": " "}, db=db)
    with pytest.raises(NotFoundError):
        edit_list("nws", {"title": "x"}, db=db)


def test_archives_and_takes_back(db: Database, clock: FakeClock) -> None:
    add_list("news", db=db, clock=clock)
    begun = clock.now()

    assert archive_list("news", db=db, clock=clock).archived_at == begun
    clock.time = begun.replace(year=2030)
    assert archive_list("news", db=db, clock=clock).archived_at == begun
    assert archive_list("news", db=db, clock=clock, back=True).archived_at is None


@pytest.mark.parametrize("key", ["sender", "reply_to"])
@pytest.mark.parametrize(
    "mailbox", ["bad<<x", "News <a@x.org>\r\nBcc: b@x.org", "a@", "a, b@x.org"]
)
def test_refuses_a_mailbox_that_no_mail_can_carry(
    db: Database, clock: FakeClock, key: str, mailbox: str
) -> None:
    add_list("news", db=db, clock=clock)
    option = "--from" if key == "sender" else "--reply-to"

    with pytest.raises(InputError, match=f"^{option} can't be used"):
        edit_list("news", {"title": "New", key: mailbox}, db=db)
    assert show_lists("news", db=db)[0].title == "news"

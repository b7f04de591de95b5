"""A reader moves to another address once both have said yes; until then nothing moves."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text

from mailer.adapters.inbox import Inbox
from mailer.message.links import Purpose
from mailer.model.words import SubscriptionStatus
from mailer.store.database import one
from mailer.usecases import change_address
from mailer.usecases.post_service_mail import Posted, ServiceLetter
from tests import builders
from tests.fakes import FakeClock
from tests.web.conftest import ORIGIN, Site, Story

NEW = "anna.new@example.net"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as running:
        yield running


@pytest.fixture
def writing(open_site: Callable[..., Site], inbox: Inbox) -> Site:
    """The site of a workspace that can send."""
    return open_site(
        smtp_host=inbox.host,
        smtp_port=inbox.port,
        smtp_security="none",
        mail_from="News <news@example.org>",
    )


def links(inbox: Inbox, since: int = 0) -> dict[str, str]:
    """The path in each mail, by whom it went to."""
    found = {}
    for each in inbox.messages[since:]:
        mail = email.message_from_bytes(each.data, policy=email.policy.default)
        part = mail.get_body(("plain",))
        assert part is not None
        told = re.findall(rf"{ORIGIN}(/c/[\w-]+/address)", part.get_content())
        (found[each.recipients[0]],) = set(told)
    return found


def ask(site: Site, story: Story, to: str = NEW) -> str:
    answer = site.client.post(f"{story.preferences}/address", data={"address": to})
    assert (answer.status_code, answer.headers["location"]) == (303, "?done=sent")
    page = site.client.get(f"{story.preferences}/address?done=sent").text
    assert "Please look into both mailboxes" in page
    return page


def address(site: Site, story: Story) -> str:
    with site.db.read() as connection:
        return str(one(connection, "SELECT address FROM subscriber WHERE id = :s", s=story.anna))


def answer(site: Site, path: str, word: str) -> str:
    posted = site.client.post(path, data={"action": word})
    assert posted.status_code == 303
    return str(site.client.get(path).text)


@pytest.mark.parametrize("first", ["old", "new"])
def test_both_say_yes_in_either_order(
    writing: Site, story: Story, inbox: Inbox, first: str
) -> None:
    page = writing.client.get(f"{story.preferences}/address").text
    assert "a…@e….org" in page
    assert "anna@" not in page
    ask(writing, story)
    found = links(inbox)
    assert set(found) == {"anna@example.org", NEW}
    mails = [each.data for each in inbox.messages]
    assert NEW.encode() not in mails[0]  # neither tells the other
    assert b"anna@example.org" not in mails[1]
    sides = [found["anna@example.org"], found[NEW]]
    if first == "new":
        sides.reverse()
    before = builders.dump(writing.db)
    for path in sides:
        assert "Is that right?" in writing.client.get(path).text
        assert writing.client.head(path).status_code == 200
        assert writing.client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 400
    assert builders.dump(writing.db) == before  # only a button acts

    assert "The other address has to say yes" in answer(writing, sides[0], "yes")
    answer(writing, sides[0], "yes")  # once more does not count for the other
    assert address(writing, story) == "anna@example.org"
    assert "The address is changed" in answer(writing, sides[1], "yes")
    assert address(writing, story) == NEW
    assert "The address is changed" in answer(writing, sides[0], "no")  # too late
    assert address(writing, story) == NEW
    assert builders.events(writing.db, story.anna) == [("changed", "reader", None, "address")]
    assert builders.status_of(writing.db, story.anna, story.list_id) == "active"


@pytest.mark.parametrize("who", ["anna@example.org", NEW])
def test_either_can_stop_it(writing: Site, story: Story, inbox: Inbox, who: str) -> None:
    ask(writing, story)
    found = links(inbox)
    answer(writing, found["anna@example.org"], "yes")
    assert "Everything stays as it was" in answer(writing, found[who], "no")
    for path in found.values():
        assert "Nothing was changed" in answer(writing, path, "yes")

    assert address(writing, story) == "anna@example.org"


def test_its_time_is_three_days(
    writing: Site, story: Story, inbox: Inbox, clock: FakeClock
) -> None:
    ask(writing, story)
    clock.advance(timedelta(days=3, hours=1))
    for path in links(inbox).values():
        assert writing.client.get(path).status_code == 404
        assert writing.client.post(path, data={"action": "yes"}).status_code == 404

    assert address(writing, story) == "anna@example.org"


def test_an_address_of_somebody_else_is_not_taken_and_not_told(
    writing: Site, story: Story, inbox: Inbox
) -> None:
    known = builders.make_subscriber(writing.db, "bruno@example.org")
    told = ask(writing, story, "bruno@example.org")
    found = links(inbox)
    for path in found.values():
        answer(writing, path, "yes")

    assert told == ask(writing, story, "nobody@example.org")
    assert "can not be used" in writing.client.get(found["bruno@example.org"]).text
    assert address(writing, story) == "anna@example.org"
    with writing.db.read() as connection:
        statement = "SELECT address FROM subscriber WHERE id = :s"
        assert one(connection, statement, s=known) == "bruno@example.org"


def test_a_suppressed_address_is_never_written_to(
    writing: Site, story: Story, inbox: Inbox
) -> None:
    builders.suppress(writing.db, NEW)
    ask(writing, story)
    assert set(links(inbox)) == {"anna@example.org"}
    builders.suppress(writing.db, "anna@example.org")
    ask(writing, story, "third@example.org")
    assert len(inbox.messages) == 1


def test_a_list_that_was_left_stays_closed_to_the_old_address(
    writing: Site, story: Story, inbox: Inbox
) -> None:
    other = builders.make_list(writing.db, "tides")
    builders.subscribe(writing.db, story.anna, other, SubscriptionStatus.unsubscribed)
    ask(writing, story)
    for path in links(inbox).values():
        answer(writing, path, "yes")

    assert address(writing, story) == NEW
    assert len(builders.dump(writing.db)["list_suppression"]) == 1


def test_nobody_is_bombed(writing: Site, story: Story, inbox: Inbox, clock: FakeClock) -> None:
    ask(writing, story)
    ask(writing, story)  # the same address again
    assert len(inbox.messages) == 2
    for number in range(5):
        ask(writing, story, f"other{number}@example.net")
    assert len(inbox.messages) == 6  # three asks a day
    clock.advance(timedelta(days=1))
    ask(writing, story)
    assert len(inbox.messages) == 8


def test_what_is_no_address_is_told(writing: Site, story: Story, inbox: Inbox) -> None:
    before = builders.dump(writing.db)
    for wrong in (
        "",
        "anna",
        "a@b@c",
        "x@example.org\r\nBcc: y@example.org",
        "ANNA@example.org",
        "\N{BUG}@example.org",
    ):
        refused = writing.client.post(f"{story.preferences}/address", data={"address": wrong})
        assert refused.status_code == 422
        assert "Please look at this again" in refused.text

    assert builders.dump(writing.db) == before
    assert inbox.messages == []


def test_a_server_that_takes_nothing_leaves_nothing_behind(
    open_site: Callable[..., Site], story: Story
) -> None:
    dead = open_site(
        smtp_host="127.0.0.1", smtp_port=9, smtp_security="none", mail_from="news@example.org"
    )
    failed = dead.client.post(f"{story.preferences}/address", data={"address": NEW})

    assert failed.status_code == 503
    assert builders.dump(dead.db)["address_change"] == []


def test_a_change_that_one_address_alone_heard_of_counts_for_the_day(
    writing: Site, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or whoever owns a mailbox that refuses could have anybody written to, again and again."""
    wrote: list[str] = []

    async def half(letters: Sequence[ServiceLetter], **_: object) -> list[Posted]:
        wrote.extend(each.to for each in letters)
        return [Posted(False, True, "550 no such user"), Posted(True, False, "250 ok")]

    monkeypatch.setattr(change_address, "post_service_mail", half)
    answers = [
        writing.client.post(f"{story.preferences}/address", data={"address": NEW}) for _ in range(3)
    ]

    assert [each.status_code for each in answers] == [503, 303, 303]
    assert wrote == ["anna@example.org", NEW]
    ((row),) = builders.dump(writing.db)["address_change"]
    assert "stopped" in str(row)


def test_a_site_that_can_not_send_does_not_offer_it(site: Site, story: Story) -> None:
    assert "Change my address" not in site.client.get(f"{story.preferences}/details").text
    assert site.client.get(f"{story.preferences}/address").status_code == 404


def test_no_other_token_answers(writing: Site, story: Story, inbox: Inbox) -> None:
    ask(writing, story)
    found = links(inbox)
    tokens = [path.split("/")[2] for path in found.values()]
    before = builders.dump(writing.db)
    wrong = [token[:-1] for token in tokens] + [token.swapcase() for token in tokens]
    wrong += [
        writing.token(purpose, 1, story.anna)
        for purpose in (Purpose.unsubscribe, Purpose.preferences, Purpose.reconfirm)
    ]
    for token in wrong:
        assert writing.client.get(f"/c/{token}/address").status_code == 404
        posted = writing.client.post(f"/c/{token}/address", data={"action": "yes"})
        assert posted.status_code == 404
    for token in tokens:  # and theirs do nothing else
        for path in (f"/c/{token}", f"/u/{token}", f"/p/{token}", f"/p/{token}/details"):
            assert writing.client.get(path).status_code == 404
            assert writing.client.post(path, data={"action": "yes"}).status_code in (400, 404)

    assert builders.dump(writing.db) == before


def test_erasing_the_person_ends_it(writing: Site, story: Story, inbox: Inbox) -> None:
    ask(writing, story)
    erase = {"action": "erase", "address": "anna@example.org"}
    writing.client.post(f"{story.preferences}/erase", data=erase)

    assert builders.dump(writing.db)["address_change"] == []
    for path in links(inbox).values():
        assert writing.client.get(path).status_code == 404
    with writing.db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM subscriber")).scalar() == 0

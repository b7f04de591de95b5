"""Somebody signs up: the address is asked, and only its yes puts them on the list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from mailer.adapters.inbox import Inbox
from mailer.message.links import Purpose
from mailer.model.words import CampaignState, SubscriptionStatus
from mailer.store import people
from mailer.store.database import one
from mailer.store.suppressions import suppress_on_list
from mailer.usecases.show_subscriber import show_subscriber
from mailer.web.catalogue import load_catalogue
from tests import builders
from tests.fakes import FakeClock
from tests.web.conftest import ORIGIN, Site
from tests.web.signing_up import A_WHILE, deliver, hidden, link, mail, sign_up, words

NEW = "dora@example.net"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as running:
        yield running


@pytest.fixture
def harbour(open_site: Callable[..., Site], inbox: Inbox) -> Site:
    """A site that can write, with a list of double opt-in."""
    site = open_site(
        smtp_host=inbox.host,
        smtp_port=inbox.port,
        smtp_security="none",
        mail_from="News <news@example.org>",
    )
    builders.make_list(site.db, "harbour", title="Harbour News", opt_in="double")
    return site


def stands(site: Site, address: str = NEW, name: str = "harbour") -> str | None:
    with site.db.read() as connection:
        found = connection.execute(
            text(
                "SELECT u.status FROM subscription u JOIN subscriber p ON p.id = u.subscriber_id"
                " JOIN list l ON l.id = u.list_id WHERE p.address = :a AND l.name = :l"
            ),
            {"a": address, "l": name},
        ).scalar()
    return None if found is None else str(found)


def test_from_the_form_to_the_welcome(harbour: Site, inbox: Inbox, clock: FakeClock) -> None:
    with harbour.db.write() as connection:
        people.update_list(connection, 1, {"welcome": True})
    said = sign_up(harbour, f" {NEW} ", clock)
    assert (said.status_code, said.headers["location"]) == (303, "?done=taken&lang=en")
    assert "Please look into your mailbox" in harbour.client.get("/s/harbour?done=taken").text
    assert stands(harbour) == "pending"
    assert inbox.messages == []  # no page waits for a mail server
    assert deliver(harbour).accepted == 1
    asking = mail(inbox)
    assert asking["Subject"] == "Please confirm that you want “Harbour News”"
    path = link(asking)
    assert "7 days" in words(asking)

    before = builders.dump(harbour.db)
    for _ in range(3):
        assert "Do you want" in harbour.client.get(path).text
        assert harbour.client.head(path).status_code == 200
    one_click = harbour.client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert one_click.status_code == 400
    assert builders.dump(harbour.db) == before  # only the button acts

    clock.advance(timedelta(hours=2))
    assert harbour.client.post(path, data={"action": "yes"}).status_code == 303
    assert stands(harbour) == "active"
    done = harbour.client.get(path).text
    assert "You are on the list" in done
    preferences = re.findall(r'href="\.\.(/p/[\w-]+)"', done)[0]
    assert "You get this list" in harbour.client.get(preferences).text
    after = builders.dump(harbour.db)
    harbour.client.post(path, data={"action": "yes"})
    assert builders.dump(harbour.db) == after  # twice changes nothing

    assert deliver(harbour).accepted == 1
    welcome = mail(inbox)
    assert welcome["Subject"] == "You are on the list “Harbour News”"
    assert "You get this list" in harbour.client.get(link(welcome, "p")).text
    assert deliver(harbour).total == 0
    assert len(inbox.messages) == 2


def test_the_evidence_says_which_form_words_time_place_and_mail(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    headers = {"user-agent": "Firefox"}
    sign_up(harbour, NEW, clock, path="/s/harbour?lang=fr", headers=headers)
    asked = clock.now()
    deliver(harbour)
    message = mail(inbox)
    clock.advance(timedelta(days=1))
    harbour.client.post(link(message), data={"action": "yes"})
    with harbour.db.read() as connection:
        person = people.require_subscriber(connection, NEW)
        row = connection.execute(
            text(
                "SELECT c.source, c.detail, c.ip, c.user_agent, c.confirmation_id, w.text"
                " FROM consent c JOIN wording w ON w.id = c.wording_id"
            )
        ).one()
    consent = show_subscriber(NEW, db=harbour.db).consents[0]

    assert tuple(row) == (
        "form",
        "sign-up page",
        "testclient",
        "Firefox",
        str(message["Message-ID"]).strip("<>"),
        "Oui, je souhaite recevoir Harbour News. Je sais que je peux me désinscrire à tout moment.",
    )
    assert consent.at == asked
    assert person.language == "fr"
    assert "Confirmez votre inscription" in str(message["Subject"])
    assert builders.events(harbour.db, person.id) == [
        ("pending", "reader", 1, "sign-up page"),
        ("asked to confirm", "reader", 1, "sign-up page"),
        ("subscribed", "reader", 1, "confirmed"),
    ]


def test_the_lists_own_words_are_shown_and_kept(harbour: Site, clock: FakeClock) -> None:
    with harbour.db.write() as connection:
        people.update_list(connection, 1, {"wording": "Send me <b> every tide & time."})
    assert "Send me &lt;b&gt; every tide &amp; time." in harbour.client.get("/s/harbour").text
    page = harbour.client.get("/s/harbour").text
    clock.advance(A_WHILE)
    with harbour.db.write() as connection:
        people.update_list(connection, 1, {"wording": "Other words."})
    data = {**hidden(page), "address": NEW}
    stale = harbour.client.post("/s/harbour", data=data)

    assert stale.status_code == 422  # nobody agrees to what they did not see
    assert "Other words." in stale.text
    assert stands(harbour) is None


@pytest.mark.parametrize("status", ["active", "pending", "unsubscribed", "bounced", "complained"])
def test_nobody_learns_who_is_known_and_nobody_moves_unasked(
    harbour: Site, inbox: Inbox, clock: FakeClock, status: str
) -> None:
    person = builders.make_subscriber(harbour.db, NEW)
    builders.subscribe(harbour.db, person, 1, SubscriptionStatus(status))
    known = sign_up(harbour, "DORA@example.net", clock)
    unknown = sign_up(harbour, "nobody@example.net", clock)
    assert (known.status_code, dict(known.headers)) == (303, dict(unknown.headers))
    assert stands(harbour) == status

    deliver(harbour)
    asked = {each.recipients[0] for each in inbox.messages}
    assert (NEW in asked) is (status in ("pending", "unsubscribed"))
    assert "nobody@example.net" in asked
    if NEW in asked:
        path = next(link(mail(inbox, n)) for n, each in enumerate(inbox.messages)
                    if each.recipients[0] == NEW)  # fmt: skip
        harbour.client.post(path, data={"action": "yes"})
        assert stands(harbour) == "active"


@pytest.mark.parametrize("reason", ["complaint", "bounce", "erased", "reader", "on the list"])
def test_a_suppressed_address_hears_nothing_but_for_ones_own_wish(
    harbour: Site, inbox: Inbox, clock: FakeClock, reason: str
) -> None:
    if reason == "on the list":
        with harbour.db.write() as connection:
            suppress_on_list(connection, NEW, 1, reason="asked", actor="operator", at=clock.now())
    else:
        builders.suppress(harbour.db, NEW, reason=reason)
    said = sign_up(harbour, NEW, clock)
    assert (said.status_code, said.headers["location"]) == (303, "?done=taken&lang=en")
    deliver(harbour)
    if reason != "reader":
        assert inbox.messages == []
        assert stands(harbour) is None
        return
    harbour.client.post(link(mail(inbox)), data={"action": "yes"})
    assert stands(harbour) == "active"
    assert builders.dump(harbour.db)["suppression"] == []


def test_who_complained_meanwhile_is_not_brought_back(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    sign_up(harbour, NEW, clock)
    deliver(harbour)
    builders.suppress(harbour.db, NEW, reason="complaint")
    path = link(mail(inbox))
    harbour.client.post(path, data={"action": "yes"})

    assert stands(harbour) == "pending"
    assert "You do not get this mail" in harbour.client.get(path).text


def test_an_old_yes_brings_nobody_back_who_left_since(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    sign_up(harbour, NEW, clock)
    deliver(harbour)
    path = link(mail(inbox))
    harbour.client.post(path, data={"action": "yes"})
    token = re.findall(r'href="\.\.(/p/[\w-]+)"', harbour.client.get(path).text)[0]
    harbour.client.post(token, data={"action": "leave", "list": "harbour"})
    assert stands(harbour) == "unsubscribed"
    harbour.client.post(path, data={"action": "yes"})

    assert stands(harbour) == "unsubscribed"
    assert "Sign up for" in harbour.client.get(path).text


def test_the_link_ends_after_seven_days(harbour: Site, inbox: Inbox, clock: FakeClock) -> None:
    sign_up(harbour, NEW, clock)
    deliver(harbour)
    path = link(mail(inbox))
    clock.advance(timedelta(days=7, hours=1))
    late = harbour.client.get(path)

    assert late.status_code == 410
    assert "This link is too old" in late.text
    assert '"../s/harbour"' in late.text
    assert harbour.client.post(path, data={"action": "yes"}).status_code == 404
    assert stands(harbour) == "pending"


def test_a_list_of_single_opt_in_takes_newcomers_at_once_and_asks_who_left(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    tides = builders.make_list(harbour.db, "tides", title="Tides", welcome=True)
    left = builders.make_subscriber(harbour.db, "left@example.org")
    builders.subscribe(harbour.db, left, tides, SubscriptionStatus.unsubscribed)
    said = {sign_up(harbour, each, clock, path="/s/tides").headers["location"]
            for each in (NEW, "left@example.org")}  # fmt: skip
    assert said == {"?done=taken&lang=en"}
    assert stands(harbour, NEW, "tides") == "active"
    assert stands(harbour, "left@example.org", "tides") == "unsubscribed"
    deliver(harbour)

    told = {each.recipients[0]: mail(inbox, n)["Subject"] for n, each in enumerate(inbox.messages)}
    assert told == {
        NEW: "You are on the list “Tides”",
        "left@example.org": "Please confirm that you want “Tides”",
    }


def test_private_archived_and_unknown_lists_have_no_page(
    harbour: Site, open_site: Callable[..., Site], clock: FakeClock
) -> None:
    builders.make_list(harbour.db, "staff", public=False)
    builders.make_list(harbour.db, "old", archived_at=clock.now())
    mute = open_site()  # can't write: nobody could be asked
    for site, name in ((harbour, "staff"), (harbour, "old"), (harbour, "none"), (mute, "harbour")):
        for path in (f"/s/{name}", f"/s/{name}/json"):
            assert site.client.get(path).status_code == 404
        assert site.client.post(f"/s/{name}", data={"address": NEW}).status_code == 404


@pytest.mark.parametrize("code", sorted(load_catalogue().languages))
def test_the_page_speaks_every_language(harbour: Site, code: str) -> None:
    page = harbour.client.get(f"/s/harbour?lang={code}").text
    sentences = load_catalogue().languages[code]

    assert f'lang="{code}" dir="{sentences.direction}"' in page
    assert sentences.plain("sign_up.label") in page
    assert "<script" not in page
    assert page.count("<form") == page.count('<form method="post"') == 1


def test_the_archive_of_a_list_leads_to_its_sign_up(
    harbour: Site, open_site: Callable[..., Site]
) -> None:
    anna = builders.make_subscriber(harbour.db)
    finished = CampaignState.finished
    builders.make_campaign(harbour.db, 1, readers={anna: "en"}, state=finished)
    page = harbour.client.get("/archive/harbour").text
    assert f'<a href="{ORIGIN}/s/harbour">' in page
    assert (
        "/s/harbour" not in open_site().client.get("/archive/harbour").text
    )  # nobody could sign up


def test_a_form_on_another_site_leads_to_one_more_step(harbour: Site, clock: FakeClock) -> None:
    before = builders.dump(harbour.db)
    headers = {"Origin": "https://www.elsewhere.example"}
    step = harbour.client.post("/s/harbour", data={"address": NEW}, headers=headers)
    assert step.status_code == 200
    assert "One more step" in step.text
    assert f'value="{NEW}"' in step.text
    assert builders.dump(harbour.db) == before
    data = {**hidden(step.text), "address": NEW}
    assert harbour.client.post("/s/harbour", data=data).status_code == 303  # at once

    assert stands(harbour) == "pending"


def test_the_mail_holds_nothing_that_was_typed(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    sign_up(harbour, NEW, clock, name="Buy pills", first_name="http://evil.example")
    deliver(harbour)
    data = inbox.messages[0].data.decode()

    assert "pills" not in data
    assert "evil" not in data
    assert data.count(f"{ORIGIN}/c/") >= 1


def test_erasing_the_person_takes_the_waiting_mail_along(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    sign_up(harbour, NEW, clock)
    deliver(harbour)
    path = link(mail(inbox))
    harbour.client.post(path, data={"action": "yes"})
    details = re.findall(r'href="\.\.(/p/[\w-]+)"', harbour.client.get(path).text)[0]
    harbour.client.post(f"{details}/erase", data={"action": "erase", "address": NEW})
    dump = builders.dump(harbour.db)

    assert dump["sign_up"] == dump["outbox"] == dump["subscriber"] == []
    assert "We do not know you any more" in harbour.client.get(path).text


@pytest.mark.parametrize("typed", ["\N{BUG}@example.org", "=?utf-8?q?dora?=@example.net"])
def test_an_address_that_leads_a_mail_astray_is_told_to_its_visitor(
    harbour: Site, clock: FakeClock, typed: str
) -> None:
    assert sign_up(harbour, typed, clock).status_code == 422
    assert stands(harbour, typed) is None


def asked(harbour: Site, inbox: Inbox, clock: FakeClock) -> str:
    """Signs up, and returns the way to the button in the mail."""
    sign_up(harbour, NEW, clock)
    assert deliver(harbour).accepted == 1
    return link(mail(inbox))


def leave_everything(harbour: Site) -> None:
    with harbour.db.read() as connection:
        person = one(connection, "SELECT id FROM subscriber WHERE address = :a", a=NEW)
    page = f"/p/{harbour.token(Purpose.preferences, 0, person)}"
    assert harbour.client.post(page, data={"action": "everything"}).status_code == 303


def test_a_second_link_that_was_not_used_brings_nobody_back(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    first = asked(harbour, inbox, clock)
    clock.advance(timedelta(days=1, minutes=1))
    second = asked(harbour, inbox, clock)
    harbour.client.post(first, data={"action": "yes"})
    clock.advance(timedelta(hours=1))
    leave_everything(harbour)
    harbour.client.post(second, data={"action": "yes"})

    assert stands(harbour) == "unsubscribed"
    assert "You do not get this mail" in harbour.client.get(second).text


def test_who_left_before_the_yes_stays_away_until_they_sign_up_again(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    path = asked(harbour, inbox, clock)
    clock.advance(timedelta(hours=1))
    leave_everything(harbour)
    harbour.client.post(path, data={"action": "yes"})
    assert stands(harbour) == "unsubscribed"
    assert len(builders.dump(harbour.db)["suppression"]) == 1

    clock.advance(timedelta(days=1))
    harbour.client.post(asked(harbour, inbox, clock), data={"action": "yes"})
    assert stands(harbour) == "active"
    assert builders.dump(harbour.db)["suppression"] == []


def test_a_mail_that_waits_is_not_sent_to_who_left_meanwhile(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    sign_up(harbour, NEW, clock)
    clock.advance(timedelta(minutes=1))
    leave_everything(harbour)

    assert deliver(harbour).dropped == 1
    assert inbox.messages == []


def test_a_page_of_a_list_that_no_database_can_name_is_not_there(harbour: Site) -> None:
    assert harbour.client.get("/s/%00").status_code == 404


def test_a_link_does_not_say_yes_for_who_got_its_numbers_after_a_restore(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    path = asked(harbour, inbox, clock)
    with harbour.db.read() as connection:
        person = one(connection, "SELECT id FROM subscriber WHERE address = :a", a=NEW)
    with harbour.db.write() as connection:  # what a restored backup does to those who came later
        for table in ("sign_up", "subscription", "subscriber"):
            connection.execute(text(f"DELETE FROM {table}"))
    clock.advance(timedelta(hours=2))
    other = "erik@example.net"
    sign_up(harbour, other, clock)
    with harbour.db.write() as connection:
        for table, column in (("sign_up", "subscriber_id"), ("subscription", "subscriber_id")):
            connection.execute(text(f"UPDATE {table} SET {column} = :p"), {"p": person})
        connection.execute(text("UPDATE subscriber SET id = :p"), {"p": person})
        connection.execute(text("UPDATE sign_up SET id = 1"))

    assert "Do you want" not in harbour.client.get(path).text
    harbour.client.post(path, data={"action": "yes"})
    assert stands(harbour, other) == "pending"

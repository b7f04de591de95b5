"""A list asks again: looking says nothing, a button says yes, and silence is a no after its day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from mailer.errors import InputError
from mailer.message.links import Purpose
from mailer.model.words import SubscriptionStatus
from mailer.store.database import Database
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.ask_again import ask_again, show_asking
from mailer.usecases.drop_silent import drop_silent
from mailer.usecases.show_consents import show_consents
from mailer.usecases.suppress_address import suppress_address
from tests import builders
from tests.fakes import FakeClock
from tests.web.conftest import Site, Story


@pytest.fixture
def links(site: Site, story: Story, clock: FakeClock) -> dict[str, str]:
    """Five people were asked yesterday; Zoe was not: she is on the list since."""
    ask_again("harbour", until=clock.now() + timedelta(days=30), db=site.db, clock=clock)
    ids = {"anna": story.anna}
    for name in ("ben", "carl", "dora", "eve"):
        ids[name] = builders.make_subscriber(site.db, f"{name}@example.org")
        builders.subscribe(site.db, ids[name], story.list_id)
    campaign = builders.make_campaign(
        site.db,
        story.list_id,
        "still-there",
        readers=dict.fromkeys(ids.values(), "en"),
        frozen={"asks_again": True},
        planned_at=clock.now(),
    )
    with site.db.write() as connection:
        connection.execute(text("UPDATE delivery SET state = 'accepted'"))
    clock.advance(timedelta(days=1))
    add_subscriber("zoe@example.org", list_name="harbour", db=site.db, clock=clock)
    return {
        name: f"/c/{site.token(Purpose.reconfirm, campaign.id, person)}"
        for name, person in ids.items()
    }


def yes(site: Site, path: str) -> int:
    answer = site.client.post(path, data={"action": "yes"}, headers={"User-Agent": "Seal/1"})
    return int(answer.status_code)


def status(db: Database, name: str, list_id: int) -> str | None:
    with db.read() as connection:
        person = connection.execute(
            text("SELECT id FROM subscriber WHERE address = :a"), {"a": f"{name}@example.org"}
        ).scalar_one()
    return builders.status_of(db, person, list_id)


def test_looking_says_nothing(site: Site, links: dict[str, str]) -> None:
    before = builders.dump(site.db)
    for method in ("GET", "HEAD"):
        for query in ("", "?done=yes", "?action=yes", "?lang=fr"):
            assert site.client.request(method, links["anna"] + query).status_code == 200
    # What mail programs post by themselves is no yes, and neither is another purpose's token.
    one_click = site.client.post(links["anna"], data={"List-Unsubscribe": "One-Click"})
    assert one_click.status_code == 400
    assert site.client.get(links["anna"].replace("/c/", "/u/")).status_code == 404
    assert "Do you still want" in site.client.get(links["anna"]).text
    assert "toujours" in site.client.get(links["anna"] + "?lang=fr").text

    assert builders.dump(site.db) == before


def test_a_yes_is_a_consent(site: Site, links: dict[str, str], clock: FakeClock) -> None:
    assert yes(site, links["anna"]) == 303
    before = builders.dump(site.db)
    assert yes(site, links["anna"]) == 303

    assert builders.dump(site.db) == before
    assert "Thank you" in site.client.get(links["anna"]).text
    [harbour] = show_consents("anna@example.org", db=site.db).lists
    record = harbour.consents[-1].record
    assert (record.source, record.detail, record.at) == (
        "reconfirmed",
        "campaign still-there",
        clock.now(),
    )
    assert (record.ip, record.user_agent) == ("testclient", "Seal/1")


def test_silence_is_a_no_after_the_day(
    site: Site, story: Story, links: dict[str, str], clock: FakeClock
) -> None:
    """Anna says yes, Ben is silent, Carl leaves, Dora is suppressed, Eve says yes too late."""
    yes(site, links["anna"])
    with site.db.write() as connection:
        connection.execute(
            text(
                "UPDATE subscription SET status = 'unsubscribed' WHERE subscriber_id ="
                " (SELECT id FROM subscriber WHERE address = 'carl@example.org')"
            )
        )
    with pytest.raises(InputError, match="may answer until"):
        drop_silent("harbour", db=site.db, clock=clock)
    dry = drop_silent("harbour", db=site.db, clock=clock, dry_run=True)
    clock.advance(timedelta(days=31))

    done = drop_silent("harbour", db=site.db, clock=clock)
    again = drop_silent("harbour", db=site.db, clock=clock)

    assert (dry.dropped, dry.reconfirmed, dry.not_asked) == (3, 1, 1)
    assert (done.dropped, again.dropped) == (3, 0)
    standing = {
        name: status(site.db, name, story.list_id)
        for name in ("anna", "ben", "carl", "dora", "eve", "zoe")
    }
    assert standing == {
        "anna": "active",
        "ben": "unsubscribed",
        "carl": "unsubscribed",
        "dora": "unsubscribed",
        "eve": "unsubscribed",
        "zoe": "active",
    }
    suppress_address("dora@example.org", db=site.db, clock=clock, reason="complaint")
    for name in ("carl", "dora", "eve"):
        assert yes(site, links[name]) == 303
    assert status(site.db, "carl", story.list_id) == "unsubscribed"  # left by themselves
    assert status(site.db, "dora", story.list_id) == "unsubscribed"  # suppressed since
    assert status(site.db, "eve", story.list_id) == "active"  # late, but a yes
    assert "still say yes" in site.client.get(links["ben"]).text
    assert "You do not get" in site.client.get(links["carl"]).text


def test_nobody_is_dropped_who_was_not_asked(site: Site, story: Story, clock: FakeClock) -> None:
    """A campaign without the link asks nobody, and a list that does not ask drops nobody."""
    with pytest.raises(InputError, match="not asked again"):
        drop_silent("harbour", db=site.db, clock=clock)
    with pytest.raises(InputError, match="passed"):
        ask_again("harbour", until=clock.now(), db=site.db, clock=clock)
    ask_again("harbour", until=clock.now() + timedelta(days=1), db=site.db, clock=clock)
    builders.make_campaign(site.db, story.list_id, "plain", planned_at=clock.now())
    clock.advance(timedelta(days=2))

    with pytest.raises(InputError, match="No campaign has asked"):
        drop_silent("harbour", db=site.db, clock=clock)

    assert show_asking("harbour", db=site.db).not_asked == 1
    stopped = ask_again("harbour", until=None, stop=True, db=site.db, clock=clock)
    assert stopped.asked_at is None
    assert SubscriptionStatus.active == builders.status_of(site.db, story.anna, story.list_id)

"""A reader sees their lists, leaves them, and comes back to those that they left themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailer.message.links import Purpose, make
from mailer.model.words import SubscriptionStatus
from tests import builders
from tests.web.conftest import Site, Story


def test_the_page_lists_what_the_reader_gets_and_left(site: Site, story: Story) -> None:
    for name, status in (("tides", "pending"), ("boats", "unsubscribed"), ("ropes", "bounced")):
        list_id = builders.make_list(site.db, name, description=f"All about {name}")
        builders.subscribe(site.db, story.anna, list_id, SubscriptionStatus(status))
    builders.make_list(site.db, "strangers")

    page = site.client.get(story.preferences).text

    assert "a…@e….org" in page
    assert "anna" not in page
    assert "Unsubscribe from Harbour News" in page
    assert "Unsubscribe from Tides" in page
    assert "Waits for your confirmation" in page
    assert "All about boats" in page
    assert page.count("You do not get this list") == 2  # somebody else took them off
    assert "rejoin" not in page
    assert "Strangers" not in page


def test_a_private_list_shows_itself_only_to_who_gets_it_or_left_it(
    site: Site, story: Story
) -> None:
    for name, status in (("board", "active"), ("jury", "unsubscribed")):
        list_id = builders.make_list(site.db, name, public=False)
        builders.subscribe(site.db, story.anna, list_id, SubscriptionStatus(status))

    page = site.client.get(story.preferences).text
    assert "Board" in page
    assert "Jury" not in page
    site.client.post(story.preferences, data={"action": "leave", "list": "board"})
    assert "Subscribe again to Board" in site.client.get(story.preferences).text


def test_an_archived_list_is_not_offered_again(site: Site, story: Story) -> None:
    old = builders.make_list(site.db, "old", archived_at=builders.THEN)
    builders.subscribe(site.db, story.anna, old)
    assert "Unsubscribe from Old" in site.client.get(story.preferences).text
    site.client.post(story.preferences, data={"action": "leave", "list": "old"})

    assert "Old" not in site.client.get(story.preferences).text


def test_leaving_and_coming_back(site: Site, story: Story) -> None:
    left = site.client.post(story.preferences, data={"action": "leave", "list": "harbour"})

    assert (left.status_code, left.headers["location"]) == (303, "?done=leave&list=harbour")
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"
    page = site.client.get(story.preferences + left.headers["location"]).text
    assert "Done: we will not send <bdi>Harbour News</bdi> to you any more." in page
    back = site.client.post(story.preferences, data={"action": "rejoin", "list": "harbour"})
    assert builders.status_of(site.db, story.anna, story.list_id) == "active"
    page = site.client.get(story.preferences + back.headers["location"]).text
    assert "Done: you get <bdi>Harbour News</bdi> again." in page
    consents = builders.dump(site.db)["consent"]
    assert len(consents) == 1
    assert "'form', 'preferences page'" in consents[0]


def test_everything_can_be_left_and_one_list_rejoined(site: Site, story: Story) -> None:
    tides = builders.make_list(site.db, "tides")
    builders.subscribe(site.db, story.anna, tides)
    answer = site.client.post(story.preferences, data={"action": "everything"})

    page = site.client.get(story.preferences + answer.headers["location"]).text
    assert "we will not send you anything any more" in page
    assert "Stop all mail" not in page
    assert "You asked us to stop all mail" in site.client.get(story.preferences).text
    assert len(builders.dump(site.db)["suppression"]) == 1
    site.client.post(story.preferences, data={"action": "rejoin", "list": "tides"})
    assert builders.dump(site.db)["suppression"] == []  # or the list would never reach them
    assert builders.status_of(site.db, story.anna, tides) == "active"
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "complained"])
def test_nobody_comes_back_who_was_taken_off(site: Site, story: Story, status: str) -> None:
    tides = builders.make_list(site.db, "tides")
    builders.subscribe(site.db, story.anna, tides, SubscriptionStatus(status))
    before = builders.dump(site.db)
    site.client.post(story.preferences, data={"action": "rejoin", "list": "tides"})

    assert builders.dump(site.db) == before


def test_a_link_is_no_way_onto_another_list(site: Site, story: Story) -> None:
    builders.make_list(site.db, "board", public=False)
    before = builders.dump(site.db)
    for action in ("rejoin", "leave"):
        for slug in ("board", "", "no-such-list", "harbour'--"):
            posted = site.client.post(story.preferences, data={"action": action, "list": slug})
            assert posted.status_code == 404

    assert builders.dump(site.db) == before


def test_a_notice_says_only_what_is_so(site: Site, story: Story) -> None:
    for query in ("?done=leave&list=harbour", "?done=everything", "?done=x", "?done=leave&list=x"):
        assert 'role="status"' not in site.client.get(story.preferences + query).text


def test_one_click_belongs_to_the_unsubscribe_link_alone(site: Site, story: Story) -> None:
    posted = site.client.post(story.preferences, data={"List-Unsubscribe": "One-Click"})

    assert posted.status_code == 400
    assert builders.status_of(site.db, story.anna, story.list_id) == "active"


def test_a_test_copy_shows_an_empty_page_and_changes_nothing(site: Site, story: Story) -> None:
    expires = site.mailer.clock.now() + timedelta(days=7)
    token = make(site.mailer.keys, Purpose.test, story.campaign.id, story.anna, expires=expires)
    before = builders.dump(site.db)
    for path in (f"/p/{site.token(Purpose.preferences, 0, 0)}", f"/p/{token}"):
        page = site.client.get(path).text
        assert "This is a test copy" in page
        assert "Harbour News" not in page
        for action in ("leave", "rejoin", "everything"):
            posted = site.client.post(path, data={"action": action, "list": "harbour"})
            assert posted.status_code == 303

    assert builders.dump(site.db) == before


def test_an_expired_link_is_no_page(site: Site, story: Story) -> None:
    hour = timedelta(hours=1)
    expires = site.mailer.clock.now() + hour
    token = make(
        site.mailer.keys, Purpose.preferences, story.campaign.id, story.anna, expires=expires
    )
    assert site.client.get(f"/p/{token}").status_code == 200
    site.mailer.clock.advance(hour)  # type: ignore[attr-defined]  # the tests' clock

    assert site.client.get(f"/p/{token}").status_code == 404


def test_an_erased_person_has_no_lists(site: Site, story: Story) -> None:
    path = f"/p/{site.token(Purpose.preferences, story.campaign.id, 999_999)}"

    page = site.client.get(path).text
    assert "We do not know you any more" in page
    assert "<form" not in page

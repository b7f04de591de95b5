"""A reader unsubscribes by a button or by one click (RFC 8058), and can undo it."""

from __future__ import annotations

import pytest

from mailer.message.links import Purpose
from mailer.model.words import SubscriptionStatus
from tests import builders
from tests.web.conftest import Site, Story

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def test_the_page_names_the_list_and_masks_the_address(site: Site, story: Story) -> None:
    page = site.client.get(story.unsubscribe)

    assert page.status_code == 200
    assert "Unsubscribe from <bdi>Harbour News</bdi>?" in page.text
    assert "a…@e….org" in page.text
    assert "anna" not in page.text
    assert "example.org" not in page.text


def test_the_button_unsubscribes_at_once_and_leads_to_a_page_with_undo(
    site: Site, story: Story
) -> None:
    answer = site.client.post(story.unsubscribe, data={"action": "leave"})

    assert (answer.status_code, answer.headers["location"]) == (303, "?done=leave")
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"
    page = site.client.get(story.unsubscribe + answer.headers["location"])
    assert "You are unsubscribed" in page.text
    assert 'value="undo"' in page.text
    assert 'value="leave"' not in page.text
    assert builders.events(site.db, story.anna) == [("unsubscribed", "reader", story.list_id, "")]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        # RFC 8058 section 8.2 shows the first, section 3.2 prefers the second.
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        (
            b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
            b"One-Click\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (b"List-Unsubscribe=One-Click\r\n", "application/x-www-form-urlencoded; charset=UTF-8"),
        (b"list-unsubscribe=one-click", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=One-Click", None),
        (b"List-Unsubscribe=One-Click", "text/plain"),
    ],
)
def test_one_click_unsubscribes_without_redirect_or_cookie(
    site: Site, story: Story, body: bytes, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = site.client.post(story.unsubscribe, content=body, headers=headers)

    assert answer.status_code == 200
    assert answer.text == "You are unsubscribed from Harbour News.\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "set-cookie" not in answer.headers
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"


def test_one_click_needs_no_cookie_referrer_or_earlier_page(site: Site, story: Story) -> None:
    """RFC 8058 section 3.2: the request has no other context."""
    answer = site.client.post(
        story.unsubscribe,
        data=ONE_CLICK,
        headers={"User-Agent": "", "Origin": "https://mail.example.net", "Cookie": "x=y"},
    )

    assert answer.status_code == 200
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"


def test_one_click_is_idempotent(site: Site, story: Story) -> None:
    answers = [site.client.post(story.unsubscribe, data=ONE_CLICK) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len(builders.events(site.db, story.anna)) == 1


def test_a_post_that_says_nothing_changes_nothing(site: Site, story: Story) -> None:
    before = builders.dump(site.db)
    for body in (b"", b"List-Unsubscribe=", b"action=delete", b"One-Click", b"{}", b"\xff\x00=%ff"):
        assert site.client.post(story.unsubscribe, content=body).status_code == 400

    assert builders.dump(site.db) == before


def test_undo_brings_back_what_was(site: Site, story: Story) -> None:
    site.client.post(story.unsubscribe, data={"action": "leave"})
    answer = site.client.post(story.unsubscribe, data={"action": "undo"})

    assert answer.headers["location"] == "?done=undo"
    assert builders.status_of(site.db, story.anna, story.list_id) == "active"
    page = site.client.get(story.unsubscribe + "?done=undo")
    assert "Welcome back" in page.text
    assert builders.events(site.db, story.anna)[-1][:3] == ("subscribed", "reader", story.list_id)
    assert 'value="leave"' in page.text


def test_undo_does_not_confirm_who_never_confirmed(site: Site, story: Story) -> None:
    other = builders.make_subscriber(site.db, "ben@example.org")
    builders.subscribe(site.db, other, story.list_id, SubscriptionStatus.pending)
    path = f"/u/{site.token(Purpose.unsubscribe, story.campaign.id, other)}"
    site.client.post(path, data={"action": "leave"})
    site.client.post(path, data={"action": "undo"})

    assert builders.status_of(site.db, other, story.list_id) == "pending"


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "complained"])
def test_undo_brings_nobody_back_who_did_not_leave_by_themselves(
    site: Site, story: Story, status: str
) -> None:
    other = builders.make_subscriber(site.db, "ben@example.org")
    builders.subscribe(site.db, other, story.list_id, SubscriptionStatus(status))
    path = f"/u/{site.token(Purpose.unsubscribe, story.campaign.id, other)}"
    for action in ("leave", "undo", "everything", "undo"):
        site.client.post(path, data={"action": action})

    assert builders.status_of(site.db, other, story.list_id) == status
    assert 'value="undo"' not in site.client.get(path).text


def test_everything_leaves_every_list_and_undo_restores_just_those(
    site: Site, story: Story
) -> None:
    second, third = (builders.make_list(site.db, name) for name in ("tides", "boats"))
    builders.subscribe(site.db, story.anna, second)
    builders.subscribe(site.db, story.anna, third, SubscriptionStatus.bounced)

    def standing() -> list[str | None]:
        lists = (story.list_id, second, third)
        return [builders.status_of(site.db, story.anna, each) for each in lists]

    site.client.post(story.unsubscribe, data={"action": "leave"})
    site.client.post(story.unsubscribe, data={"action": "everything"})

    assert standing() == ["unsubscribed", "unsubscribed", "bounced"]
    assert _suppressions(site) == ["reader"]
    assert "All mail is stopped" in site.client.get(story.unsubscribe).text
    site.client.post(story.unsubscribe, data={"action": "undo"})
    assert standing() == ["unsubscribed", "active", "bounced"]  # the first was left on its own
    assert _suppressions(site) == []
    site.client.post(story.unsubscribe, data={"action": "undo"})
    assert standing() == ["active", "active", "bounced"]


def test_a_reader_cannot_lift_a_suppression_of_another_reason(site: Site, story: Story) -> None:
    builders.suppress(site.db, "anna@example.org", "complaint")
    site.client.post(story.unsubscribe, data={"action": "everything"})
    site.client.post(story.unsubscribe, data={"action": "undo"})

    assert _suppressions(site) == ["complaint"]


def test_a_no_of_somebody_who_is_not_on_the_list_is_kept(site: Site, story: Story) -> None:
    """An import may have been undone since; the next one must find the no."""
    other = builders.make_subscriber(site.db, "ben@example.org")
    path = f"/u/{site.token(Purpose.unsubscribe, story.campaign.id, other)}"
    site.client.post(path, data=ONE_CLICK)
    site.client.post(path, data={"action": "undo"})

    assert builders.status_of(site.db, other, story.list_id) == "unsubscribed"
    assert "You do not get this mail" in site.client.get(path).text


def test_a_link_of_an_erased_person_goes_on_working(site: Site, story: Story) -> None:
    path = f"/u/{site.token(Purpose.unsubscribe, story.campaign.id, 999_999)}"
    before = builders.dump(site.db)

    assert "We do not know you any more" in site.client.get(path).text
    assert site.client.post(path, data=ONE_CLICK).status_code == 200
    assert site.client.post(path, data={"action": "everything"}).status_code == 303
    assert builders.dump(site.db) == before


@pytest.mark.parametrize("known", [True, False])
def test_a_test_copy_works_says_so_and_changes_nothing(
    site: Site, story: Story, known: bool
) -> None:
    campaign = story.campaign.id if known else 0
    path = f"/u/{site.token(Purpose.unsubscribe, campaign, 0)}"
    before = builders.dump(site.db)

    page = site.client.get(path)
    assert "This is a test copy" in page.text
    assert 'value="leave"' in page.text
    assert "This was a test copy" in site.client.post(path, data=ONE_CLICK).text
    for action in ("leave", "everything", "undo"):
        answer = site.client.post(path, data={"action": action})
        assert answer.status_code == 303
        shown = site.client.get(path + answer.headers["location"]).text
        assert "nothing was changed" in shown
    assert builders.dump(site.db) == before


def test_an_unknown_campaign_is_no_page(site: Site, story: Story) -> None:
    path = f"/u/{site.token(Purpose.unsubscribe, 999_999, story.anna)}"

    assert site.client.get(path).status_code == 404
    assert site.client.post(path, data=ONE_CLICK).status_code == 404


def test_the_page_speaks_the_language_of_the_mail_unless_asked(site: Site, story: Story) -> None:
    chloe = builders.make_subscriber(site.db, "chloe@example.org")
    builders.subscribe(site.db, chloe, story.list_id)
    campaign = builders.make_campaign(
        site.db,
        story.list_id,
        "bilingual",
        pages={"en": builders.PAGE, "fr": builders.PAGE},
        readers={story.anna: "en", chloe: "fr"},
    )
    path = f"/u/{site.token(Purpose.unsubscribe, campaign.id, chloe)}"
    english = {"Accept-Language": "en-GB,en;q=0.9"}

    assert '<html lang="fr" dir="ltr">' in site.client.get(path, headers=english).text
    assert '<html lang="en" dir="ltr">' in site.client.get(path + "?lang=en").text
    answer = site.client.post(path + "?lang=en", data={"action": "leave"})
    assert answer.headers["location"] == "?done=leave&lang=en"
    clicked = site.client.post(path, data=ONE_CLICK, headers=english)
    assert clicked.text == "Votre désabonnement de Harbour News est fait.\n"


def test_a_mail_in_a_language_that_we_do_not_speak_falls_to_the_browsers(
    site: Site, story: Story
) -> None:
    campaign = builders.make_campaign(site.db, story.list_id, "x", pages={"tlh": builders.PAGE})
    path = f"/u/{site.token(Purpose.unsubscribe, campaign.id, story.anna)}"
    wishes = {"Accept-Language": "tlh;q=0.9, en;q=0.2, fr-CH;q=0.5"}

    assert '<html lang="fr"' in site.client.get(path, headers=wishes).text
    assert '<html lang="en"' in site.client.get(path).text


def _suppressions(site: Site) -> list[str]:
    rows = builders.dump(site.db)["suppression"]
    return [reason for reason in ("reader", "complaint") if any(repr(reason) in r for r in rows)]

"""Whatever only looks changes nothing: a scanner may fetch every link of a mail."""

from __future__ import annotations

import pytest

from mailer.message.links import Purpose
from tests import builders
from tests.web.conftest import Site, Story

QUERIES = ("", "?done=leave", "?action=leave", "?List-Unsubscribe=One-Click", "?lang=fr")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND"])
def test_no_looking_changes_the_database(site: Site, story: Story, method: str) -> None:
    picture = builders.make_picture(site.db, campaign_id=story.campaign.id)
    stranger = f"/u/{site.token(Purpose.unsubscribe, story.campaign.id, 999_999)}"
    paths = [
        story.unsubscribe,
        story.preferences,
        f"{story.preferences}/details",
        f"{story.preferences}/erase",
        f"/c/{site.token(Purpose.reconfirm, story.campaign.id, story.anna)}",
        stranger,
        "/s/harbour",
        "/s/harbour/json",
        f"/w/{story.campaign.web_key}",
        f"/w/{story.campaign.web_key}/en",
        f"/i/{picture}",
        "/healthz",
        "/",
    ]
    before = builders.dump(site.db)
    for path in paths:
        for query in QUERIES:
            for headers in ({}, {"Cookie": "a=b"}, {"Content-Type": "text/plain"}):
                answer = site.client.request(method, path + query, headers=headers)
                assert "set-cookie" not in answer.headers
                if method in ("GET", "HEAD") and path != "/":
                    assert answer.status_code == 200

    assert builders.dump(site.db) == before


def test_a_body_does_not_make_a_get_act(site: Site, story: Story) -> None:
    before = builders.dump(site.db)
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        site.client.request(method, story.unsubscribe, content=b"List-Unsubscribe=One-Click")
        site.client.request(method, story.unsubscribe, headers={"X-HTTP-Method-Override": "POST"})

    assert builders.dump(site.db) == before


def test_the_pages_hold_nothing_that_acts_by_itself(site: Site, story: Story) -> None:
    """Some scanners run scripts: there are none, and no page submits or moves on by itself."""
    for path in (story.unsubscribe, story.preferences, "/nothing"):
        page = site.client.get(path).text.lower()
        for word in ("<script", "javascript:", "http-equiv", "onload", "onclick", "autofocus"):
            assert word not in page
        assert 'method="get"' not in page


def test_every_form_is_a_post(site: Site, story: Story) -> None:
    for path in (
        story.unsubscribe,
        story.preferences,
        f"{story.preferences}/details",
        f"{story.preferences}/erase",
    ):
        page = site.client.get(path).text
        assert page.count("<form") == page.count('<form method="post"') > 0

"""The site is the same under every name: it never reads the Host header."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mailer.message.links import Purpose
from tests import builders
from tests.web.conftest import Site, Story

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
NAMES = {
    "foreign": {"Host": "evil.example"},
    "a port": {"Host": "evil.example:99"},
    "none": {"Host": ""},
    "the address behind the proxy": {"Host": "127.0.0.1:8025"},
    "forwarded": {
        "Forwarded": "host=evil.example;proto=gopher",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Prefix": "/evil",
        "X-Original-Host": "evil.example",
        "X-Original-Url": "https://evil.example/evil",
    },
}


def test_every_page_is_the_same_under_any_name(
    open_site: Callable[..., Site], story: Story
) -> None:
    """Seals hold the moment and a random part; nothing else may differ."""
    site = open_site(smtp_host="127.0.0.1", mail_from="News <news@example.org>")
    picture = builders.make_picture(site.db, campaign_id=story.campaign.id)
    paths = [
        story.unsubscribe,
        f"{story.unsubscribe}/",
        story.preferences,
        f"/w/{story.campaign.web_key}",
        f"/w/{story.campaign.web_key}/en",
        "/archive",
        "/archive/harbour",
        "/archive/harbour/feed.xml",
        "/archive/harbour/feed.json",
        "/s/harbour",
        "/s/harbour/json",
        f"/i/{picture}",
        f"/load/{site.token(Purpose.picture, story.campaign.id, 0)}",
        "/nowhere",
        "//nowhere",
    ]

    def seen(path: str, headers: dict[str, str]) -> tuple[int, str | None, str]:
        answer = site.client.get(path, headers=headers)
        text = re.sub(r"[A-Za-z0-9_-]{40,}", "…", answer.content.decode("latin-1"))
        return answer.status_code, answer.headers.get("location"), text

    found = {path: seen(path, {}) for path in paths}
    assert sum(status == 200 for status, _, _ in found.values()) >= 10
    for what, headers in NAMES.items():
        for path in paths:
            assert seen(path, headers) == found[path], (what, path)


@pytest.mark.parametrize("what", NAMES)
def test_one_click_is_heard_under_any_name(site: Site, story: Story, what: str) -> None:
    """A proxy that passes its own name on is no reason to lose a wish to leave."""
    answer = site.client.post(story.unsubscribe, data=ONE_CLICK, headers=NAMES[what])

    assert (answer.status_code, "location" in answer.headers) == (200, False)
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"

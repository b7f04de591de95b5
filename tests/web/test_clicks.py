"""The redirect leads where a campaign's link was signed to lead; everything else is a 404."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest

from mailer.message.click_links import Click, sign_target
from mailer.message.image_loads import Load
from mailer.message.links import KeyRing, Purpose, Tokens
from mailer.usecases.count_clicks import Followed
from mailer.web import clicks
from tests import builders
from tests.web.conftest import ORIGIN, Site, Story

SHOP = "https://shop.example.org/boats?a=1&b=2#blue;x"
FOREIGN = KeyRing(bytes(range(32)))


def log_of(site: Site) -> clicks.ClickLog:
    app: Any = site.client.app
    log: clicks.ClickLog = app.clicks
    return log


def path(site: Site, target: str = SHOP, campaign: int = 7) -> str:
    return f"/l/{sign_target(site.mailer.keys, campaign, 1, target)}"


def test_the_address_is_led_to_octet_by_octet(site: Site) -> None:
    answer = site.client.get(path(site))

    assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert site.client.head(path(site)).headers["location"] == SHOP
    assert site.client.post(path(site)).status_code == 405


def test_no_way_leads_elsewhere(site: Site, story: Story) -> None:
    good = path(site)
    token = good.removeprefix("/l/")
    data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    evil = data[:9] + b"evil.example/" + data[9:]
    ring = site.mailer.keys
    attacks = [
        base64.urlsafe_b64encode(evil).decode().rstrip("="),
        token[:-1],
        token + "A",
        token + "=",
        token.lower(),
        f"{token}.",
        f"{token}.{Tokens(ring, 8, ring.key_id).mark(1)}",
        f"{token}.{'A' * 28}",
        sign_target(FOREIGN, 7, 1, SHOP),
        site.token(Purpose.unsubscribe, story.campaign.id, story.anna),
        site.token(Purpose.click, story.campaign.id, story.anna),
        "https:%2F%2Fevil.example",
        "%0d%0aLocation:%20https:%2F%2Fevil.example",
        "..%2Fu",
        "A" * 3000,
    ]
    for attack in attacks:
        answer = site.client.get(f"/l/{attack}")
        assert answer.status_code == 404, attack
        assert "location" not in answer.headers
    for query in ("?url=https://evil.example", "?next=//evil.example", "#@evil.example"):
        answer = site.client.get(good + query, headers={"Host": "evil.example"})
        assert answer.headers["location"] == SHOP
    assert site.client.get(story.unsubscribe.replace("/u/", "/l/")).status_code == 404
    assert site.client.get(good.replace("/l/", "/u/")).status_code == 404


def test_no_token_is_logged(site: Site) -> None:
    site.client.get(path(site))

    assert "page=/l/{token}" in site.log.getvalue()
    assert path(site)[3:20] not in site.log.getvalue()


def test_a_campaign_that_is_not_here_is_not_counted(site: Site, story: Story) -> None:
    """So links of a preview, and of a database that is gone, lead on and change nothing."""
    before = builders.dump(site.db)
    for campaign in (0, 999):
        assert site.client.get(path(site, campaign=campaign)).status_code == 302
    assert log_of(site).flush()
    assert builders.dump(site.db) == before

    site.client.get(path(site, campaign=story.campaign.id))
    assert log_of(site).flush()
    assert builders.dump(site.db) != before


def test_image_loads_leave_room_for_clicks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clicks, "MOST_WAITING", 6)
    taken: list[Followed] = []

    def count(some: Sequence[Followed]) -> int:
        taken.extend(some)
        return len(some)

    log = clicks.ClickLog(count, log_of(site)._log)
    monkeypatch.setattr(log, "_run", lambda: None)
    for _ in range(9):
        log.note(Followed(Load(1), 0, "", ""))
    for _ in range(9):
        log.note(Followed(Click(1, 1, SHOP), 0, "", ""))
    assert log.flush()

    assert [each.is_click for each in taken] == [False] * 3 + [True] * 3


def test_no_forged_address_brings_the_picture(site: Site, story: Story) -> None:
    before = builders.dump(site.db)
    genuine = site.token(Purpose.picture, story.campaign.id, 0)
    ring = site.mailer.keys
    attacks = [
        genuine[:-1],
        f"{genuine}A",
        f"{genuine}.",
        f"{genuine}.{'A' * 28}",
        f"{genuine}.{Tokens(ring, 8, ring.key_id).mark(story.anna)}",
        site.token(Purpose.picture, story.campaign.id, story.anna),
        site.token(Purpose.unsubscribe, story.campaign.id, story.anna),
        site.token(Purpose.click, story.campaign.id, 0),
        "..%2Fi",
        "A" * 3000,
    ]
    for attack in attacks:
        answer = site.client.get(f"/load/{attack}")
        assert answer.status_code == 404, attack
    assert site.client.post(f"/load/{genuine}").status_code == 405
    assert site.client.get(f"/u/{genuine}").status_code == 404
    assert site.client.get(f"/p/{genuine}").status_code == 404
    assert log_of(site).flush()
    assert builders.dump(site.db) == before

    head = site.client.head(f"/load/{genuine}")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "42")
    assert "page=/load/{token}" in site.log.getvalue()
    assert genuine[:20] not in site.log.getvalue()


def test_what_waits_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clicks, "MOST_WAITING", 3)
    taken: list[int] = []

    def count(some: Sequence[Followed]) -> int:
        taken.append(len(some))
        return len(some)

    log = clicks.ClickLog(count, log_of(site)._log)
    monkeypatch.setattr(log, "_run", lambda: None)
    for _ in range(5):
        log.note(Followed(Click(1, 1, SHOP), 0, "", ""))
    assert log.flush()

    assert taken == [3]
    assert "clicks_lost many=2" in site.log.getvalue()
    assert ORIGIN not in site.log.getvalue()

"""Web versions, pictures and the style sheet are the same for everybody, and cached."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from mailer.model.words import CampaignState
from mailer.store.database import Database
from mailer.web import frozen
from tests import builders
from tests.web.conftest import ORIGIN, Site, Story


def test_the_web_version_is_the_frozen_page_byte_for_byte(site: Site, story: Story) -> None:
    page = site.client.get(f"/w/{story.campaign.web_key}")

    assert page.status_code == 200
    assert page.text == builders.PAGE
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-language"] == "en"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "img-src 'self';" in policy
    assert "script" not in policy


def test_a_web_version_has_an_address_for_each_language(site: Site, story: Story) -> None:
    made = builders.make_campaign(
        site.db, story.list_id, "two", pages={"fr": "<p>Bonjour", "pt-BR": "<p>Bom dia"}
    )

    def shown(path: str) -> str:
        return site.client.get(f"/w/{made.web_key}{path}").text

    assert shown("") == "<p>Bonjour"
    assert (shown("/fr"), shown("/pt-BR")) == ("<p>Bonjour", "<p>Bom dia")
    assert site.client.get(f"/w/{made.web_key}/en").status_code == 404


def test_a_web_version_is_asked_for_again_but_not_sent_again(site: Site, story: Story) -> None:
    path = f"/w/{story.campaign.web_key}"
    first = site.client.get(path)
    assert first.headers["cache-control"] == "public, max-age=300"
    again = site.client.get(path, headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert site.client.get(path, headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_campaign_that_is_being_planned_has_no_page(site: Site, story: Story) -> None:
    made = builders.make_campaign(site.db, story.list_id, "half", state=CampaignState.planning)

    assert site.client.get(f"/w/{made.web_key}").status_code == 404


def test_the_page_of_a_test_copy_expires(site: Site) -> None:
    hour = timedelta(hours=1)
    builders.make_draft(site.db, "a-draft-of-monday", site.mailer.clock.now() + hour)
    page = site.client.get("/w/a-draft-of-monday")

    assert (page.status_code, page.text) == (200, builders.PAGE)
    assert page.headers["cache-control"] == "no-store"
    assert site.client.get("/w/a-draft-of-monday/en").status_code == 200
    assert site.client.get("/w/a-draft-of-monday/ar").status_code == 404
    site.mailer.clock.advance(hour)  # type: ignore[attr-defined]  # the tests' clock
    assert site.client.get("/w/a-draft-of-monday").status_code == 404


def test_a_slug_or_a_number_is_no_key(site: Site, story: Story) -> None:
    for key in (
        "edition",
        str(story.campaign.id),
        "x" * 200,
        "a%00b" * 3,
        story.campaign.web_key + "/",
    ):
        assert site.client.get(f"/w/{key}").status_code == 404


@pytest.mark.parametrize(
    ("kind", "media"),
    [("png", "image/png"), ("jpg", "image/jpeg"), ("gif", "image/gif"), ("webp", "image/webp")],
)
def test_a_picture_is_kept_for_ever_and_may_be_shown_elsewhere(
    site: Site, kind: str, media: str
) -> None:
    data = bytes(range(256)) * 9
    name = builders.make_picture(site.db, data, kind)
    answer = site.client.get(f"/i/{name}")

    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-type"] == media
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = answer.headers["etag"]
    again = site.client.get(f"/i/{name}", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_calendar_entry_is_saved_under_a_name_that_people_can_read(site: Site) -> None:
    data = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    answer = site.client.get(f"/i/{builders.make_picture(site.db, data, 'ics')}")

    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="event.ics"'


def test_head_of_a_picture_has_its_length_and_no_body(site: Site) -> None:
    name = builders.make_picture(site.db, b"x" * 5000)
    answer = site.client.head(f"/i/{name}")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "5000"


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "name",
    [
        "0" * 32 + ".png",  # no such picture
        "../mailer.db",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "....//....//etc/passwd",
        "..\\..\\windows\\win.ini",
        "0" * 32 + ".svg",
        "0" * 32 + ".png%00.html",
        "0" * 32 + ".png/",
        "0" * 32 + ".PNG",
        "0" * 32 + ".png%0a",
        "A" * 32 + ".png",
        "0" * 31 + ".png",
        "%F0%9F%8C%8A.png",
        "",
    ],
)
def test_nothing_but_a_picture_has_an_address_among_pictures(site: Site, name: str) -> None:
    for folder in ("i", "static"):
        answer = site.client.get(f"/{folder}/{name}")
        assert answer.status_code == 404
        assert "root:" not in answer.text


def test_the_style_sheet_has_a_new_name_with_new_content(site: Site, story: Story) -> None:
    page = site.client.get(story.unsubscribe).text
    found = re.search(r'<link rel="stylesheet" href="(/static/site-[0-9a-f]{16}\.css)">', page)

    assert found is not None
    sheet = site.client.get(found[1])
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"
    tag = sheet.headers["etag"]
    assert site.client.get(found[1], headers={"If-None-Match": tag}).status_code == 304
    assert site.client.get("/static/site-0000000000000000.css").status_code == 404


def test_the_style_sheet_asks_nobody_else(site: Site) -> None:
    sheet = site.client.get(f"/static/{_sheet_name(site)}").text

    assert "url(" not in sheet
    assert "@import" not in sheet


def test_health_says_that_the_database_answers(site: Site, db: Database) -> None:
    answer = site.client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert answer.headers["cache-control"] == "no-store"


def test_a_site_below_a_path_answers_there_and_at_its_root(
    open_site: Callable[..., Site], story: Story
) -> None:
    below = open_site(site_url=ORIGIN + "/news")

    for prefix in ("", "/news"):
        page = below.client.get(prefix + story.unsubscribe)
        assert page.status_code == 200
        assert 'href="/news/static/site-' in page.text
        assert below.client.get(f"{prefix}/w/{story.campaign.web_key}").status_code == 200
    done = below.client.post("/news" + story.unsubscribe, data={"action": "leave"})
    assert done.headers["location"] == "?done=leave"
    assert "page=/u/{token} " in below.log.getvalue()


def _sheet_name(site: Site) -> str:
    found = re.search(r"/static/(site-[0-9a-f]{16}\.css)", site.client.get("/x").text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("fresh", [-1.0, 60.0])
def test_what_is_not_personal_is_compressed_for_who_takes_it_so(
    site: Site, story: Story, monkeypatch: pytest.MonkeyPatch, fresh: float
) -> None:
    monkeypatch.setattr(frozen, "FRESH", fresh)
    found = re.search(r"/static/site-[^\"]+", site.client.get(story.unsubscribe).text)
    assert found is not None
    for path in (f"/w/{story.campaign.web_key}", found[0]):
        plain = site.client.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})
        zipped = site.client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
        again = {"If-None-Match": zipped.headers["etag"]}

        assert plain.text == zipped.text
        assert (plain.headers.get("content-encoding"), plain.headers["vary"]) == (
            None,
            "Accept-Encoding",
        )
        assert zipped.headers["content-encoding"] == "gzip"
        assert zipped.headers["etag"] != plain.headers["etag"]
        assert site.client.get(path, headers=again).status_code == 304


def test_a_web_version_that_is_withdrawn_is_gone_a_second_later(
    site: Site, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "FRESH", 0.05)
    path = f"/w/{story.campaign.web_key}"
    assert site.client.get(path).status_code == 200
    with site.db.write() as connection:
        connection.execute(text("UPDATE campaign SET withdrawn_at = planned_at"))
    time.sleep(0.1)

    assert site.client.get(path).status_code == 410
    assert list(site.mailer.kept_pages.glob("*.json")) == []

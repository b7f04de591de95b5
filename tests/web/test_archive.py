"""The archive shows what was sent to public lists, to everybody, and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailer.model.words import CampaignState
from mailer.usecases.withdraw_campaign import (
    keep_in_archive,
    restore_campaign,
    withdraw_campaign,
)
from tests import builders
from tests.web.conftest import ORIGIN, Site, Story

OCTOBER = datetime(2026, 10, 31, 22, 30, tzinfo=UTC)
HOSTILE = '</title><script>alert(1)</script>"><img src=x onerror=alert(1)> {{ 7*7 }} {% x %}'


@pytest.fixture
def harbour(site: Site) -> int:
    return builders.make_list(site.db, "harbour", title="Harbour News", description="Every week")


def text_of(site: Site, path: str, status: int = 200) -> str:
    answer = site.client.get(path)
    assert answer.status_code == status, path
    return answer.text


def links(page: str) -> list[str]:
    return re.findall(r'<a [^>]*?href="([^"]+)"', page)


def test_the_front_leads_to_lists_and_those_to_issues(site: Site, harbour: int) -> None:
    builders.make_sent(site.db, harbour, "boats", OCTOBER, "Boats at the quay")

    assert "/archive/harbour" in links(text_of(site, "/archive"))
    page = text_of(site, "/archive/harbour")
    assert "Boats at the quay" in page
    assert "/archive/harbour/boats" in links(page)
    assert "/archive/harbour/months/2026-10" in links(page)
    assert "<p>Hello</p>" in text_of(site, "/archive/harbour/boats")


@pytest.mark.parametrize(
    "values",
    [
        {"state": CampaignState.planned, "accepted": 0},
        {"state": CampaignState.scheduled},
        {"state": CampaignState.paused, "accepted": 0},
        {"state": CampaignState.cancelled, "accepted": 0},
        {"in_archive": False},
        {"withdrawn_at": OCTOBER},
    ],
    ids=["planned", "scheduled", "stopped before the first", "cancelled", "kept out", "withdrawn"],
)
def test_what_was_not_sent_or_is_kept_out_is_nowhere(
    site: Site, harbour: int, values: dict[str, Any]
) -> None:
    builders.make_sent(site.db, harbour, "shown", OCTOBER, "A shown one")
    builders.make_sent(site.db, harbour, "hidden", OCTOBER, "A hidden one", **values)
    paths = ("", "/months", "/months/2026-10", "/feed.xml", "/feed.json", "?q=one")
    for path in (f"/archive/harbour{each}" for each in paths):
        page = text_of(site, path)
        assert "A shown one" in page
        assert "A hidden one" not in page
    for path in ("/archive", "/archive/feed.xml", "/archive/feed.json"):
        assert "A hidden one" not in text_of(site, path)
    status = 410 if "withdrawn_at" in values else 404
    assert site.client.get("/archive/harbour/hidden").status_code == status


@pytest.mark.parametrize(
    "state", [CampaignState.sending, CampaignState.paused, CampaignState.cancelled]
)
def test_what_somebody_got_is_there_whatever_became_of_the_rest(
    site: Site, harbour: int, state: CampaignState
) -> None:
    builders.make_sent(site.db, harbour, "boats", OCTOBER, "Boats", state=state)

    assert "Boats" in text_of(site, "/archive/harbour")


def test_a_private_list_has_no_archive_and_its_pages_are_for_no_search_engine(
    site: Site, harbour: int
) -> None:
    secret = builders.make_list(site.db, "secret", public=False)
    made = builders.make_sent(site.db, secret, "plans", OCTOBER, "Plans")
    public = builders.make_sent(site.db, harbour, "boats", OCTOBER, "Boats")
    for path in ("", "/plans", "/plans/en", "/months", "/months/2026-10", "/feed.xml"):
        assert site.client.get(f"/archive/secret{path}").status_code == 404
    assert "secret" not in text_of(site, "/archive").lower()

    page = site.client.get(f"/w/{made.web_key}")
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert '<meta name="robots" content="noindex">' in page.text
    assert f'<link rel="canonical" href="{ORIGIN}/w/{made.web_key}">' in page.text
    assert "feed.xml" not in page.text
    page = site.client.get(f"/w/{public.web_key}")
    assert page.headers["x-robots-tag"] == "all"
    assert "robots" not in page.text
    assert f'<link rel="canonical" href="{ORIGIN}/archive/harbour/boats">' in page.text
    assert f'<meta property="og:url" content="{ORIGIN}/archive/harbour/boats">' in page.text
    assert 'type="application/atom+xml" href="/archive/harbour/feed.xml"' in page.text


def test_months_are_those_of_the_owners_clock_and_lead_to_each_other(
    open_site: Any, site: Site, harbour: int
) -> None:
    from zoneinfo import ZoneInfo

    for slug, at in (
        ("july", OCTOBER - timedelta(days=100)),
        ("october", OCTOBER),
        ("november", OCTOBER + timedelta(days=20)),
    ):
        builders.make_sent(site.db, harbour, slug, at, slug.title())
    assert "October</a></h2>" in text_of(site, "/archive/harbour/months/2026-10")

    zurich = open_site(time_zone=ZoneInfo("Asia/Tokyo"))
    assert zurich.client.get("/archive/harbour/months/2026-10").status_code == 404
    page = text_of(zurich, "/archive/harbour/months/2026-11")
    assert page.count("<article") == 2
    assert 'rel="prev" href="/archive/harbour/months/2026-07"' in page
    assert 'rel="next"' not in page
    first = text_of(zurich, "/archive/harbour/months/2026-07")
    assert 'rel="next" href="/archive/harbour/months/2026-11"' in first


def test_issues_lead_to_their_neighbours(site: Site, harbour: int) -> None:
    for number in range(3):
        builders.make_sent(
            site.db, harbour, f"n{number}", OCTOBER + timedelta(days=number), f"Number {number}"
        )
    page = text_of(site, "/archive/harbour/n1")

    assert 'rel="prev" href="/archive/harbour/n0" title="Number 0"' in page
    assert 'rel="next" href="/archive/harbour/n2" title="Number 2"' in page
    assert 'rel="prev"' not in text_of(site, "/archive/harbour/n0")
    assert 'rel="next"' not in text_of(site, "/archive/harbour/n2")


def test_the_same_content_sent_again_is_named_once(site: Site, harbour: int) -> None:
    same = {"issue": "boats", "content_hash": "one"}
    first = builders.make_sent(site.db, harbour, "boats", OCTOBER, "Boats", **same)
    builders.make_sent(site.db, harbour, "boats-2", OCTOBER, "Boats", **same)
    changed = {"issue": "boats", "content_hash": "two"}
    builders.make_sent(site.db, harbour, "boats-3", OCTOBER, "Boats", **changed)

    found = [each for each in links(text_of(site, "/archive/harbour/months")) if "boats" in each]
    assert sorted(found) == ["/archive/harbour/boats", "/archive/harbour/boats-3"]
    withdraw_campaign(first.id, reason="Wrong", by="Anna", db=site.db, clock=site.mailer.clock)
    assert "/archive/harbour/boats-2" in links(text_of(site, "/archive/harbour"))


def test_a_search_finds_every_word_in_any_case_and_any_language(site: Site, harbour: int) -> None:
    pages = {
        "en": builders.issue_page("Boats", body="<p>The ferry sails on Monday</p>"),
        "fr": builders.issue_page("Bateaux", lang="fr", body="<p>Le bac part À QUAI</p>"),
    }
    builders.make_sent(site.db, harbour, "boats", OCTOBER, pages=pages)
    builders.make_sent(site.db, harbour, "percent", OCTOBER, "100% wind_y")

    def found(words: str) -> list[str]:
        page = site.client.get("/archive/harbour", params={"q": words}).text
        return re.findall(r'<h2><a href="/archive/harbour/([a-z]+)"', page)

    assert found("FERRY monday") == ["boats"]
    assert found("ferry tuesday") == []
    assert found("à quai") == ["boats"]
    assert found("100%") == ["percent"]
    assert found("%") == ["percent"]
    assert found("_") == ["percent"]
    assert found("nothing-of-it") == []
    page = site.client.get("/archive/harbour?q=ferry")
    assert page.headers["x-robots-tag"] == "noindex, follow"


@pytest.mark.parametrize(
    "words",
    [
        "x" * 20_000,
        "a b " * 5_000,
        "\0",
        "%00",
        "' OR 1=1 --",
        "\\",
        "\ud800x".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
        HOSTILE,
    ],
    ids=["long", "many", "nul", "percent", "sql", "backslash", "surrogate", "markup"],
)
def test_no_search_is_too_much(site: Site, harbour: int, words: str) -> None:
    builders.make_sent(site.db, harbour, "boats", OCTOBER, "Boats")
    answer = site.client.get("/archive/harbour", params={"q": words})

    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert len(answer.text) < 20_000


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "path",
    [
        "/archive/",
        "/archive/nothing",
        "/archive/harbour/",
        "/archive/harbour/months/2026-13",
        "/archive/harbour/months/2026-09",
        "/archive/harbour/months/99999999999999999999-01",
        "/archive/harbour/months/0000-01",
        "/archive/harbour/months/-1",
        "/archive/harbour/months/..%2f..%2fetc%2fpasswd",
        "/archive/..%2f..%2fetc/passwd",
        "/archive/%2e%2e/%2e%2e/mailer.db",
        "/archive/harbour/boats/xx",
        "/archive/harbour/boats/en%00",
        "/archive/harbour/boats/" + "e" * 4000,
        "/archive/harbour%00/boats",
        "/archive/harbour/boats/en/feed.xml",
        "/archive/harbour/1",
    ],
)
def test_nothing_else_has_an_address(site: Site, harbour: int, path: str) -> None:
    builders.make_sent(site.db, harbour, "boats", OCTOBER, "Boats")

    assert site.client.get(path).status_code == 404


def test_an_issue_called_like_a_page_of_the_archive_is_found(site: Site, harbour: int) -> None:
    builders.make_sent(site.db, harbour, "months", OCTOBER, "Twelve months")
    page = text_of(site, "/archive/harbour")

    assert "/archive/harbour/months/en" in links(page)
    assert "<p>Hello</p>" in text_of(site, "/archive/harbour/months/en")
    assert "<p>Hello</p>" not in text_of(site, "/archive/harbour/months")


def test_hostile_words_stay_words(site: Site) -> None:
    place = builders.make_list(site.db, "harbour", title=HOSTILE, description=HOSTILE)
    page = builders.issue_page(HOSTILE, about=HOSTILE)
    made = builders.make_sent(site.db, place, "boats", OCTOBER, pages={"en": page})
    builders.make_sent(site.db, place, "next", OCTOBER + timedelta(1), HOSTILE)
    paths = ("/archive", "/archive/harbour", "/archive/harbour/months", "/archive/harbour/boats")
    for path in (*paths, "/archive/harbour/months/2026-10", f"/w/{made.web_key}"):
        shown = text_of(site, path)
        assert "&lt;script&gt;" in shown
        assert "<script" not in shown
        assert "<img" not in shown
        assert "49" not in re.sub(r"[0-9a-f]{16}", "", shown)
    assert "<script" not in text_of(site, "/archive/harbour/feed.xml")


def test_languages_of_an_issue_have_addresses_of_their_own(site: Site, harbour: int) -> None:
    pages = {"en": builders.issue_page("Boats"), "ar": builders.issue_page("قوارب", lang="ar")}
    made = builders.make_sent(site.db, harbour, "boats", OCTOBER, pages=pages)
    page = text_of(site, "/archive/harbour")
    assert {"/archive/harbour/boats", "/archive/harbour/boats/ar"} <= set(links(page))
    assert 'href="/archive/harbour/boats/ar" lang="ar" dir="auto">قوارب' in text_of(
        site, "/archive/harbour?lang=ar"
    )

    def canonical(path: str) -> str:
        return str(re.findall(r'rel="canonical" href="([^"]+)"', text_of(site, path))[0])

    assert canonical(f"/w/{made.web_key}/ar") == f"{ORIGIN}/archive/harbour/boats/ar"
    assert canonical("/archive/harbour/boats/en") == f"{ORIGIN}/archive/harbour/boats"
    assert 'lang="ar" dir="rtl"' in text_of(site, "/archive/harbour/boats/ar")


def test_links_keep_the_language_that_was_asked_for(site: Site, harbour: int) -> None:
    for path in ("/archive", "/archive/harbour", "/archive/harbour/months"):
        pages = set(re.findall(r'href="(/archive[^"]*)"', site.client.get(f"{path}?lang=fr").text))
        ways = {each for each in pages if not re.search(r"\.(xml|json)$", each)}
        kept = {each for each in ways if each.endswith("?lang=fr")}
        assert kept
        # An issue has its own language.
        assert {site.client.get(each).headers["content-language"] for each in kept} == {"fr"}
        assert all(each.count("/") == 3 or each.count("/") == 4 for each in ways - kept)
        assert "lang=%" not in site.client.get(f"{path}?lang=%3Cscript%3E").text
    assert "?lang=fr" not in re.findall(r'href="(/archive[^"]*)"', site.client.get("/archive").text)


@pytest.mark.parametrize("code", ["ar", "de", "en", "es", "fr", "ru", "zh"])
def test_every_page_speaks_every_language(site: Site, harbour: int, code: str) -> None:
    builders.make_sent(site.db, harbour, "boats", OCTOBER, "Boats")
    for path in ("", "/harbour", "/harbour/months", "/harbour/months/2026-10"):
        answer = site.client.get(f"/archive{path}?lang={code}")
        assert f'<html lang="{code}"' in answer.text
        assert answer.headers["content-language"] == code
        assert answer.headers["vary"] == "Accept-Language"


def test_a_withdrawn_page_is_gone_and_says_so_and_links_go_on_working(
    site: Site, open_site: Any, story: Story
) -> None:
    made = builders.make_sent(
        site.db,
        story.list_id,
        "boats",
        OCTOBER,
        pages={"fr": builders.issue_page("Bateaux", lang="fr")},
        readers={story.anna: "fr"},
    )
    paths = (f"/w/{made.web_key}", f"/w/{made.web_key}/fr", "/archive/harbour/boats")
    before = [text_of(site, path) for path in paths]
    ports: dict[str, Any] = {"db": site.db, "clock": site.mailer.clock}
    withdraw_campaign("boats", reason="A name was wrong", by="Anna", **ports)
    site = open_site()  # one that is up keeps a page in mind for a second
    for path in paths:
        answer = site.client.get(path)
        assert answer.status_code == 410
        assert "Ce numéro a été retiré" in answer.text
        assert "A name was wrong" not in answer.text
        assert answer.headers["cache-control"] == "no-store"
    assert site.client.get(paths[0], params={"lang": "de"}).text.count("zurückgezogen") > 0
    assert site.client.get("/w/" + made.web_key + "/de").status_code == 404
    for path in ("/archive/harbour/feed.xml", "/archive/harbour/feed.json", "/archive/harbour"):
        assert "Bateaux" not in text_of(site, path)
    from mailer.message.links import Purpose

    token = site.token(Purpose.unsubscribe, made.id, story.anna)
    assert site.client.get(f"/u/{token}").status_code == 200
    done = site.client.post(f"/u/{token}", data={"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"

    restore_campaign("boats", by="Bruno", **ports)
    site = open_site()
    assert [text_of(site, path) for path in paths] == before


def test_a_campaign_can_be_kept_out_of_the_archive_and_keeps_its_page(
    site: Site, harbour: int
) -> None:
    made = builders.make_sent(site.db, harbour, "boats", OCTOBER, "Boats")
    ports: dict[str, Any] = {"by": "Anna", "db": site.db, "clock": site.mailer.clock}
    keep_in_archive("boats", False, **ports)
    assert "Boats" not in text_of(site, "/archive/harbour")
    page = site.client.get(f"/w/{made.web_key}")
    assert page.status_code == 200
    assert page.headers["x-robots-tag"] == "noindex, nofollow"

    keep_in_archive("boats", True, **ports)
    assert "Boats" in text_of(site, "/archive/harbour")


def test_no_looking_at_the_archive_changes_the_database(site: Site, harbour: int) -> None:
    made = builders.make_sent(site.db, harbour, "boats", OCTOBER, "Boats")
    before = builders.dump(site.db)
    paths = ("", "/feed.xml", "/feed.json", "/harbour", "/harbour?q=boats", "/harbour/months")
    for path in (*paths, "/harbour/months/2026-10", "/harbour/boats", "/harbour/feed.xml"):
        for method in ("GET", "HEAD"):
            answer = site.client.request(method, f"/archive{path}")
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers
    site.client.get(f"/w/{made.web_key}?as=sent")

    assert builders.dump(site.db) == before

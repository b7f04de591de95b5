"""The feeds are read by a parser that we did not write, and their ids and dates stay."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from mailer.store import archive
from mailer.usecases.withdraw_campaign import restore_campaign, withdraw_campaign
from tests import builders
from tests.web.conftest import ORIGIN, Site

feedparser = pytest.importorskip("feedparser")  # in requirements-dev.lock

OCTOBER = datetime(2026, 10, 31, 9, 30, 15, 123456, tzinfo=UTC)
ODD = "Boats & <quays> \u202e\x0b]]> \U0001f600 قوارب"
# RFC 4287 section 3.3 and RFC 3339.
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").fullmatch
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def harbour(site: Site) -> int:
    list_id = builders.make_list(site.db, "harbour", title="Harbour & News", language="en")
    page = builders.issue_page(ODD.replace("\x0b", ""), about="What <b>sails</b>")
    builders.make_sent(site.db, list_id, "boats", OCTOBER, pages={"en": page})
    builders.make_sent(site.db, list_id, "ferry", OCTOBER + timedelta(9), "The ferry")
    return list_id


def parsed(site: Site, path: str) -> Any:
    answer = site.client.get(path)
    assert answer.status_code == 200
    found = feedparser.parse(answer.content, response_headers=dict(answer.headers))
    assert not found.bozo, found.get("bozo_exception")
    return found


@pytest.mark.parametrize("path", ["/archive/harbour/feed.xml", "/archive/feed.xml"])
def test_atom_is_read_by_others(site: Site, harbour: int, path: str) -> None:
    found = parsed(site, path)

    assert found.version == "atom10"
    assert [each.title for each in found.entries] == [
        "The ferry",
        " ".join(ODD.replace("\x0b", "").split()),
    ]
    assert found.entries[1].link == f"{ORIGIN}/archive/harbour/boats"
    assert found.entries[1].summary == "What <b>sails</b>"
    assert found.entries[1].published == found.entries[1].updated == "2026-10-31T09:30:15Z"
    assert found.feed.updated == found.entries[0].updated
    (own,) = [each for each in found.feed.links if each.rel == "self"]
    assert own.href == ORIGIN + path


def test_atom_has_what_the_rfc_asks_for(site: Site, harbour: int) -> None:
    """RFC 4287 sections 4.1.1 and 4.1.2: what a feed and an entry must have, and how often."""
    root = etree.fromstring(site.client.get("/archive/harbour/feed.xml").content)
    entries = root.findall(f"{ATOM}entry")
    ids = [each.findtext(f"{ATOM}id") for each in (root, *entries)]

    assert len(set(ids)) == 3
    for each in (root, *entries):
        for name in ("id", "title", "updated"):
            assert len(each.findall(f"{ATOM}{name}")) == 1, name
        assert INSTANT(each.findtext(f"{ATOM}updated") or "")
        assert (each.findtext(f"{ATOM}id") or "").startswith("urn:uuid:")
    assert root.findtext(f"{ATOM}author/{ATOM}name") == "Coastal Aid"
    for entry in entries:
        # Without content there must be an alternate link.
        assert [x.get("rel") for x in entry.findall(f"{ATOM}link")] == ["alternate"]
        assert len(entry.findall(f"{ATOM}published")) == 1


@pytest.mark.parametrize("path", ["/archive/harbour/feed.json", "/archive/feed.json"])
def test_json_has_what_its_specification_asks_for(site: Site, harbour: int, path: str) -> None:
    answer = site.client.get(path)
    feed = json.loads(answer.content)
    atom = parsed(site, path.replace(".json", ".xml"))

    assert answer.headers["content-type"].startswith("application/feed+json")
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert (feed["title"], feed["feed_url"]) == (atom.feed.title, ORIGIN + path)
    assert feed["home_page_url"] == ORIGIN + path.removesuffix("/feed.json")
    assert feed["authors"] == [{"name": "Coastal Aid"}]
    assert [each["id"] for each in feed["items"]] == [each.id for each in atom.entries]
    for item in feed["items"]:
        assert isinstance(item["id"], str)
        assert item["content_text"]
        assert INSTANT(item["date_published"])
        assert INSTANT(item["date_modified"])
        assert item["url"].startswith(ORIGIN)


def test_ids_and_dates_stay_when_the_site_and_the_titles_change(
    site: Site, open_site: Any, harbour: int
) -> None:
    def told(one: Site) -> list[tuple[str, str]]:
        entries = parsed(one, "/archive/harbour/feed.xml").entries
        return [(each.id, each.published) for each in entries]

    before = told(site)
    moved = open_site(site_url="https://other.example.net/x", organisation="Others")
    assert told(moved) == before
    ports: dict[str, Any] = {"by": "Anna", "db": site.db, "clock": site.mailer.clock}
    withdraw_campaign("boats", reason="Wrong", **ports)
    assert told(site) == before[:1]
    restore_campaign("boats", **ports)
    assert told(site) == before
    with site.db.write() as connection:
        page = {"en": builders.issue_page("Another title")}
        at = OCTOBER + timedelta(30)
        archive.correct(connection, int(site_campaign(site)), at, "Wrong title", page)
    assert told(site) == before
    (entry,) = [
        each
        for each in parsed(site, "/archive/harbour/feed.xml").entries
        if each.title == "Another title"
    ]
    assert entry.updated == "2026-11-30T09:30:15Z"


def site_campaign(site: Site) -> int:
    with site.db.read() as connection:
        found = archive.standing(connection, shelf="harbour", slug="boats")
    assert found is not None
    return found.campaign_id


def test_an_empty_feed_is_a_feed(site: Site) -> None:
    assert parsed(site, "/archive/feed.xml").entries == []
    builders.make_list(site.db, "harbour")
    found = parsed(site, "/archive/harbour/feed.xml")

    assert found.entries == []
    assert INSTANT(found.feed.updated)
    assert site.client.get("/archive/feed.json").json()["items"] == []


def test_a_page_names_its_feeds_and_they_say_when_they_changed(site: Site, harbour: int) -> None:
    for path in ("/archive", "/archive/harbour", "/archive/harbour/months"):
        page = etree.HTML(site.client.get(path).text)
        kinds = page.xpath("//link[@rel='alternate'][@type]/@type")
        assert kinds == ["application/atom+xml", "application/feed+json"]
        for href in page.xpath("//link[@rel='alternate'][@type]/@href"):
            answer = site.client.get(href)
            assert answer.headers["last-modified"] == "Mon, 09 Nov 2026 09:30:15 GMT"
            assert answer.headers["cache-control"] == "public, max-age=300"


def test_there_is_a_limit_to_what_a_feed_holds(site: Site, harbour: int) -> None:
    for number in range(25):
        at = OCTOBER + timedelta(20 + number)
        builders.make_sent(site.db, harbour, f"n{number}", at, f"Number {number}")
    entries = parsed(site, "/archive/harbour/feed.xml").entries

    assert len(entries) == 20
    assert entries[0].title == "Number 24"


@pytest.fixture
def spoken(site: Site, harbour: int) -> int:
    """Boats and the ferry in English; fish in English and French, nets in French alone."""
    both = {"en": builders.issue_page("Fish"), "fr": builders.issue_page("Poissons")}
    builders.make_sent(site.db, harbour, "fish", OCTOBER + timedelta(10), pages=both)
    alone = {"fr": builders.issue_page("Filets")}
    builders.make_sent(site.db, harbour, "nets", OCTOBER + timedelta(11), pages=alone)
    return harbour


@pytest.mark.parametrize("form", ["xml", "json"])
def test_each_language_has_a_feed_of_what_was_sent_in_it(
    site: Site, spoken: int, form: str
) -> None:
    def told(path: str) -> tuple[str, list[tuple[str, str]]]:
        answer = site.client.get(path)
        assert answer.status_code == 200
        if form == "json":
            feed = answer.json()
            return feed["title"], [(each["title"], each["url"]) for each in feed["items"]]
        found = parsed(site, path)
        return found.feed.title, [(each.title, each.link) for each in found.entries]

    home = f"{ORIGIN}/archive/harbour"
    assert told(f"/archive/harbour/feed.fr.{form}") == (
        "Harbour & News (Français)",
        [("Filets", f"{home}/nets"), ("Poissons", f"{home}/fish/fr")],
    )
    assert told(f"/archive/harbour/feed.FR.{form}") == told(f"/archive/harbour/feed.fr.{form}")
    english = [title for title, _ in told(f"/archive/harbour/feed.en.{form}")[1]]
    assert english[:2] == ["Fish", "The ferry"]
    # The list's own feed has everything, as before.
    whole = [title for title, _ in told(f"/archive/harbour/feed.{form}")[1]]
    assert whole[:3] == ["Filets", "Fish", "The ferry"]


def test_a_feed_of_a_language_names_itself_and_its_language(site: Site, spoken: int) -> None:
    own = parsed(site, "/archive/harbour/feed.fr.xml")
    whole = parsed(site, "/archive/harbour/feed.xml")
    document = site.client.get("/archive/harbour/feed.fr.json").json()

    assert own.feed.language == document["language"] == "fr"
    (link,) = [each for each in own.feed.links if each.rel == "self"]
    assert link.href == f"{ORIGIN}/archive/harbour/feed.fr.xml"
    assert document["feed_url"] == f"{ORIGIN}/archive/harbour/feed.fr.json"
    ids = [each.id for each in own.entries]
    assert ids == [each["id"] for each in document["items"]]
    # The French text of an issue is not the English one that another feed has under its id.
    assert not {own.feed.id, *ids} & {whole.feed.id, *(each.id for each in whole.entries)}


@pytest.mark.parametrize(
    "tag", ["de", "f", "fr-CH", "", "..", "fr.fr", "%2e%2e", "fr%00", "x" * 99]
)
def test_there_is_no_feed_of_a_language_that_was_never_sent(
    site: Site, spoken: int, tag: str
) -> None:
    for form in ("xml", "json"):
        assert site.client.get(f"/archive/harbour/feed.{tag}.{form}").status_code == 404


def test_pages_name_the_feeds_of_languages_where_there_are_several(site: Site, spoken: int) -> None:
    one = builders.make_list(site.db, "quay", title="Quay")
    builders.make_sent(site.db, one, "cranes", OCTOBER, "Cranes")
    for path in ("/archive/harbour", "/archive/harbour/months", "/archive/harbour/months/2026-11"):
        page = etree.HTML(site.client.get(path).text)
        heads = page.xpath("//link[@hreflang='fr'][@type]/@href")
        links = page.xpath("//a[@hreflang='fr'][@type]/@href")
        assert heads == links == ["/archive/harbour/feed.fr.xml", "/archive/harbour/feed.fr.json"]
        assert [site.client.get(each).status_code for each in links] == [200, 200]
    for path in ("/archive", "/archive/quay", "/archive/quay/months", "/archive/quay/cranes"):
        said = site.client.get(path).text
        assert ("feed.en." in said, "feed.xml" in said, "feed.json" in said) == (False, True, True)


@pytest.mark.parametrize("form", ["xml", "json"])
def test_the_one_language_s_feed_answers_and_names_the_list_s_own(site: Site, form: str) -> None:
    one = builders.make_list(site.db, "quay", title="Quay")
    builders.make_sent(site.db, one, "cranes", OCTOBER, "Cranes")
    home = f"{ORIGIN}/archive/quay"
    whole = site.client.get(f"/archive/quay/feed.{form}")
    alone = site.client.get(f"/archive/quay/feed.en.{form}")

    assert (alone.status_code, "Cranes" in alone.text) == (200, True)
    assert alone.headers["link"] == f'<{home}/feed.{form}>; rel="canonical"'
    assert "link" not in whole.headers
    if form == "xml":
        links = parsed(site, "/archive/quay/feed.en.xml").feed.links
        assert {each.rel: each.href for each in links}["canonical"] == f"{home}/feed.xml"
    both = {"en": builders.issue_page("Fish"), "fr": builders.issue_page("Poissons")}
    builders.make_sent(site.db, one, "fish", OCTOBER + timedelta(10), pages=both)
    several = site.client.get(f"/archive/quay/feed.en.{form}")
    assert ("link" in several.headers, "canonical" in several.text) == (False, False)


def test_the_limit_is_that_of_one_language(site: Site, spoken: int) -> None:
    for number in range(25):
        at = OCTOBER + timedelta(20 + number)
        builders.make_sent(site.db, spoken, f"n{number}", at, f"Number {number}")

    assert len(parsed(site, "/archive/harbour/feed.fr.xml").entries) == 2
    assert len(parsed(site, "/archive/harbour/feed.en.xml").entries) == 20

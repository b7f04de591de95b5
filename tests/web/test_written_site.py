"""A site in files is whole: every link leads somewhere, and nothing is asked of anybody else."""

from __future__ import annotations

import functools
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import urlopen

import pytest
from lxml import etree, html

from mailer.store import archive
from mailer.usecases.withdraw_campaign import restore_campaign, withdraw_campaign
from mailer.web.written_site import written_site
from mailer.wiring.files import site_before, write_site
from tests import builders
from tests.web.conftest import ORIGIN, Site

OCTOBER = datetime(2026, 10, 31, 9, 30, tzinfo=UTC)
BASE = "https://archive.example.net/news"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Any plain server of files will do: this is Python's own."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def build(site: Site, folder: Path, **values: Any) -> Any:
    given: dict[str, Any] = {"base_url": BASE} | values
    return write_site(folder, written_site(site.mailer, **given), workspace=site.mailer.workspace)


def crawl(start: str) -> tuple[dict[str, bytes], list[str]]:
    """Every page and file that can be reached, and every address that is none of the site's."""
    seen: dict[str, bytes] = {}
    elsewhere: list[str] = []
    waiting = [start]
    while waiting:
        address = waiting.pop().partition("#")[0]
        if address in seen:
            continue
        with urlopen(address, timeout=10) as answer:  # of the test's own server
            seen[address] = answer.read()
            kind, end = answer.headers.get_content_type(), answer.geturl()
        if kind != "text/html":
            continue
        root = html.document_fromstring(seen[address].decode())
        for element in root.iter("a", "link", "img", "script", "form", "source"):
            for name in ("href", "src", "action", "srcset"):
                value = element.get(name)
                if not value or element.get("rel") == "canonical":
                    continue
                to = urljoin(end, value)
                if urlsplit(to).netloc == urlsplit(start).netloc:
                    waiting.append(to)
                else:
                    elsewhere.append(to)
    return seen, elsewhere


@pytest.fixture
def harbour(site: Site) -> int:
    """Two issues, one in two languages, with a picture and a calendar entry, and a private list."""
    list_id = builders.make_list(site.db, "harbour", title="Harbour News", language="en")
    secret = builders.make_list(site.db, "secret", title="Secret", public=False)
    name = builders.make_picture(site.db, b"\x89PNG boats")
    event = builders.make_picture(site.db, b"BEGIN:VCALENDAR", "ics")
    site_url = ORIGIN
    key = "b" * 24
    body = (
        f'<img src="{site_url}/i/{name}" alt="Boats"><a href="{site_url}/i/{event}">Calendar</a>'
        f'<a href="{site_url}/w/{key}/ar">العربية</a><a href="{site_url}/w/{key}/en">English</a>'
        f'<a href="https://share.example/?u={quote(site_url, safe="")}x">S</a>'
    )
    pages = {
        "en": builders.issue_page("Boats", body=body),
        "ar": builders.issue_page("قوارب", lang="ar", body=body),
    }
    made = builders.make_sent(
        site.db, list_id, "boats", OCTOBER, pages=pages, web_key=key, frozen={"site_url": site_url}
    )
    with site.db.write() as connection:
        archive.keep_pictures(connection, made.id, [name, event])
    builders.make_sent(site.db, list_id, "months", OCTOBER + timedelta(9), "Twelve months")
    builders.make_sent(site.db, list_id, "hidden", OCTOBER, "Hidden one", in_archive=False)
    builders.make_sent(site.db, secret, "plans", OCTOBER, "Secret plans")
    return list_id


def test_every_link_of_the_folder_leads_somewhere_in_it(
    site: Site, harbour: int, tmp_path: Path
) -> None:
    done = build(site, tmp_path / "out")
    with served(tmp_path / "out") as address:
        seen, elsewhere = crawl(address)
        with served(tmp_path) as above:  # and below any path
            below, _ = crawl(f"{above}out/")
        with pytest.raises(HTTPError):  # the crawl would notice
            urlopen(f"{address}nothing", timeout=10)  # likewise
    paths = {urlsplit(each).path for each in seen}

    assert len(below) == len(seen) > 15
    assert {"/archive/harbour/feed.xml", "/archive/feed.json"} <= paths
    assert "/archive/harbour/boats/ar/" in paths
    assert "/archive/harbour/months/en/" in paths  # an issue of that name
    assert any(each.endswith(".ics") for each in paths)
    assert any(each.endswith(".png") for each in paths)
    assert any("/search-" in each for each in paths)
    assert set(elsewhere) == {"https://share.example/?u=https%3A%2F%2Farchive.example.net%2Fnewsx"}
    everything = b"".join(file.read_bytes() for file in (tmp_path / "out").rglob("*.*"))
    assert b"Secret" not in everything
    assert ORIGIN.encode() not in everything
    assert b"Hidden one" not in everything
    assert done.files == sum(1 for _ in (tmp_path / "out").rglob("*") if _.is_file()) - 1


def test_the_same_again_touches_nothing(site: Site, harbour: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = build(site, out)
    before = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in out.rglob("*")}
    again = build(site, out)

    assert len(first.new) == first.files
    assert (again.new, again.changed, again.removed) == ([], [], [])
    assert {f: (f.stat().st_ino, f.stat().st_mtime_ns) for f in out.rglob("*")} == before


def test_a_withdrawn_issue_leaves_a_page_that_says_so(
    site: Site, harbour: int, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    build(site, out)
    page = out / "archive/harbour/boats/ar/index.html"
    before = page.read_bytes()
    ports: dict[str, Any] = {"by": "Anna", "db": site.db, "clock": site.mailer.clock}
    withdraw_campaign("boats", reason="A name was wrong", **ports)
    done = build(site, out)

    assert "سُحب هذا العدد" in page.read_text("utf-8")
    for path in ("archive/harbour/boats", "w/" + "b" * 24, "w/" + "b" * 24 + "/en"):
        assert "This issue was withdrawn" in (out / path / "index.html").read_text("utf-8")
    for path in ("feed.xml", "feed.json", "index.html"):
        assert "boats" not in (out / "archive/harbour" / path).read_text("utf-8").lower()
    assert "archive/harbour/months/2026-10/index.html" in done.removed
    with served(out) as address:
        crawl(address)
    restore_campaign("boats", **ports)
    build(site, out)
    assert page.read_bytes() == before


def test_unlisted_pages_come_along_when_they_are_asked_for(
    site: Site, harbour: int, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    build(site, out, unlisted=True)
    told = [file.read_text("utf-8") for file in (out / "w").rglob("index.html")]

    assert any("Secret plans" in each for each in told)
    assert any("Hidden one" in each for each in told)
    archived = "".join(each.read_text("utf-8") for each in (out / "archive").rglob("*.*"))
    assert "Secret" not in archived


def test_it_knows_its_address_and_speaks_the_language_of_the_list(
    site: Site, harbour: int, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    build(site, out, language="ar")
    page = (out / "archive/harbour/index.html").read_text("utf-8")
    assert '<html lang="ar" dir="rtl">' in page
    assert "قوارب" in page
    build(site, out)
    page = (out / "archive/harbour/index.html").read_text("utf-8")
    assert '<html lang="en" dir="ltr">' in page

    issue = (out / "archive/harbour/boats/index.html").read_text("utf-8")
    assert f'<link rel="canonical" href="{BASE}/archive/harbour/boats/">' in issue
    feed = json.loads((out / "archive/harbour/feed.json").read_text("utf-8"))
    assert feed["feed_url"] == f"{BASE}/archive/harbour/feed.json"
    assert feed["items"][-1]["url"] == f"{BASE}/archive/harbour/boats/"
    arabic = json.loads((out / "archive/harbour/feed.ar.json").read_text("utf-8"))
    assert arabic["feed_url"] == f"{BASE}/archive/harbour/feed.ar.json"
    assert [each["url"] for each in arabic["items"]] == [f"{BASE}/archive/harbour/boats/ar/"]
    assert "feed.ar.xml" in (out / "archive/harbour/index.html").read_text("utf-8")
    # Ids are the same wherever it lies.
    live = site.client.get("/archive/harbour/feed.json").json()
    assert [each["id"] for each in feed["items"]] == [each["id"] for each in live["items"]]


def test_a_list_in_one_language_has_one_feed(site: Site, harbour: int, tmp_path: Path) -> None:
    quay = builders.make_list(site.db, "quay", title="Quay", language="en")
    builders.make_sent(site.db, quay, "cranes", OCTOBER, "Cranes")
    out = tmp_path / "out"

    def feeds(shelf: str) -> list[str]:
        return sorted(each.name for each in (out / "archive" / shelf).glob("feed.*"))

    build(site, out)
    assert feeds("quay") == ["feed.json", "feed.xml"]
    spoken = [f"feed.{tag}{form}" for tag in ("ar.", "en.", "") for form in ("json", "xml")]
    assert feeds("harbour") == sorted(spoken)

    # It had two, and people follow what an earlier build wrote.
    withdraw_campaign("boats", reason="-", by="A", db=site.db, clock=site.mailer.clock)
    build(site, out, before=site_before(out))
    kept = (out / "archive/harbour/feed.en.xml").read_text("utf-8")
    assert feeds("harbour") == ["feed.en.json", "feed.en.xml", "feed.json", "feed.xml"]
    assert (
        f'rel="canonical" type="application/atom+xml" href="{BASE}/archive/harbour/feed.xml"'
        in (kept)
    )
    shutil.rmtree(out)
    build(site, out)
    assert feeds("harbour") == ["feed.json", "feed.xml"]


def test_no_page_runs_a_script_of_anybody_elses(site: Site, harbour: int, tmp_path: Path) -> None:
    build(site, tmp_path / "out")
    for file in (tmp_path / "out").rglob("index.html"):
        page = file.read_text("utf-8")
        assert "Content-Security-Policy" in page, file
        assert not re.search(r"<script(?! src=\"[./]*static/search-)", page), file


def test_an_issue_with_a_hostile_name_stays_in_the_folder(site: Site, tmp_path: Path) -> None:
    list_id = builders.make_list(site.db, "harbour")
    for slug in ("../../escape", "a?b#c", "..", "sp ace", "ü%2f"):
        builders.make_sent(site.db, list_id, slug, OCTOBER, f"Called {slug}", content_hash=slug)
    out = tmp_path / "deep/er/out"
    with pytest.raises(Exception, match="outside of the folder"):
        build(site, out)

    assert not out.exists()
    assert sorted(each.name for each in tmp_path.rglob("*escape*")) == []


def test_the_feeds_in_files_are_well_formed(site: Site, harbour: int, tmp_path: Path) -> None:
    build(site, tmp_path / "out")
    root = etree.parse(str(tmp_path / "out/archive/feed.xml")).getroot()

    assert root.tag == "{http://www.w3.org/2005/Atom}feed"

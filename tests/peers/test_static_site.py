"""What `mailer site build` writes is served by nginx, below a path, and read in Chromium."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import feedparser
import httpx2
import pytest

from mailer.web.catalogue import load_catalogue
from tests.command_line import done
from tests.peers.browser import Window, open_browser
from tests.peers.programs import ROOT, free_port, open_folder, wait_for_port
from tests.peers.quay import open_quay
from tests.web.test_written_site import crawl

NGINX = ROOT / ".cache/peers/nginx/usr/sbin/nginx"
CONF = """daemon off; pid {home}/nginx.pid; error_log stderr crit; events {{}}
http {{
  {temps}
  access_log off;
  types {{ text/html html; text/css css; text/javascript js; application/atom+xml xml;
           application/feed+json json; image/png png; image/jpeg jpg; text/calendar ics; }}
  server {{
    listen 127.0.0.1:{port};
    location /news/ {{ alias {folder}/; index index.html; }}
  }}
}}
"""
ENGLISH = load_catalogue().languages["en"]


@dataclass(frozen=True)
class Static:
    """The files, and where nginx shows them; ``live`` is the site that they were written from."""

    base: str
    folder: Path
    live: str


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Static]:
    if not NGINX.exists():
        pytest.skip("nginx is missing: ./scripts/peers unpacks it")
    port = free_port()
    base = f"http://127.0.0.1:{port}/news"
    with open_folder("static") as home:
        with open_quay(tmp_path_factory.mktemp("quay"), ["anna@example.org"]) as quay:
            done(quay.workspace, "site", "build", str(home / "out"), "--base-url", base)
            live = quay.site
        temps = "".join(
            f"{name}_temp_path {home}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        conf = home / "nginx.conf"
        conf.write_text(CONF.format(home=home, temps=temps, port=port, folder=home / "out"))
        nginx = subprocess.Popen([NGINX, "-c", conf, "-p", home, "-e", "stderr"])
        try:
            wait_for_port(port, nginx)
            yield Static(base, home / "out", live)
        finally:
            nginx.terminate()
            nginx.wait(20)


@pytest.mark.parametrize("script", [True, False], ids=["script", "none"])
def test_links_and_search_work_in_a_browser(static: Static, script: bool) -> None:
    with open_browser() as browser:
        window = browser.window("static", script=script)
        assert window.open("front", f"{static.base}/").status == 200
        shelf = window.go("list", '.shelf h2 a[href*="coast"]')
        assert "Ferries of week 0" in shelf.text
        index = window.go("index", ".links a[href*='months']")
        assert index.text.count("Ferries of week") == 6
        _search(window, script=script)
        issue = window.go("issue", "li:not([hidden]) a[href*='ferries-3']")
        assert (issue.status, "Ferries of week 3" in issue.text) == (200, True)
        earlier = window.go("earlier", 'a[rel="prev"]')
        assert earlier.url == f"{static.base}/archive/coast/ferries-4/"
        home = window.go("home", "a.mailer-home")
        assert home.url == f"{static.base}/archive/coast/"
        assert window.go("month", 'a[href*="months/20"]').status == 200
        gone = window.open("withdrawn", f"{static.base}/archive/coast/gone/")
        assert gone.status == 404 or ENGLISH.plain("withdrawn.title") in gone.text
        arabic = window.open("arabic", f"{static.base}/archive/coast/boats/ar/")
        assert (arabic.status, arabic.language) == (200, "ar")

    assert window.wrong == []
    assert window.forbidden == []
    assert window.strangers(static.base) == []


def _search(window: Window, *, script: bool) -> None:
    """With scripts the list narrows while one types; without, it is whole, nothing is offered."""
    if not script:
        assert ENGLISH.plain("archive.search") not in window.pages[-1].text
        return
    some = window.do("found", ("type", "#q", "FERRIES week 3"))
    assert some.text.count("Ferries of week") == 1
    none = window.do("nothing found", ("type", "#q", "zebra"))
    assert ENGLISH.plain("archive.found_none") in none.text
    back = window.do("", ("type", "#q", "week"))
    assert back.text.count("Ferries of week") == 6


def test_every_link_leads_to_a_file_and_feeds_are_read_by_others(static: Static) -> None:
    seen, elsewhere = crawl(f"{static.base}/")
    assert len(seen) > 40
    assert all(each.startswith(f"{static.base}/") for each in seen)
    # Only signing up needs the site that is served; the others stand in the edition's own text.
    ours = {each for each in elsewhere if urlsplit(each).hostname == "127.0.0.1"}
    assert ours == {f"{static.live}/s/{name}" for name in ("coast", "harbour")}
    feed = feedparser.parse(seen[f"{static.base}/archive/coast/feed.xml"])
    told = httpx2.get(f"{static.base}/archive/coast/feed.json").json()
    assert not feed.bozo
    assert [each["url"] for each in told["items"]] == [each.link for each in feed.entries]
    pictures = [each["image"] for each in told["items"] if "image" in each]
    assert pictures
    for address in (*pictures, *(each.link for each in feed.entries)):
        assert address.startswith(f"{static.base}/")
        assert httpx2.get(address).status_code == 200


def test_no_file_names_another_place(static: Static) -> None:
    """Canonical addresses, cards and feeds are absolute and say where it is; links are relative."""
    pages = list(static.folder.rglob("*.html"))
    assert len(pages) > 20
    sign_up = f'href="{static.live}/s/'
    for file in static.folder.rglob("*.*"):
        if file.is_file():
            text = file.read_bytes().decode("latin-1").replace(sign_up, "")
            assert static.live not in text, file
    for page in pages:
        here = f"{static.base}/{page.parent.relative_to(static.folder)}/"
        for name, value in re.findall(r'(href|src|action)="([^"]*)"', page.read_text("utf-8")):
            at = urljoin(here, value)
            assert not value.startswith(("/", "file:")), (page, name, value)
            ours = urlsplit(at).netloc == urlsplit(static.base).netloc
            assert not ours or at.startswith(f"{static.base}/"), (page, value)

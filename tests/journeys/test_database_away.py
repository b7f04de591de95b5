"""PostgreSQL is really stopped, and started again, under `mailer site serve`: nobody notices much.

Web versions are shown, and whoever unsubscribes is off as soon as the server is back: also with a
site that was started while it was away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from mailer.message.links import KeyRing, Purpose, make
from mailer.store import migrations
from mailer.store.database import Database, database_url
from tests import builders, postgres, sites

KEPT = "You will be unsubscribed. Our database does not answer right now"
PEOPLE = ("anna", "bruno", "chloe", "dov")


@dataclass(frozen=True)
class Place:
    """A workspace on a server of its own, which a test may stop."""

    server: postgres.Server
    folder: Path
    url: str
    list_id: int
    people: dict[str, int]
    campaign: builders.Made

    def link(self, name: str) -> str:
        keys = KeyRing(bytes.fromhex(sites.KEY))
        return f"/u/{make(keys, Purpose.unsubscribe, self.campaign.id, self.people[name])}"

    def status(self, name: str) -> str | None:
        with Database(database_url(self.url, self.folder)) as db:
            return builders.status_of(db, self.people[name], self.list_id)

    @property
    def waiting(self) -> list[Path]:
        return sorted((self.folder / "data/letterbox").glob("*.jsonl"))


@pytest.fixture
def place(tmp_path: Path, sqlite_template: Path) -> Iterator[Place]:
    binaries = postgres.find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: ./scripts/peers installs it")
    server = postgres.Server(binaries)
    try:
        url = server.make("news")
        folder = sites.workspace(tmp_path, sqlite_template, MAILER_DATABASE_URL=url)
        with Database(database_url(url, folder)) as db:
            migrations.upgrade(db)
            list_id = builders.make_list(db, "harbour", title="Harbour News")
            people = {n: builders.make_subscriber(db, f"{n}@example.org") for n in PEOPLE}
            for each in people.values():
                builders.subscribe(db, each, list_id)
            made = builders.make_campaign(db, list_id, readers=dict.fromkeys(people.values(), "en"))
        yield Place(server, folder, url, list_id, people, made)
    finally:
        server.stop()


def _wait(what: str, condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not come about"
        time.sleep(0.1)


def _one_click(client: httpx2.Client, path: str) -> tuple[int, str]:
    answer = client.post(path, content=b"List-Unsubscribe=One-Click")
    return answer.status_code, answer.text


def test_a_server_that_stops_under_a_site_and_one_that_is_down_when_it_starts(place: Place) -> None:
    page = f"/w/{place.campaign.web_key}"
    options = ("--port", "0", "--processes", "2")
    with sites.serving(place.folder, *options) as site, httpx2.Client(base_url=site.address) as web:
        for _ in range(12):  # both processes have shown it
            assert httpx2.get(site.address + page).text == builders.PAGE
        place.server.halt()
        assert web.get("/healthz").status_code == 503
        for _ in range(12):
            assert httpx2.get(site.address + page).text == builders.PAGE
        status, words = _one_click(web, place.link("anna"))
        assert (status, words.startswith(KEPT)) == (200, True)
        assert 'value="leave"' in web.get(place.link("bruno")).text
        button = web.post(place.link("bruno"), data={"action": "leave"})
        assert (button.status_code, KEPT in button.text) == (200, True)
        assert web.post("/u/" + "A" * 36, data={"action": "leave"}).status_code == 404
        assert web.get("/archive").status_code == 503
        assert len(place.waiting) == 2

        place.server.start()
        _wait("what waited", lambda: not place.waiting)
        assert [place.status(name) for name in PEOPLE] == ["unsubscribed"] * 2 + ["active"] * 2
        assert web.get("/healthz").status_code == 200

    place.server.halt()
    with sites.serving(place.folder, *options) as site, httpx2.Client(base_url=site.address) as web:
        told = site.log.read_text()
        assert "does not answer" in told
        assert "The site starts all the same" in told
        assert httpx2.get(site.address + page).text == builders.PAGE
        status, words = _one_click(web, place.link("chloe"))
        assert (status, words.startswith(KEPT)) == (200, True)
        assert len(place.waiting) == 1

        place.server.start()
        _wait("what waited", lambda: not place.waiting)
        assert [place.status(name) for name in PEOPLE] == ["unsubscribed"] * 3 + ["active"]
        assert web.get(place.link("dov")).status_code == 200
        assert _one_click(web, place.link("dov"))[1] == "You are unsubscribed from Harbour News.\n"
    log = site.log.read_text()
    assert "event=database_away" in log
    assert "event=database_back" in log
    assert "example.org" not in log

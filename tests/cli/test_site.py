"""`mailer site serve` keeps answering while its processes are replaced, killed and stopped."""

from __future__ import annotations

import os
import signal
import ssl
import threading
import time
from pathlib import Path

import httpx2
import pytest

from mailer.cli import sending
from mailer.errors import InputError
from mailer.message.links import Purpose, make
from mailer.store.database import Database, database_url
from mailer.usecases.keep_departures import keep_departures
from mailer.usecases.unsubscribe_reader import Step
from mailer.web.server import Place
from mailer.wiring import open_mailer
from tests import builders, sites
from tests.builders import PAGE
from tests.certificates import make_certificate


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path) -> Path:
    return sites.workspace(tmp_path, sqlite_template)


def _wait(what: str, condition: object) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come about")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc names the children: Linux only")
def test_a_reload_a_death_and_a_stop_are_not_noticed_by_readers(folder: Path) -> None:
    with Database(database_url("sqlite:///data/mailer.db", folder)) as db:
        made = builders.make_campaign(db, builders.make_list(db, "harbour"))
    with sites.serving(folder, "--port", "0", "--processes", "2") as site:
        statuses: list[int | str] = []
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                try:
                    answer = httpx2.get(f"{site.address}/w/{made.web_key}", timeout=20)
                    statuses.append(answer.status_code if answer.text == PAGE else "other")
                except httpx2.TransportError as error:
                    statuses.append(repr(error))

        reader = threading.Thread(target=read)
        reader.start()
        first = site.children()
        assert len(first) == 2

        site.process.send_signal(signal.SIGHUP)
        _wait("a reload", lambda: "event=reloaded" in site.log.read_text())
        _wait("the end of the old ones", lambda: not site.children() & first)
        second = site.children()
        assert len(second) == 2
        seen = len(statuses)
        assert set(statuses) == {200}
        assert seen > 10

        victim = min(second)
        os.kill(victim, signal.SIGKILL)
        _wait("another one", lambda: len(site.children() - {victim}) == 2)
        stop.set()
        reader.join()
        site.process.terminate()
        site.process.wait(30)

        assert site.process.returncode == 0
        assert "event=died" in site.log.read_text()
        assert not Path(f"/proc/{max(second)}").exists()


def test_it_speaks_over_a_socket_in_the_file_system(folder: Path) -> None:
    place = folder / "site.sock"
    with sites.serving(folder, "--unix", place) as site:
        transport = httpx2.HTTPTransport(uds=str(place))
        with httpx2.Client(transport=transport) as client:
            health = client.get("http://news.example.org/healthz")

    assert site.address == f"unix:{place}"
    assert health.json() == {"ok": True}


def test_it_speaks_tls_with_a_certificate_of_its_own(folder: Path) -> None:
    made = make_certificate(folder, "127.0.0.1")
    options = ("--port", "0", "--tls-cert", made.chain, "--tls-key", made.key)
    with sites.serving(folder, *options) as site:
        trusting = ssl.create_default_context(cafile=str(made.authority))
        with httpx2.Client(verify=trusting) as client:
            health = client.get(f"{site.address}/healthz")

    assert site.address.startswith("https://127.0.0.1:")
    assert health.json() == {"ok": True}


def test_half_a_certificate_is_refused(tmp_path: Path) -> None:
    made = make_certificate(tmp_path, "127.0.0.1")
    for place in (
        Place(certificate=made.chain),
        Place(key=made.key),
        Place(certificate=made.authority, key=made.key),
        Place(certificate=tmp_path / "none.pem", key=made.key),
    ):
        with pytest.raises(InputError, match="TLS"):
            place.require_certificate()


def test_who_left_while_the_database_was_away_is_off_before_a_send(folder: Path) -> None:
    with open_mailer(folder) as mailer:
        list_id = builders.make_list(mailer.db, "harbour")
        anna = builders.make_subscriber(mailer.db, "anna@example.org")
        builders.subscribe(mailer.db, anna, list_id)
        campaign = builders.make_campaign(mailer.db, list_id, readers={anna: "en"})
        token = make(mailer.keys, Purpose.unsubscribe, campaign.id, anna)
        wish = (token, Step.leave, mailer.clock.now())
        keep_departures([wish], letterbox=mailer.letterbox)
        sending._ports(mailer)  # what `send`, `resume` and `worker` take before they claim

        assert builders.status_of(mailer.db, anna, list_id) == "unsubscribed"

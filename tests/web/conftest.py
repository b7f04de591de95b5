"""The site of a small workspace: one list, one reader, one campaign, one who looks at it."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from mailer.message.links import Purpose, make
from mailer.settings import Settings
from mailer.store.database import Database
from mailer.web import frozen
from mailer.web.log import make_log
from mailer.web.site import make_site
from mailer.wiring import Mailer
from tests import builders
from tests.fakes import FakeClock

KEY = "00112233445566778899aabbccddeeff" * 2  # enough for a test
OLD_KEY = "ffeeddccbbaa99887766554433221100" * 2
ORIGIN = "https://news.example.org"


@dataclass
class Site:
    """The site, the one who looks at it, and what it wrote into its log."""

    mailer: Mailer
    client: TestClient
    log: io.StringIO

    @property
    def db(self) -> Database:
        return self.mailer.db

    def token(self, purpose: Purpose, campaign_id: int, subscriber_id: int) -> str:
        return make(self.mailer.keys, purpose, campaign_id, subscriber_id)


@dataclass(frozen=True)
class Story:
    """Anna is on the list Harbour, and got one campaign."""

    list_id: int
    anna: int
    campaign: builders.Made
    unsubscribe: str  # the path of her link
    preferences: str


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """Makes settings that no environment disturbs."""

    def made(**values: Any) -> Settings:
        known: dict[str, Any] = {
            "secret_key": SecretStr(KEY),
            "secret_key_old": (SecretStr(OLD_KEY),),
            "site_url": ORIGIN,
            "organisation": "Coastal Aid",
            "postal_address": "1 Quay Street, Port Ellis",
        }
        return Settings.model_construct(**(known | values))

    return made


@pytest.fixture(autouse=True)
def pages_are_asked_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test sees at once what readers see within a second."""
    monkeypatch.setattr(frozen, "FRESH", -1.0)


@pytest.fixture
def open_site(
    db: Database, clock: FakeClock, tmp_path: Path, settings: Callable[..., Settings]
) -> Iterator[Callable[..., Site]]:
    """Opens the site with other settings than the usual ones."""
    clients: list[TestClient] = []

    def opened(**values: Any) -> Site:
        log = io.StringIO()
        mailer = Mailer(tmp_path, settings(**values), db, clock)
        client = TestClient(
            make_site(mailer, log=make_log(log)),
            base_url=ORIGIN,
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        clients.append(client)
        return Site(mailer, client, log)

    yield opened
    for client in clients:
        client.close()


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()


@pytest.fixture
def story(site: Site) -> Story:
    list_id = builders.make_list(site.db, "harbour", title="Harbour News")
    anna = builders.make_subscriber(site.db, "anna@example.org")
    builders.subscribe(site.db, anna, list_id)
    campaign = builders.make_campaign(site.db, list_id, readers={anna: "en"})
    return Story(
        list_id,
        anna,
        campaign,
        f"/u/{site.token(Purpose.unsubscribe, campaign.id, anna)}",
        f"/p/{site.token(Purpose.preferences, campaign.id, anna)}",
    )


def speak(address: str, request: bytes) -> bytes:
    """Sends bytes as they are and returns all that comes back until the server closes."""
    host, port = urlsplit(address).hostname, urlsplit(address).port
    assert host is not None
    with socket.create_connection((host, port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer

"""The site as uvicorn runs it, on a real socket: one click, floods, slow and monstrous bodies."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx2
import pytest

from mailer.errors import SettingsError, StoppedError
from mailer.message.links import Purpose
from mailer.web import connection, forms, server
from mailer.web.site import make_site
from tests import builders
from tests.web.conftest import Site, Story, speak

ONE_CLICK = b"List-Unsubscribe=One-Click"


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    with server.serving(site.mailer) as url:
        yield url


def test_one_click_as_a_large_provider_sends_it(site: Site, story: Story, address: str) -> None:
    """The request of RFC 8058 section 8.2, byte by byte."""
    request = (
        f"POST {story.unsubscribe} HTTP/1.1\r\nHost: news.example.org\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 26\r\n"
        "Connection: close\r\n\r\nList-Unsubscribe=One-Click"
    )
    answer = speak(address, request.encode())

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"You are unsubscribed from Harbour News.\n"
    for unwanted in (b"set-cookie:", b"\r\nlocation:", b"\r\nserver:"):
        assert unwanted not in head.lower()
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"


def test_a_crowd_is_unsubscribed_and_every_answer_is_durable(
    site: Site, story: Story, address: str
) -> None:
    people = [builders.make_subscriber(site.db, f"reader{n}@example.org") for n in range(120)]
    for person in people:
        builders.subscribe(site.db, person, story.list_id)
    stays = people[::10]

    def act(person: int) -> int:
        path = f"{address}/u/{site.token(Purpose.unsubscribe, story.campaign.id, person)}"
        if person in stays:  # a scanner looks, and only looks
            return client.get(path).status_code
        answer = client.post(path, content=ONE_CLICK)
        assert builders.status_of(site.db, person, story.list_id) == "unsubscribed"
        return answer.status_code

    with httpx2.Client() as client, ThreadPoolExecutor(12) as crowd:
        assert set(crowd.map(act, people)) == {200}
    left = {person: builders.status_of(site.db, person, story.list_id) for person in people}
    assert {person for person, status in left.items() if status == "active"} == set(stays)


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_hundred_megabytes_are_refused_without_reading_them(
    site: Site, story: Story, address: str
) -> None:
    request = f"POST {story.unsubscribe} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
    answer = speak(address, request.encode() + b"x" * 1000)  # and the rest never needs to come

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_hundred_megabytes_without_a_length_are_cut_off(
    site: Site, story: Story, address: str
) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1600):
            sent += 65_536
            yield b"x" * 65_536

    try:
        status = httpx2.post(address + story.unsubscribe, content=endless()).status_code
    except httpx2.TransportError:  # the connection was closed while we were still sending
        status = 413

    assert status == 413
    assert sent < 20_000_000
    assert builders.status_of(site.db, story.anna, story.list_id) == "active"


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_body_that_does_not_come_is_not_waited_for(
    site: Site, story: Story, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "PATIENCE", 0.3)
    request = f"POST {story.unsubscribe} HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nList"

    assert speak(address, request.encode()).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_reader_who_goes_away_harms_nobody(site: Site, story: Story, address: str) -> None:
    host, port = urlsplit(address).hostname, urlsplit(address).port
    assert host is not None
    request = f"POST {story.unsubscribe} HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nList"
    with socket.create_connection((host, port)) as connection:
        connection.sendall(request.encode())

    assert httpx2.get(address + story.unsubscribe).status_code == 200
    assert builders.status_of(site.db, story.anna, story.list_id) == "active"


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(address: str, request_bytes: bytes) -> None:
    assert speak(address, request_bytes).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"x" * 20_000,  # and it goes on
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 4_000 + b"\r\n",
    ],
)
def test_a_head_without_end_is_refused(address: str, request_bytes: bytes) -> None:
    assert speak(address, request_bytes).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_paths_do_not_climb_out(address: str) -> None:
    """A client would tidy these up, so they are sent as they are."""
    for path in (
        "/i/../../../../etc/passwd",
        "/i/%2e%2e%2f%2e%2e%2fx",
        "/static/../site.py",
        "/static/..%2f..%2fsettings%2f__init__.py",
        "/static/sign-up-..%2f..%2fx.js",
        "/archive/../../etc/passwd",
        "/archive/%2e%2e/%2e%2e/etc/passwd",
        "/w/..%2f..%2f.env",
        "/../.env",
        "/%2e%2e/data/mailer.db",
        "//etc/passwd",
        "/i/\\..\\..\\x.png",
    ):
        answer = speak(
            address, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        assert answer.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize("begun", [b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX: y"])
def test_a_head_that_does_not_come_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    with server.serving(site.mailer) as address:
        assert speak(address, begun).startswith(b"HTTP/1.1 408 ")
        assert speak(address, b"") == b""  # nothing was asked, so nothing is answered


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_second_head_is_not_waited_for_either(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    with server.serving(site.mailer) as address:
        answer = speak(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answer


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_more_connections_than_there_is_room_for_are_sent_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS", 5)
    with server.serving(site.mailer) as address:
        place = (urlsplit(address).hostname, urlsplit(address).port)
        held = [socket.create_connection(place) for _ in range(6)]
        assert httpx2.get(address + "/healthz").status_code == 503
        for each in held:
            each.close()
        time.sleep(0.2)
        assert httpx2.get(address + "/healthz").status_code == 200


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_port_that_is_taken_is_named(site: Site, address: str) -> None:
    port = urlsplit(address).port
    assert port is not None

    with pytest.raises(StoppedError, match=f"port {port}"):
        server.serve(site.mailer.workspace, server.Place("127.0.0.1", port), ready=print)


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_without_a_key_there_is_no_site(open_site: Callable[..., Site], site: Site) -> None:
    mailer = type(site.mailer)(
        site.mailer.workspace,
        site.mailer.settings.model_copy(update={"secret_key": None}),
        site.db,
        site.mailer.clock,
    )

    with pytest.raises(SettingsError, match="MAILER_SECRET_KEY"):
        make_site(mailer)

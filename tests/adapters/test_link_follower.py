"""Links are followed with their redirects counted, and never into a private network."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mailer.adapters.link_follower import MOST_REDIRECTS, WebLinkFollower, is_public
from tests.certificates import make_certificate

SEEN: list[str] = []


class _Site(BaseHTTPRequestHandler):
    """``/ok``, ``/gone``, ``/get-only``, ``/hop/N`` with N redirects, ``/round``, ``/inside``."""

    def do_HEAD(self) -> None:
        SEEN.append(f"HEAD {self.path} {self.headers['Host'].partition(':')[0]}")
        if self.path == "/get-only":
            self._say(405)
        else:
            self._go()

    def do_GET(self) -> None:
        SEEN.append(f"GET {self.path} {self.headers['Host'].partition(':')[0]}")
        if self.path == "/get-only":
            self._say(200)
        else:
            self._go()

    def _go(self) -> None:
        if self.path.startswith("/hop/"):
            left = int(self.path[5:])
            self._say(302, f"/hop/{left - 1}" if left else "") if left else self._say(200)
        elif self.path == "/round":
            self._say(301, "/round")
        elif self.path == "/inside":
            self._say(302, "http://intranet.example/secret")
        elif self.path == "/file":
            self._say(302, "file:///etc/passwd")
        else:
            self._say({"/ok": 200, "/gone": 404}.get(self.path, 500))

    def _say(self, status: int, where: str = "") -> None:
        self.send_response(status)
        if where:
            self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def resolve(host: str, port: int) -> Sequence[str]:
    if host == "nowhere.example":
        raise OSError(-2, "Name or service not known")
    return {"intranet.example": ["10.0.0.7"], "half.example": ["127.0.0.1", "10.0.0.7"]}.get(
        host, ["127.0.0.1"]
    )


@pytest.fixture
def follower() -> WebLinkFollower:
    """It takes this machine for the public internet, and nothing else that is private."""
    SEEN.clear()
    return WebLinkFollower(
        resolve=resolve, public=lambda address: address == "127.0.0.1" or is_public(address)
    )


@pytest.mark.parametrize(
    ("path", "status", "redirects"),
    [("/ok", 200, 0), ("/gone", 404, 0), ("/get-only", 200, 0), ("/hop/3", 200, 3)],
)
def test_a_link_is_asked_for(
    path: str, status: int, redirects: int, port: int, follower: WebLinkFollower
) -> None:
    url = f"http://page.example:{port}{path}"
    trail = follower.follow([url])[url]

    assert (trail.status, trail.redirects, trail.refused) == (status, redirects, False)
    assert all(line.endswith(" page.example") for line in SEEN)


def test_get_is_tried_where_head_is_not_known(port: int, follower: WebLinkFollower) -> None:
    follower.follow([f"http://page.example:{port}/get-only"])

    assert [line.split()[0] for line in SEEN] == ["HEAD", "GET"]


def test_an_endless_redirect_ends(port: int, follower: WebLinkFollower) -> None:
    url = f"http://page.example:{port}/round"
    trail = follower.follow([url])[url]

    assert (trail.status, trail.redirects) == (0, MOST_REDIRECTS + 1)
    assert "again and again" in trail.trouble


@pytest.mark.parametrize("path", ["/inside", "/file"])
def test_a_redirect_into_a_private_network_is_not_followed(
    path: str, port: int, follower: WebLinkFollower
) -> None:
    url = f"http://page.example:{port}{path}"
    trail = follower.follow([url])[url]

    assert trail.refused
    assert [line.split()[1] for line in SEEN] == [path]


@pytest.mark.parametrize("host", ["intranet.example", "half.example"])
def test_a_name_with_a_private_address_is_not_asked(
    host: str, port: int, follower: WebLinkFollower
) -> None:
    url = f"http://{host}:{port}/ok"

    assert follower.follow([url])[url].refused
    assert SEEN == []


def test_a_name_is_resolved_once_and_that_address_is_asked(port: int) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.7"]])
    follower = WebLinkFollower(resolve=lambda *_: next(answers), public=lambda _: True)
    url = f"http://rebind.example:{port}/ok"

    assert follower.follow([url])[url].status == 200


def test_a_missing_name_and_a_closed_port_are_dead(port: int, follower: WebLinkFollower) -> None:
    urls = ["http://nowhere.example/", "http://page.example:1/"]
    trails = follower.follow(urls)

    assert [trails[url].status for url in urls] == [0, 0]
    assert all(trails[url].trouble and not trails[url].refused for url in urls)


@pytest.mark.parametrize(("host", "status"), [("page.example", 200), ("other.example", 0)])
def test_a_secure_link_is_asked_by_name_and_its_certificate_is_checked(
    host: str,
    status: int,
    follower: WebLinkFollower,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = make_certificate(tmp_path, "page.example")
    trust = ssl.create_default_context(cafile=str(certificate.authority))
    monkeypatch.setattr("mailer.adapters.link_follower.trusted", lambda: trust)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.socket = certificate.context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://{host}:{server.server_port}/hop/1"
    trail = follower.follow([url])[url]
    server.shutdown()
    server.server_close()

    assert (trail.status, trail.refused) == (status, False)
    assert ("certificate" in trail.trouble.lower()) == (status == 0)


def test_this_machine_is_private_as_it_is_shipped(port: int) -> None:
    SEEN.clear()
    urls = [f"http://127.0.0.1:{port}/ok", f"http://localhost:{port}/ok"]
    trails = WebLinkFollower().follow(urls)

    assert [trails[url].refused for url in urls] == [True, True]
    assert SEEN == []


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1",
        "192.168.1.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1%eth0", "fc00::1",
        "ff02::1", "::ffff:10.0.0.1", "2002:0a00:0001::", "64:ff9b::a00:1",
    ],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34"])
def test_what_is_public(address: str) -> None:
    assert is_public(address)

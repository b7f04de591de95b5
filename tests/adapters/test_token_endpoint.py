"""A token is fetched once for all connections, anew when it is old, and trouble is a sentence."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from mailer.adapters.smtp_transport import SmtpTransport
from mailer.adapters.token_endpoint import TokenEndpoint
from mailer.errors import SettingsError
from mailer.settings import load_settings, without_environment
from mailer.settings.sending import RoutePlan
from mailer.smtp.opening import OpeningError
from tests.smtpd import Smtpd
from tests.wire import Outbox


@dataclass
class Endpoint:
    """What it answers, and what it was asked."""

    answers: list[tuple[int, bytes]]
    url: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)


@contextmanager
def endpoint(*answers: tuple[int, object]) -> Iterator[Endpoint]:
    """Gives these answers one after the other; the last one again and again."""
    told = Endpoint(
        [(status, body if isinstance(body, bytes) else json.dumps(body).encode())
         for status, body in answers]
    )  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"]))
            status, body = told.answers[min(len(told.asked), len(told.answers) - 1)]
            told.asked.append(parse_qs(form.decode()))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/token"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


GIVEN = (200, {"access_token": "tok-1", "expires_in": 3600, "token_type": "Bearer"})
OTHER = (200, {"access_token": "tok-2", "expires_in": "3600"})


def test_several_connections_share_a_token() -> None:
    outbox = Outbox(40)
    with endpoint(GIVEN) as told, Smtpd(login=("n", ""), auth=["XOAUTH2"], token="tok-1") as server:
        oauth = {"url": told.url, "client_id": "id", "client_secret": "s3cret", "scope": "send"}
        transport = SmtpTransport(
            "127.0.0.1", server.port, security="none", username="n", oauth=oauth, connections=4
        )
        asyncio.run(transport.run(outbox, outbox))

    assert outbox.accepted == list(range(1, 41))
    assert told.asked == [
        {
            "grant_type": ["client_credentials"],
            "client_id": ["id"],
            "client_secret": ["s3cret"],
            "scope": ["send"],
        }
    ]
    assert "s3cret" not in repr(transport)


def test_a_refresh_token_asks_by_its_own_right() -> None:
    with endpoint(GIVEN) as told:
        source = TokenEndpoint(told.url, "id", "s3cret", refresh_token="1//fresh")

        assert asyncio.run(source()) == "tok-1"
        assert told.asked[0]["grant_type"] == ["refresh_token"]
        assert told.asked[0]["refresh_token"] == ["1//fresh"]
        assert "s3cret" not in repr(source)
        assert "fresh" not in repr(source)
        assert "tok-1" not in repr(source)


async def _thrice(source: TokenEndpoint) -> list[str]:
    first = await source()
    return [first, await source(), await source(first), await source(first)]


def test_a_token_serves_until_it_is_refused() -> None:
    with endpoint(GIVEN, OTHER) as told:
        source = TokenEndpoint(told.url, "id")
        found = asyncio.run(_thrice(source))

    assert found == ["tok-1", "tok-1", "tok-2", "tok-2"]
    assert len(told.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "sentence", "temporary"),
    [
        (400, {"error": "invalid_client", "error_description": "AADSTS7000215"}, "AADSTS", False),
        (401, {"error": "invalid_client"}, "status 401, invalid_client", False),
        (503, b"<html>", "status 503", True),
        (429, b"", "status 429", True),
        (200, b"not json", "status 200", False),
        (200, {"access_token": "a\r\nb"}, "status 200", False),
        (200, {"access_token": "a\x01b"}, "status 200", False),
        (200, b"x" * 100_000, "more than a token", False),
        (302, b"", "status 302", False),
    ],
)
def test_what_is_no_token(status: int, body: object, sentence: str, temporary: bool) -> None:
    with endpoint((status, body)) as told, pytest.raises(OpeningError, match=sentence) as raised:
        asyncio.run(TokenEndpoint(told.url, "id", "s3cret")())

    assert raised.value.temporary is temporary
    assert "MAILER_SMTP_CLIENT_ID" in str(raised.value.hint)
    assert "s3cret" not in str(raised.value)


def test_a_route_s_endpoint_is_told_by_the_route_s_settings() -> None:
    route = RoutePlan(name="office", host="smtp.example.net")
    with pytest.raises(OpeningError) as raised:
        asyncio.run(TokenEndpoint("http://127.0.0.1:1/token", "id", places=route.places)())

    assert raised.value.hint == (
        "Check oauth_token_url, client_id and scope of route office in mailer.toml,"
        " MAILER_SMTP_CLIENT_SECRET_OFFICE and MAILER_SMTP_REFRESH_TOKEN_OFFICE."
    )


def test_an_endpoint_that_is_not_there_may_come_back() -> None:
    with pytest.raises(OpeningError, match="No token") as raised:
        asyncio.run(TokenEndpoint("http://127.0.0.1:1/token", "id")())

    assert raised.value.temporary


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("MAILER_SMTP_AUTH=oauth2", ["USERNAME", "OAUTH_TOKEN_URL", "CLIENT_ID"]),
        ("MAILER_SMTP_AUTH=kerberos", ["AUTH"]),
        ("MAILER_SMTP_OAUTH_TOKEN_URL=http://login.example.org/token", ["OAUTH_TOKEN_URL"]),
        ("MAILER_SMTP_OAUTH_TOKEN_URL=https://", ["OAUTH_TOKEN_URL"]),
    ],
)
def test_half_a_setting_is_refused(tmp_path: Path, lines: str, named: list[str]) -> None:
    (tmp_path / ".env").write_text(lines, "utf-8")
    with without_environment(), pytest.raises(SettingsError) as raised:
        load_settings(tmp_path)

    assert [fault.message.split("=")[0].split(" ")[0] for fault in raised.value.faults] == [
        f"MAILER_SMTP_{name}" for name in named
    ]

"""A route of mailer.toml signs in with tokens: fetched, kept, fetched anew, and refused clearly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.adapters.test_token_endpoint import GIVEN, OTHER, Endpoint, endpoint
from tests.command_line import mailer
from tests.journeys.scene import make_workspace
from tests.smtpd import Smtpd

SECRET = "hush-hush"
ROUTE = """\
[[routes]]
name = "office"
host = "127.0.0.1"
port = {port}
security = "none"
username = "news@example.org"
auth = "oauth2"
oauth_token_url = "{url}"
client_id = "mailer"
scope = "send"
connections = 1
messages = {messages}
rate = {rate}
"""


def sent(
    folder: Path, server: Smtpd, told: Endpoint, people: int, messages: int = 100, rate: float = 50
) -> Any:
    """What `campaigns send` says; it may never show a secret, nor leave one in a file."""
    with make_workspace(folder, people, "sqlite:///mailer.db", 1):
        route = ROUTE.format(port=server.port, url=told.url, messages=messages, rate=rate)
        (folder / "mailer.toml").write_text(route, "utf-8")
        with (folder / ".env").open("a") as env:
            env.write(f"MAILER_SMTP_CLIENT_SECRET_OFFICE={SECRET}\n")
        result = mailer(folder, "campaigns", "send", "crowd", "--yes")
    kept = b"".join(file.read_bytes() for file in folder.glob("mailer.db*"))
    for secret in (SECRET, "tok-1", "tok-2"):
        assert secret not in result.out + result.err
        assert secret.encode() not in kept
    return result


def takes(token: str) -> Smtpd:
    """A server that reads the word of XOAUTH2 octet by octet, as Google and Microsoft publish it:
    ``user=`` … ^A ``auth=Bearer`` … ^A ^A.
    """
    return Smtpd(login=("news@example.org", ""), auth=["XOAUTH2"], token=token)


def signed_in(server: Smtpd) -> int:
    return sum(line.startswith(b"AUTH XOAUTH2") for _, line in server.commands)


def test_a_token_is_fetched_once_and_opens_the_door(tmp_path: Path) -> None:
    with endpoint(GIVEN) as told, takes("tok-1") as server:
        result = sent(tmp_path, server, told, people=6, messages=2)

    assert result.status == 0, result.err
    assert len(server.recipients) == 6
    assert signed_in(server) >= 3  # each connection for itself, by the same token
    assert told.asked == [
        {
            "grant_type": ["client_credentials"],
            "client_id": ["mailer"],
            "client_secret": [SECRET],
            "scope": ["send"],
        }
    ]


def test_a_token_that_is_over_is_fetched_again(tmp_path: Path) -> None:
    """It is good for 61 seconds and not used in its last minute; three mails take two seconds."""
    short = (200, {"access_token": "tok-1", "expires_in": 61})
    with endpoint(short, GIVEN) as told, takes("tok-1") as server:
        result = sent(tmp_path, server, told, people=3, messages=1, rate=0.8)

    assert result.status == 0, result.err
    assert (len(server.recipients), len(told.asked)) == (3, 2)


def test_one_that_was_taken_back_before_its_time_is_fetched_again(tmp_path: Path) -> None:
    with endpoint(GIVEN, OTHER) as told, takes("tok-2") as server:
        result = sent(tmp_path, server, told, people=3)

    assert result.status == 0, result.err
    assert (len(server.recipients), signed_in(server), len(told.asked)) == (3, 2, 2)


def test_a_refused_token_stops_the_run_and_marks_nobody(tmp_path: Path) -> None:
    with endpoint(GIVEN) as told, takes("another") as server:
        result = sent(tmp_path, server, told, people=3)
        shown = mailer(tmp_path, "--json", "campaigns", "show", "crowd").document

    assert result.status == 75
    assert "office: The mail server" in result.out
    assert "refused the sign-in: 535" in result.out
    assert (shown["planned"], shown["accepted"], shown["state"]) == (3, 0, "paused")


def test_an_endpoint_that_refuses_us_is_named_with_its_words(tmp_path: Path) -> None:
    said = {"error": "invalid_client", "error_description": "AADSTS7000215: the secret is over"}
    with endpoint((401, said)) as told, takes("tok-1") as server:
        result = sent(tmp_path, server, told, people=3)

    assert result.status == 75
    assert "AADSTS7000215: the secret is over" in result.out
    assert "office: No token to sign in with came from the token address" in result.out
    assert not server.recipients

"""Dovecot behind a real Postfix judges how we sign in: by token (XOAUTH2) and by password.

The tokens come from an issuer that both sides ask over HTTP: we for one, Dovecot whom it is for.
"""

from __future__ import annotations

import asyncio
import shutil
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import pbkdf2_hmac, sha256
from hmac import digest
from pathlib import Path

import pytest

from mailer.adapters.smtp_transport import SmtpTransport
from mailer.errors import WireError
from mailer.wiring.files import shipped_examples
from tests.command_line import Result, done, mailer, make_workspace
from tests.peers.dovecot_auth import Doorman, watching
from tests.peers.issuer import Issuer, issuing
from tests.peers.mailhosts import LOGIN, Mailhost, hosting
from tests.wire import PATIENT, Outbox

PASSWORD = LOGIN[1]
NEWS = "news@example.org"
PLAIN, SALTED, HASHED = "plain@example.org", "salted@example.org", "hashed@example.org"
BOTH = "scram-sha-256,plain"
DOORS = ("scram-sha-256", "plain", "login", "xoauth2", BOTH)
LENGTHS = (40, 334, 335, 336, 2500, 9000)  # one of 336 no longer fits into the command
REFUSED = r"refused the sign-in: 535 5\.7\.8"


def scram(password: str) -> str:
    """What Dovecot keeps of a password for SCRAM alone (RFC 5803): it can't be turned back."""
    salted = pbkdf2_hmac("sha256", password.encode(), b"salt and pepper!", 4096)
    stored = sha256(digest(salted, b"Client Key", "sha256")).digest()
    server = digest(salted, b"Server Key", "sha256")
    words = (b64encode(word).decode() for word in (b"salt and pepper!", stored, server))
    return "{SCRAM-SHA-256}4096," + ",".join(words)


def hashed(password: str) -> str:
    return "{SSHA256}" + b64encode(sha256(password.encode() + b"salt").digest() + b"salt").decode()


@dataclass(frozen=True)
class Place:
    """A mail server, who watches its door, and who gives the tokens."""

    mailhost: Mailhost
    doorman: Doorman
    issuer: Issuer

    def signed_in(self, way: str, name: str) -> int:
        return self.mailhost.log.count(f"sasl_method={way}, sasl_username={name}\n")

    def send(self, door: str, name: str, password: str = "", *, messages: int = 0) -> list[int]:
        """Sends three mails, with a token where there is no password."""
        outbox = Outbox(
            3, body=lambda key: b"Date: x\r\nMessage-ID: <%d@example.org>\r\n\r\nx\r\n" % key
        )
        oauth = {"url": self.issuer.token_url, "client_id": "mailer", "client_secret": "hush"}
        transport = SmtpTransport(
            "127.0.0.1",
            self.mailhost.login_ports[door],
            username=name,
            password=password,
            oauth=None if password else oauth,
            connections=1,
            messages=messages,
            helo="news.example.org",
            ca_file=self.mailhost.certificate.authority,
            timeouts=PATIENT,
        )
        asyncio.run(asyncio.wait_for(transport.run(outbox, outbox), 60))
        return outbox.accepted


@pytest.fixture(scope="module")
def running() -> Iterator[Place]:
    users = {PLAIN: "{PLAIN}" + PASSWORD, SALTED: scram(PASSWORD), HASHED: hashed(PASSWORD)}
    with (
        issuing() as issuer,
        watching(users, issuer.site) as doorman,
        hosting({"p@e.org": "550 No"}, logins=DOORS, dovecot=doorman.socket) as mailhost,
    ):
        yield Place(mailhost, doorman, issuer)


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    """The same place for each test, as its issuer was at the beginning."""
    running.issuer.begin_anew(NEWS)
    before = len(running.mailhost.log), len(running.doorman.log)
    yield running
    print(running.mailhost.log[before[0] :], running.doorman.log[before[1] :])  # for a failure


# Tokens.


@pytest.mark.parametrize("length", LENGTHS)
def test_a_token_gets_in(place: Place, length: int) -> None:
    """A short one travels in the command, a long one, as Microsoft's are, after it."""
    place.issuer.length = length
    before = place.signed_in("XOAUTH2", NEWS)

    assert place.send("xoauth2", NEWS) == [1, 2, 3]
    assert place.signed_in("XOAUTH2", NEWS) == before + 3
    assert place.issuer.checked == place.issuer.given  # octet for octet
    assert [len(token) for token in place.issuer.given] == [length]


@pytest.mark.parametrize("length", [40, 2500])
def test_a_token_that_is_over_does_not(place: Place, length: int) -> None:
    """Dovecot first says why in JSON, to be answered with nothing; then Postfix refuses."""
    place.issuer.length, place.issuer.uses = length, 0
    before = len(place.doorman.log)

    with pytest.raises(WireError, match=REFUSED):
        place.send("xoauth2", NEWS)
    assert len(place.issuer.given) == 2  # a new one, once, and no third
    assert place.issuer.checked == place.issuer.given
    assert place.doorman.log[before:].count(f"oauth2({NEWS},127.0.0.1): oauth2 failed") == 2


def test_a_token_of_somebody_else_does_not(place: Place) -> None:
    before = len(place.doorman.log)

    with pytest.raises(WireError, match=REFUSED):
        place.send("xoauth2", PLAIN)
    assert f"Username '{PLAIN}' did not match '{NEWS}'" in place.doorman.log[before:]


@pytest.mark.parametrize("length", [40, 2500])
def test_each_connection_gets_a_new_token_when_the_last_is_over(place: Place, length: int) -> None:
    """A token is good for one sign-in here, and a connection carries one mail: what was refused is
    replaced and tried again in the same dialogue."""
    place.issuer.length, place.issuer.uses = length, 1

    assert place.send("xoauth2", NEWS, messages=1) == [1, 2, 3]
    first, second, third = place.issuer.given
    assert place.issuer.checked == [first, first, second, second, third]


def send_issue(folder: Path, place: Place) -> tuple[Path, Result]:
    """Sends the sample issue to two people from the command line, with a token."""
    workspace = make_workspace(
        folder / "news",
        smtp_port=place.mailhost.login_ports["xoauth2"],
        smtp_security="starttls",
        smtp_ca_file=place.mailhost.certificate.authority,
        smtp_helo="news.example.org",
        smtp_username=NEWS,
        smtp_auth="oauth2",
        smtp_oauth_token_url=place.issuer.token_url,
        smtp_client_id="mailer",
        smtp_client_secret="hush-hush",
    )
    contacts = workspace / "contacts.csv"
    people = ("email,first_name,city", "anna@example.net,Anna,Porto", "zoe@example.net,Zoë,Porto")
    contacts.write_text("\n".join(people), "utf-8")
    issue = workspace / "data/issues/edition"
    shutil.copytree(shipped_examples() / "issues/tide-table", issue)
    taken = ("--list", "coast", "--create-list", "--map", "city=city")
    done(workspace, "import", str(contacts), *taken)
    done(workspace, "campaigns", "plan", str(issue), "--list", "coast")
    return workspace, mailer(workspace, "campaigns", "send", "edition", "--yes")


def test_a_refused_token_stops_the_run_and_a_good_one_goes_on(tmp_path: Path, place: Place) -> None:
    place.mailhost.mailbox(0)
    place.issuer.uses = 0
    workspace, stopped = send_issue(tmp_path, place)
    between = done(workspace, "campaigns", "show", "edition")
    place.issuer.uses = 1000
    finished = done(workspace, "campaigns", "send", "edition", "--yes")
    mails = place.mailhost.mailbox(2)

    assert stopped.status == 75, stopped.out + stopped.err
    said = stopped.out + stopped.err
    assert "refused the sign-in: 535 5.7.8 Error: authentication failed" in said
    assert "Check MAILER_SMTP_USERNAME, and that the client may send as that mailbox." in said
    assert not any(secret in said for secret in (*place.issuer.given, "hush-hush"))
    assert (between["planned"], between["accepted"], between["state"]) == (2, 0, "paused")
    assert (finished["accepted"], finished["state"]) == (2, "finished")
    assert sorted(mail.recipient for mail in mails) == ["anna@example.net", "zoe@example.net"]


# Passwords.


@pytest.mark.parametrize("name", [PLAIN, SALTED, HASHED])
@pytest.mark.parametrize("door", ["plain", "login"])
def test_the_right_password_gets_in(place: Place, door: str, name: str) -> None:
    before = place.signed_in(door.upper(), name)

    assert place.send(door, name, PASSWORD) == [1, 2, 3]
    assert place.signed_in(door.upper(), name) == before + 3


@pytest.mark.parametrize("name", [PLAIN, SALTED])
def test_scram_gets_in_whatever_dovecot_can_make_its_keys_of(place: Place, name: str) -> None:
    before = place.signed_in("SCRAM-SHA-256", name)

    assert place.send("scram-sha-256", name, PASSWORD) == [1, 2, 3]
    assert place.signed_in("SCRAM-SHA-256", name) == before + 3


def test_scram_does_not_where_dovecot_keeps_another_hash(place: Place) -> None:
    before = len(place.doorman.log)

    with pytest.raises(WireError, match=REFUSED):
        place.send("scram-sha-256", HASHED, PASSWORD)
    assert "Requested SCRAM-SHA-256 scheme, but we have only SSHA256" in place.doorman.log[before:]


@pytest.mark.parametrize("name", [PLAIN, SALTED])
@pytest.mark.parametrize("door", ["scram-sha-256", "plain", "login", BOTH])
def test_a_wrong_password_does_not(place: Place, door: str, name: str) -> None:
    with pytest.raises(WireError, match=REFUSED):
        place.send(door, name, "another one")


@pytest.mark.parametrize(("name", "way"), [(SALTED, "SCRAM-SHA-256"), (HASHED, "PLAIN")])
def test_scram_goes_first_and_plain_after_a_server_that_can_not(
    place: Place, name: str, way: str
) -> None:
    before = place.signed_in(way, name)

    assert place.send(BOTH, name, PASSWORD) == [1, 2, 3]
    assert place.signed_in(way, name) == before + 3


def test_nobody_gets_in_without(place: Place) -> None:
    """Else the tests above would prove little."""
    outbox = Outbox(1)
    transport = SmtpTransport(
        "127.0.0.1",
        place.mailhost.login_ports["xoauth2"],
        helo="news.example.org",
        ca_file=place.mailhost.certificate.authority,
        timeouts=PATIENT,
    )
    asyncio.run(asyncio.wait_for(transport.run(outbox, outbox), 60))

    assert outbox.words(1) == "answered rcpt 554"

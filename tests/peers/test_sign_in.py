"""Cyrus SASL behind a real Postfix takes each way in which we sign in, and no wrong password."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from mailer.adapters.smtp_transport import SmtpTransport
from mailer.errors import WireError
from tests.peers.mailhosts import CYRUS_WAYS, LOGIN, Mailhost, hosting
from tests.wire import PATIENT, Outbox


@pytest.fixture(scope="module")
def mailhost() -> Iterator[Mailhost]:
    with hosting({"p@example.org": "550 5.1.1 No"}, logins=CYRUS_WAYS) as host:
        yield host


def send(mailhost: Mailhost, way: str, username: str, password: str) -> Outbox:
    outbox = Outbox(
        3, body=lambda key: b"Date: x\r\nMessage-ID: <%d@example.org>\r\n\r\nx\r\n" % key
    )
    transport = SmtpTransport(
        "127.0.0.1",
        mailhost.login_ports[way],
        username=username,
        password=password,
        helo="news.example.org",
        ca_file=mailhost.certificate.authority,
        timeouts=PATIENT,
    )
    asyncio.run(asyncio.wait_for(transport.run(outbox, outbox), 60))
    return outbox


@pytest.mark.parametrize("way", CYRUS_WAYS)
def test_the_right_password_gets_in(mailhost: Mailhost, way: str) -> None:
    outbox = send(mailhost, way, *LOGIN)

    assert outbox.accepted == [1, 2, 3]
    assert f"sasl_method={way.upper()}, sasl_username={LOGIN[0]}" in mailhost.log


@pytest.mark.parametrize("way", CYRUS_WAYS)
def test_a_wrong_password_does_not(mailhost: Mailhost, way: str) -> None:
    with pytest.raises(WireError, match="refused the sign-in: 535"):
        send(mailhost, way, LOGIN[0], "another one")


@pytest.mark.parametrize("way", CYRUS_WAYS)
def test_nobody_gets_in_without(mailhost: Mailhost, way: str) -> None:
    """Else the tests above would prove little."""
    outbox = send(mailhost, way, "", "")

    assert outbox.accepted == []
    assert {outbox.words(key) for key in (1, 2, 3)} == {"answered rcpt 554"}

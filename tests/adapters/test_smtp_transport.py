"""The transport carries mail from plain values, and says which setting is no use."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.adapters.inbox import Inbox
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.errors import SettingsError, WireError
from mailer.ports import Transport
from tests.certificates import make_certificate
from tests.smtpd import Smtpd
from tests.wire import PATIENT, Outbox


def send(transport: Transport, outbox: Outbox) -> None:
    asyncio.run(asyncio.wait_for(transport.run(outbox, outbox), 30))


def test_mail_goes_from_plain_values_to_an_inbox() -> None:
    outbox = Outbox(50)
    with Inbox() as inbox:
        send(SmtpTransport(inbox.host, inbox.port, security="none", connections=4), outbox)

    assert outbox.accepted == list(range(1, 51))
    assert sorted(mail.data for mail in inbox.messages) == sorted(
        outbox.body(key) for key in outbox.accepted
    )


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_through_tls_with_an_authority_of_one_s_own(
    security: str, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    outbox = Outbox(3)
    server = Smtpd(certificate=certificate, tls=security == "tls", login=("news", "secret"))
    with server:
        transport = SmtpTransport(
            "localhost",
            server.port,
            security=security,
            username="news",
            password="secret",
            helo="news.example.org",
            messages=2,
            connections=1,
            ca_file=certificate.authority,
            timeouts=PATIENT,
        )
        send(transport, outbox)

    assert outbox.accepted == [1, 2, 3]
    assert [mail.connection for mail in server.accepted] == [1, 1, 2]
    assert server.lines("EHLO")[-1] == b"EHLO news.example.org"
    assert "secret" not in repr(transport)


@pytest.mark.parametrize("content", [None, b"not a certificate"])
def test_a_file_of_authorities_that_is_no_use_is_named(
    content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_bytes(content)
    outbox = Outbox(1)
    with pytest.raises(SettingsError, match="MAILER_SMTP_CA_FILE") as raised:
        send(SmtpTransport("127.0.0.1", ca_file=file), outbox)

    assert str(file) in str(raised.value)
    assert not outbox.in_hand


def test_the_system_s_authorities_do_not_know_ours(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "127.0.0.1")
    outbox = Outbox(1)
    with Smtpd(certificate=certificate) as server, pytest.raises(WireError, match="certificate"):
        send(SmtpTransport("127.0.0.1", server.port), outbox)

    assert not outbox.finals


def test_an_unknown_security_is_refused() -> None:
    with pytest.raises(ValueError, match="ssl3"):
        SmtpTransport("127.0.0.1", security="ssl3")

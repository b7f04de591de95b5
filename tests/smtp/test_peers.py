"""A server that we did not write takes our mail, with and without PIPELINING."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mailer.smtp.pool import Pool
from mailer.smtp.route import Route, Security
from tests.certificates import Certificate
from tests.wire import PATIENT, Outbox, letter


class Keeper:
    """Keeps what it is given, and refuses whom it does not know."""

    def __init__(self, *, pipelining: bool) -> None:
        self.pipelining = pipelining
        self.kept: list[tuple[str, list[str], bytes, list[str]]] = []

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = name
        more = ["250-PIPELINING", "250-ENHANCEDSTATUSCODES"] if self.pipelining else []
        return [*replies[:-1], *more, replies[-1]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("r3@"):
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.original_content, bytes)
        assert envelope.mail_from is not None
        self.kept.append(
            (
                envelope.mail_from,
                list(envelope.rcpt_tos),
                envelope.original_content,
                list(envelope.mail_options),
            )
        )
        return "250 2.0.0 Kept"


@pytest.fixture(params=[True, False], ids=["pipelined", "lock-step"])
def keeper(request: pytest.FixtureRequest) -> Keeper:
    return Keeper(pipelining=request.param)


@pytest.fixture
def peer(keeper: Keeper) -> Iterator[Controller]:
    controller = Controller(keeper, hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=True)
    controller.start()
    yield controller
    controller.stop()


def free_port() -> int:
    """A port of the system's choice: aiosmtpd does not tell which one it was given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def send(outbox: Outbox, route: Route, connections: int = 3) -> None:
    pool = Pool(route, connections=connections, timeouts=PATIENT)
    asyncio.run(asyncio.wait_for(pool.run(outbox, outbox), 30))


def test_it_takes_every_byte_as_it_was_rendered(keeper: Keeper, peer: Controller) -> None:
    outbox = Outbox(60, body=lambda key: letter(key, b".\r\n..two\r\n" * (key % 4)))
    send(outbox, Route("127.0.0.1", peer.port, Security.none))

    assert outbox.words(3) == "answered rcpt 550"
    assert outbox.accepted == [1, 2, *range(4, 61)]
    assert sorted(data for _, _, data, _ in keeper.kept) == sorted(
        outbox.body(key) for key in outbox.accepted
    )


def test_it_takes_international_mail(keeper: Keeper, peer: Controller) -> None:
    outbox = Outbox(
        2, sender="grüße@example.org", smtputf8=True, body=lambda key: "Subject: ö\r\n".encode()
    )
    outbox.recipients[2] = "用户@例子.广告"
    send(outbox, Route("127.0.0.1", peer.port, Security.none), connections=1)

    assert outbox.accepted == [1, 2]
    sender, recipients, data, options = keeper.kept[1]
    assert (sender, recipients) == ("grüße@example.org", ["用户@例子.广告"])
    assert data == "Subject: ö\r\n".encode()
    assert {"SMTPUTF8", "BODY=8BITMIME", f"SIZE={len(data)}"} <= set(options)


def test_it_lets_us_in_through_starttls_with_a_password(
    keeper: Keeper, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = (data.login, data.password) == (b"news", "dürüm".encode())
        return AuthResult(success=good)

    controller = Controller(
        keeper,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=certificate.context(),
        require_starttls=True,
        authenticator=authenticate,
        auth_required=True,
    )
    controller.start()
    outbox = Outbox(10)
    try:
        send(
            outbox,
            Route(
                "localhost", controller.port, Security.starttls, "news", "dürüm", context=trusting
            ),
        )
    finally:
        controller.stop()

    assert len(outbox.accepted) == 9
    assert len(keeper.kept) == 9

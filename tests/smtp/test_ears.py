"""Ears hear whoever has something to read, and nobody who has left."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from mailer.smtp.connection import Connection
from mailer.smtp.ears import Ears
from mailer.smtp.pool import Pool
from mailer.smtp.route import Route, Security
from tests.certificates import Certificate
from tests.smtpd import Smtpd
from tests.wire import PATIENT, Outbox


def test_who_was_ended_by_the_one_before_is_not_heard_any_more() -> None:
    async def main() -> list[str]:
        heard: list[str] = []
        pairs = [socket.socketpair() for _ in range(3)]
        with Ears() as ears:

            def listen(number: int) -> None:
                ours = pairs[number][0]

                def hear() -> None:
                    heard.append(ours.recv(99).decode())
                    if len(heard) == 1:  # the first ends the two others, which are ready too
                        for other, _ in pairs:
                            if other is not ours:
                                ears.leave(other.fileno())

                ears.listen(ours.fileno(), hear)

            for number, (_, theirs) in enumerate(pairs):
                listen(number)
                theirs.send(b"one")
            await asyncio.sleep(0.02)
            for _, theirs in pairs:
                theirs.send(b"two")
            await asyncio.sleep(0.02)
        for pair in pairs:
            for each in pair:
                each.close()
        return heard

    assert asyncio.run(main()) == ["one", "two"]


@pytest.mark.parametrize("security", [Security.none, Security.starttls])
def test_mail_in_the_clear_is_heard_by_them_and_tls_by_its_transport(
    security: Security,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Certificate,
    trusting: ssl.SSLContext,
) -> None:
    ways: list[str] = []

    def watched(name: str, way: str) -> None:
        does = getattr(Connection, name)

        def do(connection: Connection, *about: int) -> None:
            ways.append(way)
            does(connection, *about)

        monkeypatch.setattr(Connection, name, do)

    watched("_read", "ears")
    watched("buffer_updated", "transport")
    outbox = Outbox(20)
    with Smtpd(certificate=certificate) as server:
        route = Route(server.host, server.port, security, context=trusting)
        asyncio.run(Pool(route, connections=1, timeouts=PATIENT).run(outbox, outbox))

    assert len(outbox.accepted) == 20
    assert (ways.count("ears") >= 20) is (security is Security.none)
    assert (ways.count("transport") >= 20) is (security is Security.starttls)
    assert (ways[0], ways[-1]) == ("transport", "transport")  # greeting, and QUIT

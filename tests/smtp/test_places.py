"""A hint about the wire names the settings of the very server that it is about."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest

from mailer.smtp.opening import OpeningError, open_connection
from mailer.smtp.route import Route, Security, Timeouts, variables
from tests.certificates import Certificate
from tests.smtpd import Act, Smtpd, raw, say
from tests.wire import PATIENT

NO = say("550 5.7.1 No")
PLAIN, STARTTLS, TLS = Security.none, Security.starttls, Security.tls
SIGNED = ("news", "secret")


def told(*names: str) -> str:
    return f"<{' '.join(names)}>"


def refused(route: Route, timeouts: Timeouts = PATIENT) -> OpeningError:
    with pytest.raises(OpeningError) as raised:
        asyncio.run(asyncio.wait_for(open_connection(route, timeouts), 30))
    return raised.value


@pytest.mark.parametrize(
    ("acts", "security", "login", "named"),
    [
        ({"ehlo": NO, "helo": NO}, PLAIN, ("", ""), "<helo>"),
        ({}, STARTTLS, ("", ""), "<security port>"),
        ({"auth": say("535 5.7.8 No")}, PLAIN, SIGNED, "<username password>"),
        ({"greeting": raw(b"")}, TLS, ("", ""), "<security port>"),
    ],
)
def test_the_hint_names_what_the_route_is_set_by(
    acts: dict[str, Act], security: Security, login: tuple[str, str], named: str
) -> None:
    with Smtpd(login=login if login[0] else None) as server:
        for stage, act in acts.items():
            server.at(stage, act)
        # One of them answers no handshake; the error is the same however long it is waited for.
        timeouts = replace(PATIENT, tls=0.3)
        error = refused(Route("127.0.0.1", server.port, security, *login, places=told), timeouts)

    assert named in error.advice
    assert named in str(error)
    assert "MAILER_" not in str(error)


@pytest.mark.parametrize("places", [told, variables])
def test_an_unknown_authority_and_a_closed_port(
    places: Callable[..., str], certificate: Certificate
) -> None:
    with Smtpd(certificate=certificate) as server:
        port = server.port
        context = ssl.create_default_context()
        unknown = refused(Route("127.0.0.1", port, context=context, places=places))
    closed = refused(Route("127.0.0.1", port, places=places))

    assert f"Check that {places('host')} is the name" in unknown.advice
    assert places("ca_file") in unknown.advice
    assert closed.advice == f"Check {places('host', 'port')}."
    assert str(closed.hint).endswith("run the same command again when the server answers.")


def test_the_variables_of_the_one_server() -> None:
    assert variables("host", "port") == "MAILER_SMTP_HOST and MAILER_SMTP_PORT"
    assert variables("ca_file") == "MAILER_SMTP_CA_FILE"

"""Nothing travels in the clear that was to be secret, and a refusal says what to do."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mailer.errors import WireError
from mailer.model.words import Stage
from mailer.smtp import opening
from mailer.smtp.opening import OpeningError
from mailer.smtp.pool import Pool
from mailer.smtp.route import Route, Security, Timeouts, system_context
from tests.certificates import Certificate, make_certificate
from tests.smtpd import Act, Smtpd, drop, raw, say, stall
from tests.wire import PATIENT, Outbox

SECRET = ("news", "dürüm 🔑")
WITH_TLS = [Security.starttls, Security.tls]


def serve(
    certificate: Certificate,
    security: Security,
    *,
    chop: bool = False,
    login: tuple[str, str] | None = None,
    auth: Sequence[str] = ("PLAIN", "LOGIN"),
) -> Smtpd:
    tls = security is Security.tls
    return Smtpd(certificate=certificate, tls=tls, chop=chop, login=login, auth=auth)


def send(
    server: Smtpd,
    security: Security,
    context: ssl.SSLContext | None = None,
    *,
    host: str = "127.0.0.1",
    login: tuple[str, str] = ("", ""),
    timeouts: Timeouts = PATIENT,
    helo: str = "",
    count: int = 3,
) -> Outbox:
    outbox = Outbox(count)
    route = Route(host, server.port, security, login[0], login[1], helo=helo, context=context)
    wire = Pool(route, connections=1, timeouts=timeouts, pauses=())
    try:
        asyncio.run(asyncio.wait_for(wire.run(outbox, outbox), 30))
    finally:
        assert not outbox.in_hand
    return outbox


@pytest.mark.parametrize("chop", [False, True])
@pytest.mark.parametrize("security", WITH_TLS)
def test_mail_travels_through_tls(
    security: Security, chop: bool, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    with serve(certificate, security, chop=chop, login=SECRET) as server:
        outbox = send(server, security, trusting, login=SECRET, count=20)

    assert outbox.accepted == list(range(1, 21))
    assert len(server.accepted) == 20
    ehlos = len(server.lines("EHLO"))
    assert ehlos == server.connections * (2 if security is Security.starttls else 1)


@pytest.mark.parametrize("security", WITH_TLS)
def test_a_large_text_travels_through_tls(
    security: Security, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    large = b"x" * 70 + b"\r\n.\r\n"
    outbox = Outbox(3, body=lambda key: large * 60_000)
    with serve(certificate, security) as server:
        route = Route("localhost", server.port, security, context=trusting)
        wire = Pool(route, connections=1, timeouts=PATIENT)
        asyncio.run(asyncio.wait_for(wire.run(outbox, outbox), 60))

    assert outbox.accepted == [1, 2, 3]
    assert [mail.data == large * 60_000 for mail in server.accepted] == [True] * 3


@pytest.mark.parametrize("security", WITH_TLS)
def test_an_unknown_authority_is_not_trusted(security: Security, certificate: Certificate) -> None:
    with serve(certificate, security) as server, pytest.raises(WireError) as raised:
        send(server, security)

    assert "certificate does not hold" in raised.value.message
    assert "MAILER_SMTP_CA_FILE" in str(raised.value.hint)
    assert not server.lines("MAIL")


@pytest.mark.parametrize("security", WITH_TLS)
def test_a_certificate_for_another_name_is_not_trusted(
    security: Security, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = make_certificate(tmp_path_factory.mktemp("other"), "mail.example.org")
    context = system_context(str(other.authority))
    with serve(other, security) as server, pytest.raises(WireError, match="mismatch"):
        send(server, security, context)

    assert not server.lines("MAIL")


def test_contexts_verify_and_refuse_old_tls() -> None:
    context = system_context()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_starttls_that_is_not_offered_is_not_done_without() -> None:
    with Smtpd(login=SECRET) as server, pytest.raises(WireError, match="does not offer STARTTLS"):
        send(server, Security.starttls, login=SECRET)

    assert not server.lines("AUTH")
    assert not server.lines("MAIL")


@pytest.mark.parametrize("reply", ["454 4.7.0 Not now", "502 5.5.1 No"])
def test_starttls_that_is_refused_is_not_done_without(
    reply: str, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve(certificate, Security.starttls).at("starttls", say(reply))
    with server, pytest.raises(WireError, match=f"refused STARTTLS: {reply}"):
        send(server, Security.starttls, trusting)

    assert not server.lines("MAIL")


@pytest.mark.parametrize(
    "injected",
    [
        b"220 Go on\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n",
        b"220 Go on\r\n250",
        b"220 Go on\r\n\x16",
    ],
)
def test_bytes_ahead_of_the_handshake_end_it(
    injected: bytes, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve(certificate, Security.starttls).at("starttls", raw(injected))
    with server, pytest.raises(WireError, match="ahead of the TLS handshake"):
        send(server, Security.starttls, trusting)

    assert not server.lines("MAIL")


def test_a_greeting_ahead_of_the_handshake_is_not_heard(
    certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve(certificate, Security.tls).at("preface", say("220 Trust me"))
    with server, pytest.raises(WireError, match="No secure connection"):
        send(server, Security.tls, trusting)


def test_offers_from_before_tls_are_forgotten(
    certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    with serve(certificate, Security.starttls, login=SECRET) as server:
        server.at("ehlo", say("250-smtpd.test", "250-PIPELINING", "250 8BITMIME"), nth=2)
        with pytest.raises(WireError, match=r"no way to log in.*offers: none"):
            send(server, Security.starttls, trusting, login=SECRET)

    assert not server.lines("AUTH")


@pytest.mark.parametrize("security", WITH_TLS)
@pytest.mark.parametrize("act", [drop(), stall(), raw(b"220 go\r\n", takes=False)])
def test_a_handshake_that_does_not_happen_is_said_so(
    act: Act, security: Security, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    """The server of these tests speaks no TLS where the client expects it."""
    timeouts = replace(PATIENT, tls=0.4, command=0.8)
    step = "starttls" if security is Security.starttls else "greeting"
    server = Smtpd(offers=["STARTTLS"]).at(step, act)
    with server, pytest.raises(WireError, match=r"The mail server|No secure connection"):
        send(server, security, trusting, timeouts=timeouts)

    assert not server.lines("MAIL")


@pytest.mark.parametrize("auth", [("PLAIN", "LOGIN"), ("PLAIN",), ("LOGIN",), ("XOAUTH2", "LOGIN")])
@pytest.mark.parametrize("security", [Security.none, *WITH_TLS])
def test_log_in_with_what_is_offered(
    security: Security, auth: tuple[str, ...], certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    with serve(certificate, security, login=SECRET, auth=auth) as server:
        outbox = send(server, security, trusting, login=SECRET)

    assert outbox.accepted == [1, 2, 3]
    mechanism = "PLAIN" if "PLAIN" in auth else "LOGIN"
    assert server.lines("AUTH")[0].split()[1] == mechanism.encode()


@pytest.mark.parametrize("auth", ["PLAIN", "LOGIN"])
def test_a_wrong_password_is_said_once_and_not_shown(auth: str) -> None:
    with Smtpd(login=SECRET, auth=[auth]) as server, pytest.raises(OpeningError) as raised:
        send(server, Security.none, login=("news", "Pa55word"))

    error = raised.value
    assert "535 5.7.8 Wrong user name or password" in error.message
    assert "MAILER_SMTP_PASSWORD" in str(error.hint)
    assert "Pa55word" not in f"{error} {error!r}"
    assert (error.stage, error.temporary) == (Stage.auth, False)
    assert server.connections == 1
    assert len(server.lines("AUTH")) == 1


def test_a_log_in_that_is_refused_for_now_is_temporary() -> None:
    server = Smtpd(login=SECRET).at("auth", say("454 4.7.0 Try later"))
    with server, pytest.raises(OpeningError, match=r"454 4\.7\.0 Try later") as raised:
        send(server, Security.none, login=SECRET)

    assert raised.value.temporary
    assert "PASSWORD" not in str(raised.value.hint)  # nobody looks for a mistake of theirs


@pytest.mark.parametrize("auth", [(), ("XOAUTH2", "GSSAPI")])
def test_no_common_way_to_log_in_names_what_is_offered(auth: tuple[str, ...]) -> None:
    with Smtpd(login=SECRET, auth=auth) as server, pytest.raises(WireError) as raised:
        send(server, Security.none, login=SECRET)

    assert ", ".join(sorted(auth) or ["none"]) in raised.value.message
    assert not server.lines("AUTH")


def test_a_password_is_not_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the server stood elsewhere: this machine may have no other address.
    monkeypatch.setattr(opening._Opening, "endpoint", lambda self, which: "192.0.2.1")
    clear = "would travel in the clear"
    with Smtpd(login=SECRET) as server, pytest.raises(WireError, match=clear) as raised:
        send(server, Security.none, login=SECRET)

    assert "MAILER_SMTP_SECURITY" in str(raised.value.hint)
    assert not server.lines("AUTH")


@pytest.mark.parametrize(
    ("host", "helo", "said"),
    [
        ("127.0.0.1", "", b"EHLO [127.0.0.1]"),
        ("127.0.0.1", "news.example.org", b"EHLO news.example.org"),
        ("::1", "", b"EHLO [IPv6:::1]"),
    ],
)
def test_we_say_who_we_are(host: str, helo: str, said: bytes) -> None:
    with Smtpd(host=host) as server:
        send(server, Security.none, host=host, helo=helo)

    assert server.lines("EHLO") == [said]


def test_a_name_that_the_server_does_not_like_is_said_so() -> None:
    refusal = say("550 5.7.1 Who?")
    server = Smtpd().at("ehlo", refusal).at("helo", refusal)
    with server, pytest.raises(WireError, match=r"the name elsewhere: 550 5\.7\.1 Who") as raised:
        send(server, Security.none, helo="elsewhere")

    assert "MAILER_SMTP_HELO" in str(raised.value.hint)


def test_a_route_shows_no_password() -> None:
    assert SECRET[1] not in repr(Route("mail.example.org", 587, Security.tls, *SECRET))

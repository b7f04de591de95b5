"""Signing in: the published examples, a server that proves itself, and no secret astray."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scramp import ScramException, ScramMechanism

from mailer.model.words import Stage
from mailer.smtp.opening import OpeningError
from mailer.smtp.pool import Pool
from mailer.smtp.route import Route, Security, TokenSource
from mailer.smtp.sasl import SaslError, Scram, XOAuth2, prepared
from tests.smtpd import Act, Smtpd, say
from tests.wire import PATIENT, Outbox

SECRET = ("news", "dürüm, =ﬁ")
LETTERS = 'ab9 ,="äÉßﬁⅨª\xad\xa0ж世ب'
ALL = ("SCRAM-SHA-256", "PLAIN", "LOGIN")


def send(
    server: Smtpd, login: tuple[str, str] = SECRET, token: TokenSource | None = None
) -> Outbox:
    outbox = Outbox(3)
    route = Route(server.host, server.port, Security.none, *login, token=token)
    pool = Pool(route, connections=1, timeouts=PATIENT, pauses=())
    asyncio.run(asyncio.wait_for(pool.run(outbox, outbox), 30))
    return outbox


def said(server: Smtpd) -> list[str]:
    """The mechanisms that were tried, in order."""
    return [line.split()[1].decode() for line in server.lines("AUTH")]


def test_the_example_of_the_standard() -> None:
    """RFC 7677 section 3."""
    scram = Scram("user", "pencil", "rOprNGfwEbeRWgbNEkqO")
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert scram.answer(f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode()) == (
        f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
    )
    assert scram.answer(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == b""
    scram.accepted()


@given(
    st.text(st.sampled_from(LETTERS), min_size=1, max_size=12),
    st.text(st.sampled_from(LETTERS), min_size=1, max_size=12),
)
def test_another_library_takes_what_we_say_and_we_what_it_says(name: str, password: str) -> None:
    scram = ScramMechanism("SCRAM-SHA-256")
    try:
        known = prepared(name)
        secret = scram.make_auth_info(password, iteration_count=4096)
        scram.make_auth_info(known or "x")
    except (SaslError, ScramException):  # they don't take the newest letters
        known = ""
    assume(known)
    names: dict[str, object] = {}
    server = scram.make_server(lambda user: names.setdefault(user, secret))
    ours = Scram(name, password, "Zg9xPq2")
    server.set_client_first(ours.first().decode())
    server.set_client_final(ours.answer(server.get_server_first().encode()).decode())

    assert ours.answer(server.get_server_final().encode()) == b""
    ours.accepted()
    assert [each.replace("=2C", ",").replace("=3D", "=") for each in names] == [known]


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"r=abc,s=c2FsdA==,i=4096",  # not our nonce
        b"r=Zg9xPq2,s=c2FsdA==,i=4096",  # nothing of its own
        b"r=Zg9xPq2x,s=c2FsdA==,i=1",  # too few: a captured answer could be guessed from
        b"r=Zg9xPq2x,s=c2FsdA==,i=999999999",  # an hour of work
        b"r=Zg9xPq2x,s=,i=4096",
        b"r=Zg9xPq2x,s=c2Fsd,i=4096",
        b"m=x,r=Zg9xPq2x,s=c2FsdA==,i=4096",  # an extension that must be understood
        b"r=Zg9xPq2x,s=c2FsdA==",
    ],
)
def test_a_challenge_that_is_not_safe_is_not_answered(challenge: bytes) -> None:
    scram = Scram("user", "pencil", "Zg9xPq2")

    with pytest.raises(SaslError):
        scram.answer(challenge)


@given(st.binary(max_size=60))
def test_no_challenge_whatever_makes_it_believe(challenge: bytes) -> None:
    scram = Scram("user", "pencil", "Zg9xPq2")
    scram.answer(b"r=Zg9xPq2x,s=c2FsdA==,i=4096")
    with contextlib.suppress(SaslError):
        scram.answer(challenge)

    with pytest.raises(SaslError, match="without proving"):
        scram.accepted()


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("I\xadX", "IX"),
        ("user", "user"),
        ("\xaa", "a"),
        ("\u2168", "IX"),
        ("a\xa0b", "a b"),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_the_examples_of_saslprep(text: str, result: str) -> None:
    """RFC 4013 section 3."""
    assert prepared(text) == result


@pytest.mark.parametrize("text", ["\x07", "\u0627\x31", "a\u0627", "\ue000"])
def test_what_saslprep_prohibits(text: str) -> None:
    with pytest.raises(SaslError):
        prepared(text)


@pytest.mark.parametrize("auth", [ALL, ALL[::-1], ALL[:1]])
def test_scram_is_preferred_and_the_password_does_not_travel(auth: tuple[str, ...]) -> None:
    with Smtpd(login=SECRET, auth=auth) as server:
        outbox = send(server)

    assert outbox.accepted == [1, 2, 3]
    assert said(server) == ["SCRAM-SHA-256"]
    everything = b"\n".join(line for _, line in server.commands)
    assert b64encode(SECRET[1].encode()).rstrip(b"=")[:8] not in everything


def other_signature(words: str) -> str:
    return "v=" + b64encode(bytes(32)).decode() if words.startswith("v=") else words


@pytest.mark.parametrize(
    ("bend", "sentence"),
    [
        (other_signature, "signature is wrong"),
        (lambda words: "" if words.startswith("v=") else words, "signature is wrong"),
        (lambda words: words.replace("i=4096", "i=64"), "64 SCRAM iterations"),
        (lambda words: words.replace("r=", "r=x"), "not about this dialogue"),
    ],
)
def test_a_server_that_does_not_prove_itself_gets_nothing(
    bend: Callable[[str], str], sentence: str
) -> None:
    """Nor is PLAIN tried then, which would give the password away."""
    server = Smtpd(login=SECRET, auth=ALL, bend=bend)
    with server, pytest.raises(OpeningError, match=sentence) as raised:
        send(server)

    assert said(server) == ["SCRAM-SHA-256"]
    assert not server.lines("MAIL")
    assert (raised.value.stage, raised.value.temporary) == (Stage.auth, False)


def test_a_server_without_a_secret_for_scram_is_asked_in_another_way() -> None:
    """As one that keeps a hash of its own for this user."""
    with Smtpd(login=SECRET, auth=ALL, bend=lambda words: words.replace("v=", "e=x")) as server:
        server.at("auth", say_no(), holding=b"SCRAM")
        outbox = send(server)

    assert outbox.accepted == [1, 2, 3]
    assert said(server) == ["SCRAM-SHA-256", "PLAIN"]


def say_no() -> Act:

    return say("535 5.7.8 No")


def test_a_wrong_password_is_refused_by_both_ways_and_not_shown() -> None:
    with Smtpd(login=SECRET, auth=ALL) as server, pytest.raises(OpeningError) as raised:
        send(server, ("news", "Pa55word"))

    assert said(server) == ["SCRAM-SHA-256", "PLAIN"]
    assert "535 5.7.8" in raised.value.message
    assert "Pa55word" not in f"{raised.value} {raised.value!r}"


def giving(*tokens: str) -> tuple[TokenSource, list[str]]:
    asked: list[str] = []

    async def token(refused: str) -> str:
        asked.append(refused)
        return tokens[min(len(asked), len(tokens)) - 1]

    return token, asked


@pytest.mark.parametrize("length", [20, 3000])
def test_a_token_signs_in(length: int) -> None:
    """A long one waits for its turn: a command line has 512 octets (RFC 5321 4.5.3.1.4)."""
    word = "t" * length
    token, asked = giving(word)
    with Smtpd(login=SECRET, auth=["XOAUTH2", "PLAIN"], token=word) as server:
        outbox = send(server, ("news", ""), token)

    assert outbox.accepted == [1, 2, 3]
    assert asked == [""]
    assert max(map(len, server.lines("AUTH"))) <= 510


def test_a_token_that_was_taken_back_is_asked_for_once_more() -> None:
    token, asked = giving("old", "new")
    with Smtpd(login=SECRET, auth=["XOAUTH2"], token="new") as server:
        outbox = send(server, ("news", ""), token)

    assert outbox.accepted == [1, 2, 3]
    assert asked == ["", "old"]


def test_a_token_that_is_refused_again_stops() -> None:
    token, asked = giving("old", "older")
    server = Smtpd(login=SECRET, auth=["XOAUTH2"], token="new")
    with server, pytest.raises(OpeningError, match=r"535 5\.7\.8") as raised:
        send(server, ("news", ""), token)

    assert asked == ["", "old"]
    assert len(server.lines("AUTH")) == 2
    assert "older" not in f"{raised.value} {raised.value!r}"


def test_a_password_is_not_tried_where_a_token_is_wanted() -> None:
    token, asked = giving("t")
    with Smtpd(login=SECRET) as server, pytest.raises(OpeningError, match="XOAUTH2; it offers"):
        send(server, SECRET, token)

    assert asked == []
    assert not server.lines("AUTH")


def test_the_example_of_google() -> None:
    """developers.google.com, "OAuth 2.0 Mechanism"."""
    word = XOAuth2("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg").first()

    assert b64encode(word) == (
        b"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhk"
        b"SFJoZG1semRHRXVZMjl0Q2cBAQ=="
    )

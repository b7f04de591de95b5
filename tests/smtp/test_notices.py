"""A server that can is told what to report and by which name; one that can't is told nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.envelope import Prepared, original_recipient, prepare, xtext
from mailer.smtp.exchange import Outgoing
from mailer.smtp.replies import Features

TEXT = b"Subject: x\r\n\r\nx\r\n"


def commands(features: Features, address: str = "zoe@example.org", name: str = "") -> list[str]:
    outgoing = Outgoing(
        1, "n@example.org", address, lambda: TEXT, not address.isascii(), envelope_id=name
    )
    prepared = prepare(outgoing, features)
    assert isinstance(prepared, Prepared)
    return prepared.commands.decode().splitlines()


@pytest.mark.parametrize(
    ("address", "original"),
    [
        ("zoe@example.org", "rfc822;zoe@example.org"),
        ("a+b=c@example.org", "rfc822;a+2Bb+3Dc@example.org"),
        ("émile+n@example.org", "utf-8;\\x{E9}mile\\x{2B}n@example.org"),
        ("世界@example.org", "utf-8;\\x{4E16}\\x{754C}@example.org"),
    ],
)
def test_what_is_asked_of_a_server_with_dsn(address: str, original: str) -> None:
    mail, rcpt, _ = commands(Features(dsn=True, smtputf8=True), address, "tok+1=2")

    assert mail.replace(" SMTPUTF8", "") == "MAIL FROM:<n@example.org> RET=HDRS ENVID=tok+2B1+3D2"
    assert rcpt == f"RCPT TO:<{address}> NOTIFY=FAILURE,DELAY ORCPT={original}"


def test_without_dsn_or_without_a_name() -> None:
    assert commands(Features(), name="tok")[:2] == [
        "MAIL FROM:<n@example.org>",
        "RCPT TO:<zoe@example.org>",
    ]
    assert commands(Features(dsn=True))[0] == "MAIL FROM:<n@example.org> RET=HDRS"


@given(st.text(st.characters(max_codepoint=126), max_size=30))
def test_xtext_is_printable_and_can_be_read_back(text: str) -> None:
    written = xtext(text)

    assert re.fullmatch(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*", written)
    assert re.sub(r"\+(..)", lambda found: chr(int(found[1], 16)), written) == text


@given(st.text(min_size=1, max_size=20).filter(lambda text: not text.isascii()))
def test_an_original_recipient_beyond_ascii_is_ascii(text: str) -> None:
    value = original_recipient(text).removeprefix("utf-8;")

    assert value.isascii()
    assert value.isprintable()
    assert not set(" +=<>\r\n") & set(value) - {"<", ">"}
    assert re.sub(r"\\x\{(\w+)\}", lambda found: chr(int(found[1], 16)), value) == text


@pytest.mark.parametrize(
    ("lines", "mailmax"),
    [
        (["LIMITS MAILMAX=20 RCPTMAX=5 RCPTDOMAINMAX=1"], 20),
        (["limits rcptmax=5 mailmax=7"], 7),
        (["LIMITS"], 0),
        (["LIMITS MAILMAX"], 0),
        (["LIMITS MAILMAX=many RCPTMAX=1"], 0),
        (["LIMITS MAILMAX=-1"], 0),
    ],
)
def test_limits_that_make_no_sense_are_none(lines: list[str], mailmax: int) -> None:
    """RFC 9422 section 3."""
    features = Features.parse([b"mx.test", *(line.encode() for line in lines), b"DSN", b"CHUNKING"])

    assert features.mailmax == mailmax
    assert (features.dsn, features.chunking) == (True, True)

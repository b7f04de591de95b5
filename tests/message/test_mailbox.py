"""Mailboxes are read strictly: what is not exactly one mailbox is refused, never guessed."""

from __future__ import annotations

import pytest

from mailer.message.mailbox import (
    HeaderError,
    Mailbox,
    NonAsciiLocalPartError,
    encode_address,
    parse_mailbox,
)


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("news@example.org", Mailbox("", "news@example.org")),
        ("<news@example.org>", Mailbox("", "news@example.org")),
        ("Tidewater <news@example.org>", Mailbox("Tidewater", "news@example.org")),
        ("J. Smith <j@example.org>", Mailbox("J. Smith", "j@example.org")),
        ('"Tidewater, Inc." <news@example.org>', Mailbox("Tidewater, Inc.", "news@example.org")),
        (r'"The \"Gull\"" <g@example.org>', Mailbox('The "Gull"', "g@example.org")),
        ("Café du Port <c@example.org>", Mailbox("Café du Port", "c@example.org")),
        ("  Spaced   <s@example.org> ", Mailbox("Spaced", "s@example.org")),
        ("Hafen <h@bücher.example>", Mailbox("Hafen", "h@bücher.example")),
    ],
)
def test_one_mailbox(text: str, mailbox: Mailbox) -> None:
    assert mailbox == parse_mailbox(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Tidewater",
        "a@example.org, b@example.org",
        "A <a@example.org>, B <b@example.org>",
        "Smith, John <j@example.org>",
        "a@evil.example <b@example.org>",
        "A (comment) <a@example.org>",
        "friends: a@example.org;",
        "A <a@example.org> B",
        "A <a@b@example.org>",
        'A "B" <a@example.org>',
        "A <a@example.org\r\nBcc: x@example.org>",
        "A a@example.org",
        "A <>",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(HeaderError):
        parse_mailbox(text)


@pytest.mark.parametrize(
    ("address", "encoded"),
    [
        ("Zoe.X+tag@Example.org", "Zoe.X+tag@Example.org"),
        ("zoe@bücher.example", "zoe@xn--bcher-kva.example"),
        ("zoe@BÜCHER.example", "zoe@xn--bcher-kva.example"),
        ("o'neill@example.org", "o'neill@example.org"),
        ('"a b"@example.org', '"a b"@example.org'),
    ],
)
def test_the_domain_becomes_a_labels_and_the_local_part_stays(address: str, encoded: str) -> None:
    assert encoded == encode_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@example.org",
        "zoe@",
        "zoe",
        "a b@example.org",
        "a..b@example.org",
        ".a@example.org",
        "a@-example.org",
        "a@exa mple.org",
        "a@[192.0.2.1]",
        "a@example.org.",
        "a@example..org",
        "a@b.c\r\nRCPT TO:<x@y>",
        "a<b@example.org",
        "a@exa>mple.org",
        "a" * 65 + "@example.org",
        "a@" + "b" * 64 + ".org",
        "a@" + "b." * 126 + "org",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(HeaderError):
        encode_address(address)


def test_a_local_part_beyond_ascii_is_refused_by_its_own_name() -> None:
    with pytest.raises(NonAsciiLocalPartError):
        encode_address("zoë@example.org")

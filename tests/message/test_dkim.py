"""A signature covers every octet of a message, is the same each time, and breaks when it should."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from dkim.canonicalization import Relaxed
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.message.dkim import OVERSIGNED, _BodyHash, relaxed_body, relaxed_field
from mailer.message.keys import (
    SigningKeyError,
    aligned,
    is_selector,
    parse_keys,
    record,
    zone_line,
)
from tests.message.letters import ZOE, letter
from tests.message.signing import AT, DOMAIN, key_pem, keys, pem_of, records, signer, verdicts

HTML = "<p>Hello   {{ first_name }}</p>\n        <p>Boats</p>\n"
MESSAGE = letter(html=HTML, text="Dear {{ first_name }},\n\n\n").merge({"first_name": "Zoë"}, ZOE)
BODIES = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"=20", b".", b"       "]), max_size=12
).map(b"".join)


@pytest.mark.parametrize("both", [False, True])
def test_dkimpy_takes_every_signature(both: bool) -> None:
    signed = signer(both=both).sign(MESSAGE, AT)

    assert verdicts(signed, records(both=both)) == [True] * (2 if both else 1)
    assert signed.endswith(MESSAGE)


def test_signing_again_gives_the_same_octets() -> None:
    first, again = (signer(both=True).sign(MESSAGE, AT) for _ in range(2))

    assert first == again
    assert first != signer(both=True).sign(MESSAGE, AT + 1)


@pytest.mark.parametrize(
    "name", ["From", "To", "Subject", "Date", "Message-ID", "Reply-To", "Content-Type"]
)
def test_a_second_field_breaks_it(name: str) -> None:
    signed = signer(both=True).sign(MESSAGE, AT)
    added = signed.replace(b"\r\nDate:", f"\r\n{name}: x\r\nDate:".encode(), 1)
    below = signed.replace(b"\r\nMIME-Version:", f"\r\n{name}: x\r\nMIME-Version:".encode(), 1)

    assert verdicts(signed, records()) == [True, True]
    assert verdicts(added, records()) == [False, False]
    assert verdicts(below, records()) == [False, False]


@pytest.mark.parametrize("name", OVERSIGNED)
def test_a_field_of_these_that_is_changed_or_added_breaks_it(name: str) -> None:
    signed = signer().sign(MESSAGE, AT)
    line = f"\r\n{name}: ".encode()
    other = signed.replace(line, line + b"x", 1)
    if other == signed:
        other = signed.replace(b"\r\nDate:", line + b"x\r\nDate:", 1)

    assert verdicts(signed, records()) == [True]
    assert verdicts(other, records()) == [False]


def test_a_changed_body_breaks_it_and_other_blanks_do_not() -> None:
    signed = signer(both=True).sign(MESSAGE, AT)

    assert verdicts(signed.replace(b"Boats", b"Goats"), records()) == [False, False]
    assert verdicts(signed + b"more\r\n", records()) == [False, False]
    assert verdicts(signed + b"\r\n\r\n", records()) == [True, True]
    assert verdicts(signed.replace(b"<p>Hello   ", b"<p>Hello "), records()) == [True, True]


def test_another_key_does_not_pass() -> None:
    signed = signer().sign(MESSAGE, AT)
    other = parse_keys(
        pem_of(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "m1"
    )[0]

    assert verdicts(signed, {f"m1._domainkey.{DOMAIN}": record(other)}) == [False]


def test_lines_are_short_and_the_names_are_ours() -> None:
    signed = signer(both=True).sign(MESSAGE, AT)
    added = signed.removesuffix(MESSAGE)

    assert max(map(len, added.split(b"\r\n"))) <= 78
    assert added.count(b"DKIM-Signature: v=1; a=") == 2
    assert b" l=" not in added


@given(st.lists(st.tuples(st.sampled_from(["Subject", "To", "X-Other"]), BODIES), max_size=5))
def test_fields_that_stand_several_times_verify_too(fields: list[tuple[str, bytes]]) -> None:
    head = b"From: a@example.org\r\n"
    for name, value in fields:
        words = b" ".join(value.replace(b"\r\n", b" ").split(b"=20"))
        head += name.encode() + b": x" + words + b"\r\n"
    signed = signer(both=True).sign(head + b"\r\nHello\r\n", AT)

    assert verdicts(signed, records()) == [True, True]


@given(BODIES)
@example(b"")
@example(b"\r\n\r\n")
@example(b" \r\n\t\r\n")
@example(b"a \t")
def test_bodies_are_what_dkimpy_takes_for_relaxed(body: bytes) -> None:
    body = body and body + b"\r\n"

    assert relaxed_body(body) == Relaxed.canonicalize_body(body)


@given(BODIES)
def test_fields_are_what_dkimpy_takes_for_relaxed(value: bytes) -> None:
    value = value.replace(b"\r\n", b"\r\n ")
    [(name, content)] = Relaxed.canonicalize_headers([(b"SubJect ", value)])

    assert relaxed_field(b"SubJect :" + value) + b"\r\n" == name + b":" + content


@given(BODIES, BODIES)
@example(b"a\r\n \r\n", b"\r\n")
@example(b"a\r\n", b"")
@example(b"a", b"b\r\n")
@example(b"a\r\n\r\n", b"b\r\n")
def test_a_body_that_begins_as_expected_has_the_same_hash(prefix: bytes, rest: bytes) -> None:
    body = prefix + rest

    assert _BodyHash(prefix).digest(body) == _BodyHash(b"").digest(body)
    assert _BodyHash(prefix).digest(rest) == _BodyHash(b"").digest(rest)


def test_a_record_is_cut_into_strings_that_dns_takes() -> None:
    line = zone_line(keys()[0], DOMAIN)
    strings = line.split('"')[1::2]

    assert line.startswith(f"m1._domainkey.{DOMAIN}. IN TXT ( ")
    assert "".join(strings) == record(keys()[0])
    assert [len(each) <= 255 for each in strings] == [True, True]


def test_the_second_key_has_a_selector_of_its_own() -> None:
    pair = keys(both=True)

    assert [(key.selector, key.algorithm, key.bits) for key in pair] == [
        ("m1", "rsa-sha256", 2048),
        ("m1-ed25519", "ed25519-sha256", 256),
    ]
    assert "PRIVATE" not in repr(pair)
    assert record(pair[1]).startswith("v=DKIM1; k=ed25519; p=")


ED25519 = pem_of(ed25519.Ed25519PrivateKey.generate())
SHORT = (
    pem_of(rsa.generate_private_key(public_exponent=65537, key_size=1024))[:-300]
    + b"\n-----END PRIVATE KEY-----\n"
)
P256 = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
LOCKED = ed25519.Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.BestAvailableEncryption(b"sesame"),
)


@pytest.mark.parametrize(
    ("pem", "sentence"),
    [
        (b"", "no private key"),
        (b"\x00\xff", "no private key"),
        (ED25519, "one RSA key"),
        (key_pem() + key_pem(), "one RSA key"),
        (P256, "neither RSA nor Ed25519"),
        (LOCKED, "password"),
        (SHORT, "damaged"),
    ],
)
def test_a_file_without_the_right_keys_is_refused_in_a_sentence(pem: bytes, sentence: str) -> None:
    with pytest.raises(SigningKeyError, match=sentence):
        parse_keys(pem, "m1")


@pytest.mark.parametrize(
    ("selector", "good"),
    [("m1", True), ("2026-11.news", True), ("", False), ("m_1", False), ("m1.", False),
     ("é", False), ("-a", False), ("x" * 60, False), ("a b", False)],
)  # fmt: skip
def test_what_can_be_a_selector(selector: str, good: bool) -> None:
    assert is_selector(selector) is good


@pytest.mark.parametrize(
    ("domain", "sender", "together"),
    [
        ("example.org", "example.org", True),
        ("Example.org", "news.example.ORG", True),
        ("news.example.org", "example.org", True),
        ("mail.example.org", "news.example.org", True),
        ("example.com", "example.org", False),
        ("notexample.org", "example.org", False),
    ],
)
def test_which_domains_belong_together(domain: str, sender: str, together: bool) -> None:
    assert aligned(domain, sender) is together


def test_a_header_beyond_ascii_is_signed_as_it_stands() -> None:
    """An internationalised letter (RFC 6532): what verifiers make of it is the octets."""
    reader = dataclasses.replace(ZOE, to="zoë@example.net", email="zoë@example.net")
    message = letter(html=HTML).merge({"first_name": "Zoë"}, reader)
    signed = signer().sign(message, AT)

    assert "To: zoë@example.net\r\n".encode() in signed
    assert verdicts(signed, records()) == [True]
    assert verdicts(signed.replace("zoë@".encode(), "zoé@".encode(), 1), records()) == [False]

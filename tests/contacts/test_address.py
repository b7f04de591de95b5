"""An address enters through one strict gate, whose fast path agrees with the validator."""

from __future__ import annotations

import re
import string
import unicodedata
from pathlib import Path

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.contacts import address
from mailer.contacts.address import (
    AddressError,
    clean_cell,
    identity,
    parse_address,
    plain_address,
)

ROOT = Path(__file__).parents[2]
EXAMPLES = [
    re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), line)
    for line in (ROOT / "tests/samples/addresses.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
ATOM = string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~"
local_parts = st.one_of(
    st.text(ATOM + ".", min_size=1, max_size=70),
    st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"]), min_size=1, max_size=12),
)
labels = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=12)
domains = st.one_of(
    st.lists(labels, min_size=1, max_size=4).map(".".join),
    st.sampled_from(
        ["example.org", "EXAMPLE.com", "xn--mnchen-3ya.example", "x.test", "a.b.", "b"]
    ),
    st.lists(st.text("aäßœΣمк.-", min_size=1, max_size=6), min_size=2, max_size=2).map(".".join),
)


@settings(max_examples=1500, deadline=None)
@given(local_parts, domains)
@example("a" * 64, "b.org")
@example("a" * 65, "b.org")
@example("a" * 64, ".".join(["d" * 60] * 3 + ["dd", "org"]))
@example("a" * 64, ".".join(["d" * 60] * 3 + ["ddddddd", "org"]))
@example("Postmaster", "x.org")
@example("a..b", "x.org")
@example("a", "ab--cd.org")
@example("\xa00", "example.org")
def test_agrees_with_the_validator(local: str, domain: str) -> None:
    raw = f"{local}@{domain}"
    local = local.lstrip(address._EDGES)  # white space around an address is ours to ignore
    composed = f"{unicodedata.normalize('NFC', local)}@{domain}"
    try:
        judged = validate_email(composed, strict=True, check_deliverability=False)
    except EmailNotValidError:
        with pytest.raises(AddressError):
            parse_address(raw)
        return
    if judged.original != composed or "(" in composed or ")" in composed:
        return  # the validator found a display name or a comment, which this gate refuses
    parsed = parse_address(raw)

    assert parsed.address.rpartition("@")[2] == judged.ascii_domain
    assert parsed.shown.rpartition("@")[2] == judged.domain
    assert parsed.address.rpartition("@")[0] == unicodedata.normalize("NFC", local)
    assert parsed.smtputf8 is not local.isascii()
    assert parsed.key == identity(parsed.address)


@settings(deadline=None)
@given(local_parts, domains)
@example("'a", "x.org")
@example("a'", "x.org")
@example("mailto:a", "x.org")
def test_the_short_way_says_the_same(local: str, domain: str) -> None:
    found = plain_address(f"{local}@{domain}")
    if found is not None:
        parsed = parse_address(clean_cell(f"{local}@{domain}"))

        assert found == (parsed.address, parsed.key)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_refuses_or_parses_and_never_breaks(raw: str) -> None:
    try:
        parsed = parse_address(clean_cell(raw))
    except AddressError as error:
        said = str(error)
    else:
        said = f"“{parsed.address}” is what mail goes to."

        assert parse_address(parsed.address) == parsed

    assert said.endswith(".")
    assert said.isprintable()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_the_identity_is_settled_after_one_step(local: str) -> None:
    key = identity(f"{local}@example.org")

    assert identity(key) == key
    assert identity(f"{local.upper()}@example.org") in (
        key,
        identity(f"{local.upper()}@example.org"),
    )
    assert unicodedata.normalize("NFC", key) == key


def test_keeps_the_local_part_and_folds_the_identity() -> None:
    parsed = parse_address(" John.Doe@Example.ORG\u00a0")

    assert parsed.address == "John.Doe@example.org"
    assert parsed.key == "john.doe@example.org"
    assert parsed.shown == "John.Doe@example.org"
    assert (parsed.smtputf8, parsed.warnings) == (False, ())


def test_knows_both_forms_of_a_domain() -> None:
    for raw in ("Jörg@MÜNCHEN.example", "Jo\u0308rg@xn--mnchen-3ya.example"):
        parsed = parse_address(raw)

        assert parsed.address == "Jörg@xn--mnchen-3ya.example"
        assert parsed.key == "jörg@xn--mnchen-3ya.example"
        assert parsed.shown == "Jörg@münchen.example"
        assert parsed.smtputf8
        assert "SMTPUTF8" in parsed.warnings[0]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "empty"),
        ("anna", "no @"),
        ("@example.org", "nothing before"),
        ("anna@", "nothing after"),
        ("anna@example", "without a dot"),
        ("anna@localhost", "without a dot"),
        ("anna@example.org.", "ends in a dot"),
        ("anna@[192.0.2.1]", "IP address"),
        ("anna@[IPv6:2001:db8::1]", "IP address"),
        ('"anna"@example.org', "quoted"),
        ('"a@b"@example.org', "quoted"),
        ("anna(work)@example.org", "comment"),
        ("anna@example.org (work)", "comment"),
        ("an\x00na@example.org", "control character"),
        ("anna@exam\nple.org", "line break"),
        ("anna@b@example.org", "more than one @"),
        ("a@x.org,b@x.org", "several addresses here (a@x.org and b@x.org)"),
        ("a@x.org;b@x.org c@x.org|d@x.org", "a@x.org and b@x.org and c@x.org and 1 more"),
        ("anna@shop.test", "reserved"),
        ("anna@shop.invalid", "reserved"),
        ("anna..b@example.org", "two periods"),
        (".anna@example.org", "period"),
        ("an na@example.org", "SPACE"),
        ("a" * 65 + "@example.org", "too long"),
    ],
)
def test_refuses_with_a_reason(raw: str, reason: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(raw)

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("anna@example.org", "anna@example.org"),
        ("\u00a0\ufeff anna@example.org\u200b\r\n", "anna@example.org"),
        ("mailto:anna@example.org", "anna@example.org"),
        ("MAILTO:anna@example.org?subject=Hello", "anna@example.org"),
        ("Anna Meier <anna@example.org>", "anna@example.org"),
        ('"Meier, Anna" <anna@example.org>', "anna@example.org"),
        ("Anna@Example.org <anna@example.org>", "anna@example.org"),
        ("< anna@example.org >", "anna@example.org"),
        ("'anna@example.org'", "anna@example.org"),
        ("anna@example.org;", "anna@example.org"),
        ("o'neill@example.org", "o'neill@example.org"),
    ],
)
def test_cleans_what_spreadsheets_leave(cell: str, address: str) -> None:
    assert clean_cell(cell) == address


@pytest.mark.parametrize(
    "cell", ["a@x.org <b@x.org>", "a@x.org, b@x.org", "a@x.org / b@x.org", "<a@x.org>; <b@x.org>"]
)
def test_a_cell_with_several_addresses_is_refused_by_name(cell: str) -> None:
    with pytest.raises(AddressError, match=r"a@x\.org and b@x\.org"):
        clean_cell(cell)


def test_two_spellings_of_one_person_have_one_key() -> None:
    pairs = [
        ("STRASSE@x.org", "straße@x.org"),
        ("Å@x.org", "A\u030a@x.org"),
        ("ΣΑΣ@x.org", "σας@x.org"),
    ]

    for one, other in pairs:
        assert parse_address(one).key == parse_address(other).key


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_of_the_rfcs_beside_the_validator(line: str) -> None:
    _, written, here, library, why = (part.strip() for part in line.split("|"))
    try:
        ours = parse_address(clean_cell(written)).address
    except AddressError as error:
        reason = here.removeprefix("refused: ")
        ours = f"refused: {reason if reason in str(error) else error}"
    try:
        theirs = validate_email(written, strict=True, check_deliverability=False).normalized
    except EmailNotValidError:
        theirs = "refused"

    assert (ours, theirs) == (here, library)
    assert bool(why) is (ours.partition(":")[0] != theirs)
    assert f"| {why} |" in (ROOT / "docs/importing.md").read_text("utf-8") or not why

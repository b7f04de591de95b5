"""One row becomes one person, or a reason why not."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.contacts.address import parse_address
from mailer.contacts.mapping import map_columns
from mailer.contacts.people import Arrival, RowError, arrival_of, arrivals, is_blank
from mailer.contacts.suppression import HASH_BYTES, suppression_hasher
from mailer.contacts.values import FieldType
from mailer.model.words import STATUS_RANK, FieldKind, SubscriptionStatus

COLUMNS = ("email", "first_name", "city", "status", "language")
S = SubscriptionStatus
NUMBER = FieldType(FieldKind.number)


def arrived(
    *cells: str, status: SubscriptionStatus = S.active, empty_clears: bool = False
) -> Arrival:
    mapping = map_columns(COLUMNS, file="f", keep_columns=True)
    padded: Sequence[str] = [*cells, *[""] * (len(COLUMNS) - len(cells))]
    return arrivals(mapping, status=status, empty_clears=empty_clears)(padded)


def test_reads_a_row() -> None:
    found = arrived("Anna@X.org", " Anna ", "Zürich", "", "de_CH")

    assert found == Arrival(
        "Anna@x.org", "anna@x.org", "de-CH", 0, 0, '{"first_name":"Anna","city":"Zürich"}'
    )


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_fields_are_json(value: str) -> None:
    expected = {"first_name": value.strip()} if value.strip() else {}

    assert json.loads(arrived("a@x.org", value).fields) == expected


@given(
    *[st.text("ab\"'\\ \t\u00a0\u2028\x1fé%s{}:,", min_size=1, max_size=4)] * 2,
)
def test_plain_rows_say_what_any_row_says(name: str, city: str) -> None:
    """A row that is all plain text is written in one go; the result does not show it."""
    by_itself = [
        json.loads(arrived("a@x.org", name).fields),
        json.loads(arrived("a@x.org", "", city).fields),
    ]

    assert json.loads(arrived("a@x.org", name, city).fields) == by_itself[0] | by_itself[1]


def test_empty_cells_are_left_out_or_clear() -> None:
    assert arrived("a@x.org", "", "Rome").fields == '{"city":"Rome"}'
    assert arrived("a@x.org", "", "Rome", empty_clears=True).fields == (
        '{"first_name":null,"city":"Rome"}'
    )


@pytest.mark.parametrize(
    ("default", "cell", "becomes", "lowers_to"),
    [
        (S.active, "", S.active, S.active),
        (S.active, "pending", S.pending, S.pending),
        (S.pending, "", S.pending, S.active),
        (S.pending, "active", S.pending, S.active),
        (S.unsubscribed, "", S.unsubscribed, S.unsubscribed),
        (S.unsubscribed, "active", S.unsubscribed, S.unsubscribed),
        (S.unsubscribed, "complained", S.complained, S.complained),
    ],
)
def test_the_lower_status_counts(
    default: SubscriptionStatus,
    cell: str,
    becomes: SubscriptionStatus,
    lowers_to: SubscriptionStatus,
) -> None:
    found = arrived("a@x.org", "", "", cell, status=default)

    assert (found.rank, found.ceiling) == (STATUS_RANK[becomes], STATUS_RANK[lowers_to])


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (("nobody",), "no @"),
        (("",), "empty"),
        (("a@x.org; b@x.org",), "several addresses"),
        (("a@x.org", "A\0nna"), "NUL"),
        (("a@x.org", "", "", "perhaps"), "“perhaps” is no status; known are active, pending"),
        (("a@x.org", "", "", "", "Klingon"), "“Klingon” is no language tag"),
    ],
)
def test_a_row_that_cannot_be_used_has_a_reason(cells: tuple[str, ...], reason: str) -> None:
    with pytest.raises(RowError) as caught:
        arrived(*cells)

    assert reason in str(caught.value)


def test_everything_that_is_wrong_with_a_row_is_told_from_left_to_right() -> None:
    columns = ("born", "language", "email", "points", "status")
    types = {"born": FieldType(FieldKind.date), "points": FieldType(FieldKind.number)}
    mapping = map_columns(columns, file="f", known_fields=types)
    read = arrivals(mapping, status=S.active, empty_clears=False, types=types)

    with pytest.raises(RowError) as caught:
        read(["1/2/1990", "Klingon", "nobody", "many", "perhaps"])
    with pytest.raises(RowError) as twice:
        arrived("a@x.org", "A\0", "B\0")

    assert str(caught.value) == (
        "A date has two meanings: “1/2/1990” can be 1990-02-01 or 1990-01-02."
        " “Klingon” is no language tag such as en, fr or pt-BR."
        " “nobody” has no @."
        " points: “many” is not a number."
        " “perhaps” is no status; known are active, pending, unsubscribed, bounced, complained."
    )
    assert str(twice.value) == "A cell holds a NUL character."


def test_protected_cells_are_read_as_their_text() -> None:
    cells = ('="anna@x.org"', '="007"', '="say ""hi"""', '="pending"', '="fr"')

    assert arrived(*cells) == Arrival(
        "anna@x.org",
        "anna@x.org",
        "fr",
        STATUS_RANK[S.pending],
        STATUS_RANK[S.pending],
        '{"first_name":"007","city":"say \\"hi\\""}',
    )


def test_white_space_alone_is_blank() -> None:
    assert is_blank([" ", "", "\u00a0"])
    assert not is_blank(["", "x"])


def test_somebody_named_by_hand() -> None:
    anna = parse_address("Anna@x.org")

    assert arrival_of(anna, {"city": " Rome ", "b": ""}, "fr", S.active) == Arrival(
        "Anna@x.org", "anna@x.org", "fr", 0, 0, '{"city":"Rome"}'
    )
    for name in ("My City", "campaign", "email", ""):
        with pytest.raises(RowError):
            arrival_of(anna, {name: "x"}, None, S.active)
    with pytest.raises(RowError) as caught:
        arrival_of(anna, {"city": "\0", "list": "x", "a": "x"}, None, S.active, {"a": NUMBER})

    assert str(caught.value) == (
        "The value of “city” holds a NUL character. “list” can't be the name of a field."
        " a: “x” is not a number."
    )


@given(st.binary(min_size=1, max_size=100), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_suppression_hash_is_an_hmac(secret: bytes, key: str) -> None:
    expected = hmac.digest(secret, key.encode(), hashlib.sha256)[:HASH_BYTES]

    assert suppression_hasher(secret)(key) == expected

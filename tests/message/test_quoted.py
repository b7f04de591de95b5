"""Quoted-printable and base64 of ours decode to what went in, and keep every limit of RFC 2045."""

from __future__ import annotations

import base64
import quopri
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.quoted import base64_lines, decode, quote_constant, quote_value

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
awkward = st.lists(
    st.sampled_from(
        [
            "\r\n",
            "\n",
            "\r",
            ".",
            "..",
            "From ",
            "=",
            "{{",
            "{%",
            "{#",
            " ",
            "\t",
            "é",
            "世",
            "x" * 74,
        ]
    ),
    max_size=30,
).map("".join)


def crlf(text: str) -> str:
    return re.sub(r"\r\n|\r|\n", "\r\n", text)


def assert_lines(encoded: str) -> None:
    """RFC 2045 section 6.7, and what we add: nothing at a line's start that relays spoil."""
    for line in encoded.split("\r\n"):
        assert len(line) <= 76
        assert re.fullmatch(r"[\t -~]*", line)
        assert not line.endswith((" ", "\t"))
        assert not line.startswith((".", "From "))
        assert "{" not in line
        assert re.fullmatch(r"(?:[^=]|=[0-9A-F]{2})*=?", line)


@given(any_text | awkward)
def test_a_constant_decodes_to_itself_with_crlf(text: str) -> None:
    encoded = quote_constant(text)

    assert_lines(encoded)
    assert crlf(text) == quopri.decodestring(encoded).decode()


@given(st.lists(any_text | awkward, max_size=5))
def test_constants_and_values_side_by_side_decode_to_their_sum(texts: list[str]) -> None:
    encoded = "".join(
        quote_value(text) if number % 2 else quote_constant(text, last=False)
        for number, text in enumerate(texts)
    )

    assert_lines(encoded)
    # Each piece has line ends of its own: a CR here and an LF there are two.
    assert "".join(map(crlf, texts)) == decode(encoded.encode(), "quoted-printable")


@given(any_text | awkward)
def test_every_value_begins_and_ends_in_the_first_column(text: str) -> None:
    encoded = quote_value(text)

    assert encoded == "" or encoded.endswith("\r\n")
    assert_lines(encoded)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", ""),
        ("plain", "plain=\r\n"),
        ("a ", "a =\r\n"),
        (".hidden", "=2Ehidden=\r\n"),
        ("From here", "=46rom here=\r\n"),
        ("a=b", "a=3Db=\r\n"),
        ("{{ x }}", "=7B=7B x }}=\r\n"),
        ("Zoë", "Zo=C3=AB=\r\n"),
        ("two\nlines", "two\r\nlines=\r\n"),
        ("ends\n", "ends\r\n"),
        ("x" * 75, "x" * 75 + "=\r\n"),
        ("x" * 76, "x" * 75 + "=\r\nx=\r\n"),
    ],
)
def test_values(text: str, encoded: str) -> None:
    assert encoded == quote_value(text)


def test_a_blank_at_the_end_of_a_line_is_encoded_and_one_before_a_soft_break_needs_not() -> None:
    assert quote_constant("a \nb ", last=False) == "a=20\r\nb =\r\n"
    assert quote_constant("a\t") == "a=09"


def test_an_encoded_byte_is_never_cut() -> None:
    encoded = quote_constant("é" * 40)

    assert all(re.fullmatch(r"(?:=[0-9A-F]{2})+=?", line) for line in encoded.split("\r\n"))


@given(st.binary(max_size=400))
def test_base64_has_lines_of_76_columns(data: bytes) -> None:
    encoded = base64_lines(data)

    assert data == base64.b64decode(encoded)
    assert all(len(line) == 76 for line in encoded.split(b"\r\n")[:-1])
    assert len(encoded.split(b"\r\n")[-1]) <= 76

"""Headers are folded, encoded only where that is allowed, and let nothing inject a line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message import headers
from mailer.message.mailbox import HeaderError, Mailbox, parse_mailbox

CONTROLS = ["\r", "\n", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]
printable = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"), max_size=200
)
ascii_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)
looks_encoded = st.sampled_from(["=?utf-8?q?a=0aBcc=3a?=", "x =?b?=", "=?="])


def value_of(field: str) -> str:
    """Unfolds a header field and returns what stands after its name."""
    assert field.endswith("\r\n")
    return re.sub(r"\r\n(?=[ \t])", "", field[:-2]).partition(":")[2].removeprefix(" ")


def assert_lines(field: str, limit: int) -> None:
    lines = field[:-2].split("\r\n")
    assert all(len(line) <= limit for line in lines)
    assert all(line[0] == " " and line.strip() for line in lines[1:])
    words = re.findall(r"=\?utf-8\?[qb]\?[^? ]*\?=", field)
    assert all(len(word) <= 75 for word in words)
    if words:
        assert all(len(line) <= 76 for line in lines if "=?utf-8?" in line)


@given(printable | ascii_text | looks_encoded)
def test_a_subject_decodes_to_itself(text: str) -> None:
    field = headers.unstructured("Subject", text)

    headers.gate(field.encode("ascii"))
    assert_lines(field, 78)
    assert text.strip(" ") == str(make_header(decode_header(value_of(field))))


@given(printable)
def test_every_encoded_word_is_whole_characters(text: str) -> None:
    for data, charset in decode_header(value_of(headers.unstructured("Subject", text + "é"))):
        if charset is not None:
            assert isinstance(data, bytes)
            data.decode(charset)  # the parser has joined words; each must decode alone, too
    for word in headers.encoded_words(text + "é", 66):
        ((data, charset),) = decode_header(word)
        assert isinstance(data, bytes)
        data.decode(charset or "ascii")


def test_q_is_for_latin_and_b_for_other_scripts() -> None:
    assert headers.encoded_words("Zoë writes", 66)[0] == "=?utf-8?q?Zo=C3=AB_writes?="
    assert headers.encoded_words("Новости гавани", 66)[0].startswith("=?utf-8?b?")


@pytest.mark.parametrize("control", CONTROLS)
def test_controls_are_refused_everywhere(control: str) -> None:
    bad = f"a{control}Bcc: x@example.org"
    for write in (
        lambda: headers.unstructured("Subject", bad),
        lambda: headers.structured("List-Unsubscribe", bad),
        lambda: headers.phrase(bad, 60),
        lambda: headers.mailbox("From", Mailbox(bad, "a@example.org")),
        lambda: headers.mailbox("To", Mailbox("", f"a{control}@example.org")),
        lambda: headers.list_id("x", f"a{control}.example.org"),
        lambda: headers.feedback_id(f"a:b:c:send{control}r"),
        lambda: parse_mailbox(bad),
    ):
        with pytest.raises(HeaderError):
            write()


@given(st.lists(st.text("abc:/?&=<>,-", min_size=1, max_size=300), min_size=1, max_size=8))
def test_a_structured_field_is_folded_at_white_space_and_never_changed(words: list[str]) -> None:
    value = " ".join(words)
    field = headers.structured("List-Unsubscribe", value)

    assert_lines(field, 998)
    assert value == value_of(field)
    assert "=?" not in field or "=?" in value


def test_a_structured_field_longer_than_a_line_may_be_is_refused() -> None:
    with pytest.raises(HeaderError, match="998"):
        headers.structured("Feedback-ID", "x" * 990)


@given(printable.filter(lambda text: text.strip(" ")))
def test_a_display_name_survives_and_leaks_nothing(name: str) -> None:
    field = headers.mailbox("Reply-To", Mailbox(name, "a@example.org"))

    headers.gate(field.encode("ascii"))
    assert_lines(field, 76)
    value = value_of(field)
    assert value.endswith(" <a@example.org>")
    shown = value.removesuffix(" <a@example.org>")
    if shown.startswith('"'):
        assert name.strip(" ") == re.sub(r"\\(.)", r"\1", shown[1:-1])
    else:
        assert not re.search(r'[",;:<>()\[\]@]', shown)
        assert name.strip(" ") == str(make_header(decode_header(shown)))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Tidewater News", "From: Tidewater News <a@example.org>\r\n"),
        ("Tidewater, Inc.", 'From: "Tidewater, Inc." <a@example.org>\r\n'),
        ('The "Gull"', 'From: "The \\"Gull\\"" <a@example.org>\r\n'),
        ("", "From: a@example.org\r\n"),
        ("Zoë", "From: =?utf-8?q?Zo=C3=AB?= <a@example.org>\r\n"),
    ],
)
def test_display_names(name: str, written: str) -> None:
    assert written == headers.mailbox("From", Mailbox(name, "a@example.org"))


def test_a_list_id_may_have_an_encoded_name() -> None:
    assert (
        headers.list_id("Café", "news.example.org")
        == "List-Id: =?utf-8?b?Q2Fmw6k=?= <news.example.org>\r\n"
    )
    with pytest.raises(HeaderError):
        headers.list_id("News", "not an id")


def test_a_feedback_id_has_four_parts() -> None:
    assert headers.feedback_id("1:2:3:tidewater") == "Feedback-ID: 1:2:3:tidewater\r\n"
    for wrong in ("tidewater", "1:2:3:abc", "1:2:tidewater", "1:2:3:a sender"):
        with pytest.raises(HeaderError):
            headers.feedback_id(wrong)


zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=zones))  # noqa: DTZ001
def test_a_date_is_read_back_to_the_second(moment: datetime) -> None:
    written = headers.format_date(moment)

    assert re.fullmatch(
        r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", written
    )
    assert moment.replace(microsecond=0) == parsedate_to_datetime(written)


def test_dates() -> None:
    moment = datetime(2026, 11, 24, 9, 5, 7, tzinfo=UTC)
    west = timezone(-timedelta(hours=3, minutes=30))

    assert headers.format_date(moment) == "Tue, 24 Nov 2026 09:05:07 +0000"
    assert headers.format_date(moment.astimezone(west)) == "Tue, 24 Nov 2026 05:35:07 -0330"
    odd = timezone(timedelta(minutes=19, seconds=32))  # local mean time, which no mail can say
    assert headers.format_date(moment.astimezone(odd)) == "Tue, 24 Nov 2026 09:05:07 +0000"
    with pytest.raises(HeaderError):
        headers.format_date(moment.replace(tzinfo=None))


def test_a_boundary_is_the_same_for_the_same_seed_and_holds_what_no_encoding_can() -> None:
    assert headers.boundary("1/1") == headers.boundary("1/1")
    assert headers.boundary("1/1") != headers.boundary("1/2")
    assert "=_" in headers.boundary("1/1")
    assert len(headers.boundary("1/1")) <= 70


@pytest.mark.parametrize(
    "block",
    [
        b"Subject: a",
        b"Subject: a\n",
        b"Subject: a\r\n\r\n",
        b"Subject: a\nBcc: x@example.org\r\n",
        b"Subject: a\rb\r\n",
        b"Subject: \xc3\xa9\r\n",
        b"Bcc: x@example.org\r\n",
        b"Return-Path: <x@example.org>\r\n",
        b"Subject: a\r\nsubject: b\r\n",
        b"Subject: a\r\n \r\n",
        b" Subject: a\r\n",
        b"Subject : a\r\n",
        b"Subject\r\n",
        b"Subject: " + b"a" * 990 + b"\r\n",
    ],
)
def test_the_gate_refuses(block: bytes) -> None:
    with pytest.raises(HeaderError):
        headers.gate(block)


def test_the_gate_lets_a_block_of_ours_pass() -> None:
    headers.gate(
        b"From: a@example.org\r\nSubject: a\r\n b\r\nDKIM-Signature: 1\r\nDKIM-Signature: 2\r\n"
    )

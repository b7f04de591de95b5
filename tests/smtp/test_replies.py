"""Replies are read the same however their bytes are cut, and never grow without bound."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.model.words import Reply
from mailer.smtp.replies import MAX_LINE, MAX_REPLY, MAX_TEXT, Features, ReplyReader, as_reply

codes = st.integers(200, 599)
texts = st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b""))
replies = st.tuples(codes, st.lists(texts, min_size=1, max_size=4))


def wire(code: int, lines: Sequence[bytes]) -> bytes:
    marks = [b"-"] * (len(lines) - 1) + [b" "]
    return b"".join(b"%d%s%s\r\n" % (code, m, line) for m, line in zip(marks, lines, strict=True))


@given(st.lists(replies, max_size=6), st.data())
def test_cuts_change_nothing(said: list[tuple[int, list[bytes]]], data: st.DataObject) -> None:
    stream = b"".join(wire(*reply) for reply in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    reader = ReplyReader()
    heard = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += reader.feed(stream[start:end])

    assert heard == said
    assert not reader.fault
    assert not reader.partial


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_bytes_whatever_raise_or_pile_up(chunks: list[bytes]) -> None:
    reader = ReplyReader()
    for chunk in chunks:
        for code, lines in reader.feed(chunk):
            reply = as_reply(code, lines)
            assert 200 <= reply.code <= 599
            assert reply.text.isprintable()
            assert len(reply.text) <= MAX_TEXT
    assert len(reader._buffer) <= MAX_LINE + 200


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"hello\r\n", "not a reply"),
        (b"\r\n", "not a reply"),
        (b"99 x\r\n", "not a reply"),
        (b"650 x\r\n", "not a reply"),
        (b"2500 x\r\n", "not a reply"),
        (b"250\tx\r\n", "not a reply"),
        (b"250-a\r\n251 b\r\n", "different codes"),
        (b"250 " + b"x" * MAX_LINE + b"\r\n", "longer than 2048"),
        (b"x" * (MAX_LINE + 1), "longer than 2048"),
        (b"250-x\r\n" * (MAX_REPLY // 5 + 1), "longer than 65536"),
    ],
)
def test_what_is_no_reply_is_a_fault(data: bytes, why: str) -> None:
    reader = ReplyReader()

    assert reader.feed(data) == []
    assert why in reader.fault
    assert reader.feed(b"250 fine\r\n") == []


def test_replies_before_a_fault_count() -> None:
    reader = ReplyReader()

    assert reader.feed(b"250 one\r\nwhat?\r\n250 two\r\n") == [(250, [b"one"])]
    assert reader.fault


@pytest.mark.parametrize(
    ("code", "lines", "reply"),
    [
        (250, [b"2.0.0 Ok: queued as 4F"], Reply(250, "2.0.0 Ok: queued as 4F", "2.0.0")),
        (250, [b""], Reply(250, "", "")),
        (550, [b"No such user"], Reply(550, "No such user", "")),
        (421, [b"5.7.32 Not aligned"], Reply(421, "5.7.32 Not aligned", "5.7.32")),
        (550, [b"5.1.1"], Reply(550, "5.1.1", "5.1.1")),
        (550, [b"5.1 x"], Reply(550, "5.1 x", "")),
        (550, [b"5.1.1000 x"], Reply(550, "5.1.1000 x", "")),
        (550, [b"5.1.1: x"], Reply(550, "5.1.1: x", "")),
        (
            550,
            [b"5.7.26 This mail has been", b"5.7.26 blocked, see", b"https://example.org"],
            Reply(550, "5.7.26 This mail has been blocked, see https://example.org", "5.7.26"),
        ),
        (
            550,
            ["5.1.1 Nutzer fehlt: Jörg".encode()],
            Reply(550, "5.1.1 Nutzer fehlt: Jörg", "5.1.1"),
        ),
        (550, [b"bell \x07 and \x1b[31mred \xff"], Reply(550, "bell   and  [31mred �", "")),
    ],
)
def test_a_reply_becomes_one_readable_sentence(code: int, lines: list[bytes], reply: Reply) -> None:
    assert as_reply(code, lines) == reply


def test_a_reply_that_goes_on_and_on_is_cut_for_people() -> None:
    assert as_reply(550, [b"5.7.1", b"x" * 2000]).text.endswith("x…")


@pytest.mark.parametrize(
    ("lines", "features"),
    [
        ([b"mx.example.org"], Features(name="mx.example.org")),
        (
            [b"mx.example.org hello", b"pipelining", b"8bitmime", b"SMTPUTF8", b"STARTTLS"],
            Features("mx.example.org", True, True, True, True),
        ),
        ([b"mx", b"SIZE"], Features("mx", size=0)),
        ([b"mx", b"SIZE 0"], Features("mx", size=0)),
        ([b"mx", b"SIZE 10485760"], Features("mx", size=10485760)),
        ([b"mx", b"SIZE 10M"], Features("mx", size=0)),
        ([b"mx", b"AUTH login PLAIN"], Features("mx", auth=frozenset({"LOGIN", "PLAIN"}))),
        (
            [b"mx", b"AUTH=LOGIN", b"AUTH PLAIN XOAUTH2"],
            Features("mx", auth=frozenset({"LOGIN", "PLAIN", "XOAUTH2"})),
        ),
        ([b"mx", b"LIMITS RCPTMAX=1 MAILMAX=20"], Features("mx", mailmax=20)),
        ([b"mx", b"LIMITS MAILMAX=many"], Features("mx")),
        ([b"mx", b"LIMITS MAILMAX=12345678"], Features("mx")),
        ([b"mx", b"ENHANCEDSTATUSCODES", b"", b"X-ODD \xff"], Features("mx", enhanced=True)),
        ([b"mx", b"XPIPELINING"], Features("mx")),
        ([b""], Features()),
    ],
)
def test_offers_are_read(lines: list[bytes], features: Features) -> None:
    assert Features.parse(lines) == features

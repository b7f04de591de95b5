"""A letter is known again at its next attempt, and any other one is not taken for it."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from mailer.message.fingerprint import fingerprint, same


@given(st.binary(min_size=1, max_size=300), st.integers(0, 299), st.integers(1, 255))
def test_one_byte_more_or_less_or_changed_is_another_letter(short: bytes, at: int, by: int) -> None:
    for message in (short, short * 40, short * 200):  # a piece, several, and a long letter
        at %= len(message)
        changed = message[:at] + bytes([(message[at] + by) % 256]) + message[at + 1 :]
        known = fingerprint(message)

        assert len(known) == 16
        assert same(known, message)
        for other in (changed, message[:-1], message + message[-1:]):
            assert not same(known, other)


def test_what_an_earlier_version_wrote_down_still_counts() -> None:
    known = sha256(b"a letter").digest()[:16]

    assert same(known, b"a letter")
    assert not same(known, b"another")

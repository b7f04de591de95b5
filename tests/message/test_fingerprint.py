"""A letter is known again at its next attempt, and any other one is not taken for it."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from mailer.message.fingerprint import fingerprint, same


@given(st.binary(min_size=1, max_size=300), st.integers(0, 299), st.integers(1, 255))
def test_one_byte_more_or_less_or_changed_is_another_letter(mark: bytes, at: int, by: int) -> None:
    at %= len(mark)
    changed = mark[:at] + bytes([(mark[at] + by) % 256]) + mark[at + 1 :]
    known = fingerprint(mark, 5_000, 7)

    assert len(known) == 16
    assert same(known, fingerprint(mark, 5_000, 7), b"")
    assert not same(known, fingerprint(changed, 5_000, 7), b"")  # another value
    assert not same(known, fingerprint(mark, 5_001, 7), b"")
    assert not same(known, fingerprint(mark, 5_000, 8), b"")  # something else around it


def test_what_an_earlier_version_wrote_down_still_counts() -> None:
    known = sha256(b"a letter").digest()[:16]
    ours = fingerprint(b"a", 8, 0)

    assert same(known, ours, b"a letter")
    assert not same(known, ours, b"another")

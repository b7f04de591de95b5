"""A file of hashes says which key made it, and reads back as it was written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.contacts.hash_file import HashHeading, HashRow, HashRowError, read_heading, read_row

ROWS = st.builds(
    HashRow,
    hash=st.binary(min_size=16, max_size=16),
    list=st.none() | st.text(min_size=1).filter(lambda text: text == text.strip()),
    reason=st.text(min_size=1).filter(lambda text: text == text.strip()),
    since=st.datetimes().map(lambda at: at.replace(microsecond=0, tzinfo=UTC)),
)


@given(ROWS)
def test_a_row_reads_back(row: HashRow) -> None:
    assert read_row(row.cells()) == row


def test_the_heading_names_key_and_count() -> None:
    heading = HashHeading("0123456789abcdef", 12)

    assert read_heading(heading.columns()) == heading
    for other in ((), ("email",), ("mailer-hash:xyz:1", "list", "reason", "since")):
        assert read_heading(other) is None


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (("ab", "", "complaint", "2026-11-24"), "no hash"),
        (("0" * 32, "", "", "2026-11-24"), "no reason"),
        (("0" * 32, "", "complaint", "yesterday"), "no time"),
        (("0" * 32, ""), "cut short"),
    ],
)
def test_a_row_that_is_none_says_why(cells: tuple[str, ...], why: str) -> None:
    with pytest.raises(HashRowError, match=why):
        read_row(cells)


def test_a_time_without_a_zone_is_utc() -> None:
    row = read_row(("0" * 32, "", "complaint", "2026-11-24T09:00:00"))

    assert row.since == datetime(2026, 11, 24, 9, tzinfo=UTC)

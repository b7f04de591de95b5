"""A file of suppressions as hashes: which key made them stands in the heading of its first column.

::

    mailer-hash:<fingerprint of the key>:<rows>,list,reason,since
    5f1c…,,complaint,2026-11-24T09:00:00+00:00
    a06b…,harbour,unsubscribed,2026-11-20T17:30:12+00:00

An empty list means everywhere. It is CSV, so that any program can keep it and this one can read it
as it reads contact files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mailer.contacts.suppression import HASH_BYTES

_HEADING = re.compile(r"mailer-hash:([0-9a-f]{16}):(\d{1,12})").fullmatch
_HASH = re.compile(rf"[0-9a-f]{{{HASH_BYTES * 2}}}").fullmatch
COLUMNS = ("list", "reason", "since")


class HashRowError(ValueError):
    """A row that can't be used; its text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class HashHeading:
    """Which key made the hashes, and how many rows the file began with."""

    fingerprint: str
    rows: int

    def columns(self) -> tuple[str, ...]:
        return (f"mailer-hash:{self.fingerprint}:{self.rows}", *COLUMNS)


@dataclass(frozen=True, slots=True)
class HashRow:
    """One suppression; ``list`` is a list's name, or None for everywhere."""

    hash: bytes
    list: str | None
    reason: str
    since: datetime

    def cells(self) -> tuple[str, ...]:
        since = self.since.astimezone(UTC).isoformat(timespec="seconds")
        return (self.hash.hex(), self.list or "", self.reason, since)


def read_heading(columns: Sequence[str]) -> HashHeading | None:
    """What the headings say; None for any other file."""
    match = _HEADING(columns[0].strip()) if columns else None
    if match is None or tuple(columns[1:]) != COLUMNS:
        return None
    return HashHeading(match[1], int(match[2]))


def read_row(cells: Sequence[str]) -> HashRow:
    """Reads one row. Raises HashRowError."""
    if len(cells) < 1 + len(COLUMNS):
        raise HashRowError("The row is cut short.")
    hashed, name, reason, since = (cell.strip() for cell in cells[: 1 + len(COLUMNS)])
    if not _HASH(hashed):
        raise HashRowError(f"“{hashed[:40]}” is no hash of {HASH_BYTES * 2} hexadecimal digits.")
    if not reason:
        raise HashRowError("The row has no reason.")
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        raise HashRowError(f"“{since[:40]}” is no time such as 2026-11-24T09:00:00Z.") from None
    return HashRow(bytes.fromhex(hashed), name or None, reason, at.replace(tzinfo=at.tzinfo or UTC))

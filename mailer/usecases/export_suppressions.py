"""Writes down who is suppressed: as hashes, or as addresses where these are still known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailer.contacts.hash_file import HashHeading, HashRow
from mailer.contacts.spreadsheet import guarded
from mailer.store import suppressions
from mailer.store.database import Database
from mailer.usecases.check_suppression import require_list


@dataclass(frozen=True, slots=True)
class ExportedSuppressions:
    """The rows of a file, its headings first. ``count`` is how many suppressions there are."""

    count: int
    fingerprint: str
    rows: Iterator[tuple[str, ...]]


def export_suppressions(
    *, db: Database, list_name: str | None = None, addresses: bool = False
) -> ExportedSuppressions:
    """Every suppression, or those of one list, oldest first.

    As hashes the file holds no address, and only a database with the same suppression key can
    read it. As addresses it holds those whose people are still here; the others are but hashes.
    Raises NotFoundError for an unknown list.
    """
    with db.read() as connection:
        list_id = require_list(connection, list_name)
        heading = HashHeading(
            suppressions.fingerprint(connection), suppressions.count(connection, list_id=list_id)
        )
    rows = _addresses(db, list_id) if addresses else _hashes(db, list_id, heading)
    return ExportedSuppressions(heading.rows, heading.fingerprint, rows)


def _hashes(db: Database, list_id: int | None, heading: HashHeading) -> Iterator[tuple[str, ...]]:
    yield heading.columns()
    with db.read() as connection:
        for row in suppressions.stream(connection, list_id=list_id):
            yield HashRow(bytes(row.hash), row.list, row.reason, row.at).cells()


def _addresses(db: Database, list_id: int | None) -> Iterator[tuple[str, ...]]:
    yield ("email", "list", "reason", "since")
    with db.read() as connection:
        for row in suppressions.stream(connection, list_id=list_id):
            if row.address is not None:
                cells = HashRow(bytes(row.hash), row.list, row.reason, row.at).cells()
                yield tuple(guarded(cell) for cell in (row.address, *cells[1:]))

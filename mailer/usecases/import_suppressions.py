"""Suppresses whole files: of hashes that a database with the same key wrote, or of addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from shlex import quote

from sqlalchemy import Connection

from mailer.contacts.address import AddressError, clean_cell, parse_address
from mailer.contacts.hash_file import HashHeading, HashRowError, read_heading, read_row
from mailer.contacts.mapping import map_columns
from mailer.contacts.people import is_blank
from mailer.contacts.spreadsheet import bare
from mailer.contacts.table import Row, Table
from mailer.errors import Fault, InputError
from mailer.ports import Clock
from mailer.store import people, suppressions
from mailer.store.database import Database
from mailer.store.suppressions import Hashed
from mailer.usecases.check_suppression import require_list

SLICE = 1_000  # rows in one write transaction
EXAMPLES = 10  # rejects that the report itself carries


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A row that could not be used."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportedSuppressions:
    """What became of the rows: ``added``, ``there`` already, ``rejected``. They add up to rows.

    ``missing`` is how many rows a file of hashes promises in its heading and does not have.
    """

    rows: int
    added: int
    there: int
    rejected: int
    missing: int
    kind: str  # hashes, addresses
    rejects: tuple[RejectedLine, ...]  # the first few


class _Reader:
    """Reads the rows of one file, and counts those that can't be used."""

    def __init__(self, read: Callable[[Row], Hashed]) -> None:
        self._read = read
        self.rows = 0
        self.rejected = 0
        self.examples: list[RejectedLine] = []

    def hashed(self, table: Table) -> Iterator[Hashed]:
        for row in table.rows:
            if is_blank(row.cells):
                continue
            self.rows += 1
            try:
                found = None if row.fault is not None else self._read(row)
            except (HashRowError, AddressError) as error:
                self._reject(row.line, str(error))
                continue
            if found is None:
                self._reject(row.line, row.fault or "")
            else:
                yield found

    def _reject(self, line: int, reason: str) -> None:
        self.rejected += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(RejectedLine(line, reason))


def import_suppressions(
    table: Table,
    *,
    db: Database,
    clock: Clock,
    reason: str = "imported",
    list_name: str | None = None,
) -> ImportedSuppressions:
    """Suppresses every row, everywhere or on one list; doing it twice changes nothing.

    A file of hashes says itself where and why. What is suppressed already keeps its reason.
    Run again after a crash, it goes on where it was.

    Raises InputError for hashes of another key and for a file without addresses, NotFoundError
    for an unknown list.
    """
    heading = read_heading(table.columns)
    at = clock.now()
    with db.read() as connection:
        list_id = require_list(connection, list_name)
        if heading is not None:
            _refuse_foreign(connection, heading, table.file)
            read = _hashes({row.name: row.id for row, _ in people.lists(connection)}, list_id)
        else:
            read = _addresses(connection, table, list_id, reason, at)
    reader, added = _Reader(read), 0
    hashed = reader.hashed(table)
    while slice_ := list(islice(hashed, SLICE)):
        with db.write() as connection:
            added += suppressions.add_all(connection, slice_, actor=db.operator, at=at)
    return ImportedSuppressions(
        rows=reader.rows,
        added=added,
        there=reader.rows - reader.rejected - added,
        rejected=reader.rejected,
        missing=max(0, heading.rows - reader.rows) if heading is not None else 0,
        kind="addresses" if heading is None else "hashes",
        rejects=tuple(reader.examples),
    )


def _refuse_foreign(connection: Connection, heading: HashHeading, file: str) -> None:
    ours = suppressions.fingerprint(connection)
    if heading.fingerprint != ours:
        raise InputError(
            Fault(
                f"These hashes were made with another key ({heading.fingerprint}; this database's"
                f" is {ours}), so no address could ever match them.",
                file=file,
                hint="Give a new database that key first (`mailer suppressions key`), or import a"
                " file of addresses.",
            )
        )


def _hashes(lists: Mapping[str, int], chosen: int | None) -> Callable[[Row], Hashed]:
    def read(row: Row) -> Hashed:
        found = read_row(row.cells)
        if found.list is not None and found.list not in lists:
            raise HashRowError(
                f"There is no list “{found.list}”: `mailer lists add {quote(found.list)}` makes it."
            )
        list_id = chosen if found.list is None else lists[found.list]
        return Hashed(found.hash, list_id, found.reason, found.since)

    return read


def _addresses(
    connection: Connection, table: Table, list_id: int | None, reason: str, at: datetime
) -> Callable[[Row], Hashed]:
    column = map_columns(table.columns, file=table.file).address
    hashed = people.hasher(connection)

    def read(row: Row) -> Hashed:
        address = parse_address(clean_cell(bare(row.cells[column])))
        return Hashed(hashed(address.key), list_id, reason, at)

    return read

"""Imports a contact file into a list, whole or not at all, and never brings back who has left."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.contacts.headings import REJECT_LINE, REJECT_REASON
from mailer.contacts.mapping import IgnoredColumn, Mapping, map_columns
from mailer.contacts.people import Arrival, RowError, arrivals, is_blank
from mailer.contacts.table import DELIMITER_NAMES, Row, Table
from mailer.errors import InputError, MailerError, NotFoundError
from mailer.model.people import Batch
from mailer.model.words import BatchState, SubscriptionStatus
from mailer.ports import Clock, Rejects
from mailer.store import batches, people
from mailer.store.arrivals import NEW_WORDING, NO_LIST, Arrivals, Entry, Fates, arriving
from mailer.store.database import Database
from mailer.usecases.add_list import make_list

AT_ONCE = 5_000  # rows staged together
EXAMPLES = 10  # rejects that the report itself carries


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was refused."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. The six counts from ``added`` to ``duplicates`` add up to ``rows``."""

    batch: int | None  # None for a dry run
    rows: int
    added: int
    updated: int
    unchanged: int
    rejected: int
    suppressed: int
    duplicates: int
    dry_run: bool
    rejects_file: str | None
    list: str
    file: str
    fields: tuple[str, ...]  # what was kept beside the address
    ignored: tuple[IgnoredColumn, ...]
    rejects: tuple[Reject, ...]  # the first few
    delimiter: str | None  # by name; None for a workbook
    encoding: str | None
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    """What reading the file has shown so far."""

    rows: int = 0
    rejected: int = 0
    examples: tuple[Reject, ...] = ()


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for."""

    source: Table
    mapping: Mapping
    list_name: str
    create_list: bool
    status: SubscriptionStatus
    empty_clears: bool
    consent: str | None
    at: datetime

    @property
    def digest(self) -> str:
        """The same for the same file and the same wishes; empty when the file has none."""
        if not self.source.digest:
            return ""
        wishes = (
            self.source.digest,
            self.source.columns,
            self.source.delimiter,
            self.source.encoding,
            self.mapping,
            self.list_name,
            self.status,
            self.empty_clears,
            self.consent,
        )
        return hashlib.sha256(repr(wishes).encode()).hexdigest()


def import_contacts(
    source: Table,
    *,
    db: Database,
    list_name: str,
    clock: Clock,
    rejects: Rejects,
    create_list: bool = False,
    maps: Sequence[str] = (),
    keep_columns: bool = False,
    empty_clears: bool = False,
    status: SubscriptionStatus = SubscriptionStatus.active,
    consent: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str, int, int | None], None] = lambda phase, done, total: None,
) -> ImportReport:
    """Maps the columns, reads every row, then merges the people; the first two change nothing.

    ``progress`` hears the phase (``reading``, ``writing``), how much is done, and of how much.
    Raises InputError when the file can't be used, NotFoundError for an unknown list,
    StoppedError when the disk is full or the batch is taken over. Run again after a crash, it
    completes what it began; run again after success, it changes nothing.
    """
    with db.read() as connection:
        known = people.field_kinds(connection)
        list_id = _list_id(connection, list_name, create_list)
    mapping = map_columns(
        source.columns, file=source.file, maps=maps, keep_columns=keep_columns, known_fields=known
    )
    order = _Order(
        source, mapping, list_name, create_list, status, empty_clears, consent, clock.now()
    )
    tally = _Tally()
    rejects.begin((*_own_columns(source), REJECT_REASON, REJECT_LINE))
    try:
        with arriving(db) as staged:
            for slice_ in _slices(_read(order, tally, None if dry_run else rejects)):
                staged.load(slice_)
                progress("reading", tally.rows, None)
            duplicates = staged.settle()
            if dry_run:
                return _count(order, staged, tally, duplicates, db, list_id)
            rejects_file = rejects.finish()
            return _write(order, staged, tally, duplicates, db, rejects_file, progress)
    finally:
        rejects.discard()


def _list_id(connection: Connection, name: str, create: bool) -> int:
    try:
        found = people.find_list(connection, name)
    except NotFoundError as error:
        if create:
            return NO_LIST
        raise NotFoundError(error.message, hint=f"{error.hint} Or add --create-list.") from None
    if found.archived_at is not None:
        raise InputError(f"The list “{name}” is archived.", hint="Name another list.")
    return int(found.id)


def _own_columns(source: Table) -> tuple[str, ...]:
    return tuple(name for name in source.columns if name not in (REJECT_REASON, REJECT_LINE))


def _read(order: _Order, tally: _Tally, rejects: Rejects | None) -> Iterator[Arrival]:
    """The people of the file; what can't be used is counted and written down."""
    read = arrivals(order.mapping, status=order.status, empty_clears=order.empty_clears)
    for row in order.source.rows:
        reason = row.fault
        if reason is None:
            try:
                arrival = read(row.cells)
            except RowError as error:
                if is_blank(row.cells):
                    continue
                reason = str(error)
            else:
                tally.rows += 1
                yield arrival
                continue
        tally.rows += 1
        tally.rejected += 1
        if len(tally.examples) < EXAMPLES:
            tally.examples += (Reject(row.line, reason),)
        if rejects is not None:
            rejects.add(_rejected(order.source, row, reason))


def _rejected(source: Table, row: Row, reason: str) -> list[str]:
    """The row in the input's own columns; what exceeds them stands behind reason and line."""
    width = len(source.columns)
    cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
    own = [
        cell
        for name, cell in zip(source.columns, cells, strict=True)
        if name not in (REJECT_REASON, REJECT_LINE)
    ]
    return [*own, reason, str(row.line), *row.cells[width:]]


def _slices(people_: Iterator[Arrival]) -> Iterator[list[Arrival]]:
    while slice_ := list(itertools.islice(people_, AT_ONCE)):
        yield slice_


def _count(
    order: _Order, staged: Arrivals, tally: _Tally, duplicates: int, db: Database, list_id: int
) -> ImportReport:
    with db.read() as connection:
        wording = people.find_wording(connection, order.consent) if order.consent else None
    wording_id = (wording or NEW_WORDING) if order.consent else None
    fates = staged.count(list_id, wording_id)
    return _report(order, tally, fates, duplicates, batch=None, rejects_file=None)


def _write(
    order: _Order,
    staged: Arrivals,
    tally: _Tally,
    duplicates: int,
    db: Database,
    rejects_file: str | None,
    progress: Callable[[str, int, int | None], None],
) -> ImportReport:
    with db.write() as connection:
        half_done = batches.settle_dead(connection)
    with db.write() as connection:
        list_id = _list_id(connection, order.list_name, order.create_list)
        if list_id == NO_LIST:
            list_id = make_list(connection, order.list_name, at=order.at)
        people.declare_fields(connection, [name for name, _ in order.mapping.fields], order.at)
        entry, begun = _begin(connection, order, tally, duplicates, list_id, rejects_file)
    try:
        staged.merge(
            entry,
            behind=begun.merged,
            progress=lambda done, total: progress("writing", done, total),
        )
        with db.write() as connection:
            batch = batches.finish(connection, begun, order.at)
    except MailerError:
        # The disk may be too full even for this; then the end of this process gives it back.
        with suppress(MailerError), db.write() as connection:
            batches.give_back(connection, begun)
        raise
    return _report(
        order,
        tally,
        Fates(batch.added, batch.updated, batch.unchanged, batch.suppressed),
        duplicates,
        batch=begun.id,
        rejects_file=rejects_file,
        warnings=_warned(half_done, begun),
    )


def _begin(
    connection: Connection,
    order: _Order,
    tally: _Tally,
    duplicates: int,
    list_id: int,
    rejects_file: str | None,
) -> tuple[Entry, batches.Begun]:
    begun = batches.begin(
        connection,
        Batch(
            list_id=list_id,
            file=order.source.file,
            digest=order.digest,
            state=BatchState.loading,
            owner="",
            started_at=order.at,
            rows=tally.rows,
            rejected=tally.rejected,
            duplicates=duplicates,
            rejects_file=rejects_file or "",
        ),
    )
    entry = Entry(
        list_id=list_id,
        source="import",
        detail=order.source.file,
        at=order.at,
        wording_id=people.wording(connection, order.consent, order.at),
        batch_id=begun.id,
        taken=begun.taken,
    )
    return entry, begun


def _warned(half_done: Sequence[batches.HalfDone], begun: batches.Begun) -> tuple[str, ...]:
    return tuple(
        f"Import {half.id} ({half.file} into “{half.list}”) was stopped after {half.people:,}"
        " people: run it again to complete it."
        for half in half_done
        if half.id != begun.id
    )


def _report(
    order: _Order,
    tally: _Tally,
    fates: Fates,
    duplicates: int,
    *,
    batch: int | None,
    rejects_file: str | None,
    warnings: tuple[str, ...] = (),
) -> ImportReport:
    source = order.source
    delimiter = source.delimiter
    return ImportReport(
        batch=batch,
        rows=tally.rows,
        added=fates.added,
        updated=fates.updated,
        unchanged=fates.unchanged,
        rejected=tally.rejected,
        suppressed=fates.suppressed,
        duplicates=duplicates,
        dry_run=batch is None,
        rejects_file=rejects_file,
        list=order.list_name,
        file=source.file,
        fields=tuple(name for name, _ in order.mapping.fields),
        ignored=order.mapping.ignored,
        rejects=tally.examples,
        delimiter=None if delimiter is None else DELIMITER_NAMES.get(delimiter, delimiter),
        encoding=source.encoding,
        warnings=(*source.warnings, *warnings),
    )

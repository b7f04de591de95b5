"""Reads the people of a contact file; what can't be used is counted, and told with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailer.contacts.flags import FlagTally
from mailer.contacts.headings import REJECT_LINE, REJECT_REASON
from mailer.contacts.mapping import Mapping as ColumnMapping
from mailer.contacts.people import Arrival, RowError, arrivals, is_blank
from mailer.contacts.table import Row, Table
from mailer.contacts.values import AmbiguousDateError, FieldType
from mailer.errors import Fault, InputError
from mailer.model.words import DateOrder, SubscriptionStatus
from mailer.ports import Rejected
from mailer.store.doubles import Folded

EXAMPLES = 10  # rejects that the report itself carries


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was refused."""

    line: int
    reason: str


@dataclass(slots=True)
class Tally:
    """What reading the file has shown so far."""

    flags: FlagTally
    rows: int = 0
    rejected: int = 0
    examples: tuple[Reject, ...] = ()
    folded: Folded = field(default_factory=Folded)


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What was asked for."""

    source: Table
    mapping: ColumnMapping
    list_name: str
    create_list: bool
    status: SubscriptionStatus
    empty_clears: bool
    types: Mapping[str, FieldType]
    dates: DateOrder | None
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
            [(name, self.types.get(name, FieldType())) for name, _ in self.mapping.fields],
            self.dates,
            self.consent,
        )
        return hashlib.sha256(repr(wishes).encode()).hexdigest()


def read_contacts(
    order: ImportOrder, tally: Tally, refused: Callable[[Rejected], None]
) -> Iterator[Arrival]:
    """The people of the file; what can't be used is counted and written down."""
    read = arrivals(
        order.mapping,
        status=order.status,
        empty_clears=order.empty_clears,
        types=order.types,
        dates=order.dates,
        guarded=order.source.form != "jsonl",
    )
    see = tally.flags.see
    for row in order.source.rows:
        reason = row.fault
        if reason is None:
            try:
                arrival = read(row.cells)
            except RowError as error:
                if is_blank(row.cells):
                    continue
                reason = str(error)
            except AmbiguousDateError as error:
                raise _ambiguous(order, row.line, error) from error
            else:
                tally.rows += 1
                see(arrival.address)
                yield arrival
                continue
        tally.rows += 1
        tally.rejected += 1
        if len(tally.examples) < EXAMPLES:
            tally.examples += (Reject(row.line, reason),)
        refused(_rejected(order.source, row, reason))


def _ambiguous(order: ImportOrder, line: int, error: AmbiguousDateError) -> InputError:
    return InputError(
        Fault(
            f"A date has two meanings: {error}.",
            file=order.source.file,
            line=line,
            hint="Say which it is: --dates dmy, or --dates mdy",
        )
    )


def _rejected(source: Table, row: Row, reason: str) -> Rejected:
    """The row in the input's own columns, and what exceeds them."""
    width = len(source.columns)
    cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
    own = [
        cell
        for name, cell in zip(source.columns, cells, strict=True)
        if name not in (REJECT_REASON, REJECT_LINE)
    ]
    return Rejected(own, reason, row.line, row.cells[width:], row.raw)

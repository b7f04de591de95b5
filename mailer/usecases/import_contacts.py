"""Imports a contact file into a list, whole or not at all, and never brings back who has left."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from mailer.contacts.flags import FlagTally
from mailer.contacts.headings import REJECT_LINE, REJECT_REASON
from mailer.contacts.mapping import map_columns
from mailer.contacts.people import Arrival
from mailer.contacts.table import Table
from mailer.errors import InputError, MailerError, NotFoundError
from mailer.model.people import Batch
from mailer.model.shown import headcount
from mailer.model.words import BatchState, DateOrder, SubscriptionStatus
from mailer.ports import Clock, DomainCheck, Rejected, Rejects
from mailer.store import batches, people
from mailer.store.arrivals import NEW_WORDING, NO_LIST, Arrivals, Entry, Fates, arriving
from mailer.store.database import Database
from mailer.store.differences import Difference
from mailer.usecases.add_list import make_list
from mailer.usecases.read_contacts import ImportOrder, Reject, Tally, read_contacts
from mailer.usecases.report_import import ImportReport, report_import

__all__ = ["Difference", "ImportReport", "Reject", "import_contacts"]

AT_ONCE = 5_000  # rows staged together


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
    dates: DateOrder | None = None,
    dry_run: bool = False,
    disposable: Collection[str] = (),
    mail_servers: DomainCheck | None = None,
    tell: Callable[[Difference], None] | None = None,
    progress: Callable[[str, int, int | None], None] = lambda phase, done, total: None,
) -> ImportReport:
    """Maps the columns, reads every row, then merges the people; the first two change nothing.

    A dry run tells ``tell``, person by person, what would change and what is refused, and writes
    nothing. ``mail_servers`` is asked, if it is there, which domains take no mail; that, and what
    else is odd about an address, is reported and held against nobody.
    ``progress`` hears the phase (``reading``, ``writing``), how much is done, and of how much.
    Raises InputError when the file can't be used, NotFoundError for an unknown list,
    StoppedError when the disk is full, the batch is taken over, or no name server answers. Run
    again after a crash, it completes what it began; run again after success, it changes nothing.
    """
    with db.read() as connection:
        types = people.field_types(connection)
        list_id = _list_id(connection, list_name, create_list)
    mapping = map_columns(
        source.columns, file=source.file, maps=maps, keep_columns=keep_columns, known_fields=types
    )
    order = ImportOrder(
        source=source,
        mapping=mapping,
        list_name=list_name,
        create_list=create_list,
        status=status,
        empty_clears=empty_clears,
        types=types,
        dates=dates,
        consent=consent,
        at=clock.now(),
    )
    tally = Tally(FlagTally(disposable, keep_domains=mail_servers is not None))
    rejects.begin(_own_columns(source), source.form, source.delimiter)
    try:
        with arriving(db) as staged, _few_collections():
            refused = _telling(tell) if dry_run else rejects.add
            for slice_ in _slices(read_contacts(order, tally, refused)):
                staged.load(slice_)
                progress("reading", tally.rows, None)
            tally.folded = staged.settle()
            if mail_servers is not None:
                _ask(mail_servers, tally.flags)
            if dry_run:
                return _count(order, staged, tally, db, list_id, tell)
            rejects_file = rejects.finish()
            return _write(order, staged, tally, db, rejects_file, progress)
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


def _telling(tell: Callable[[Difference], None] | None) -> Callable[[Rejected], None]:
    """What a dry run does with a refused row."""

    def refused(reject: Rejected) -> None:
        if tell is not None:
            shown = reject.raw or " ".join(cell for cell in reject.cells if cell)
            tell(Difference("rejected", shown[:100], why=reject.reason, line=reject.line))

    return refused


def _ask(mail_servers: DomainCheck, flags: FlagTally) -> None:
    """Flags the people whose domain takes no mail, and those of whom nothing could be known."""
    domains = flags.domains or {}
    asked = mail_servers.ask(list(domains))
    for domain, why in asked.deaf.items():
        flags.add("no_mail_server", f"{domain} ({why})", domains[domain])
    for domain in asked.silent:
        flags.add("not_checked", domain, domains[domain])


@contextmanager
def _few_collections() -> Iterator[None]:
    """Rows hold no circles: looking for some after every 700 of them costs a tenth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(20 * AT_ONCE, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _slices(people_: Iterator[Arrival]) -> Iterator[list[Arrival]]:
    while slice_ := list(itertools.islice(people_, AT_ONCE)):
        yield slice_


def _count(
    order: ImportOrder,
    staged: Arrivals,
    tally: Tally,
    db: Database,
    list_id: int,
    tell: Callable[[Difference], None] | None,
) -> ImportReport:
    with db.read() as connection:
        wording = people.find_wording(connection, order.consent) if order.consent else None
    wording_id = (wording or NEW_WORDING) if order.consent else None
    fates = staged.count(list_id, wording_id, tell)
    return report_import(order, tally, fates, staged.respelt, batch=None, rejects_file=None)


def _write(
    order: ImportOrder,
    staged: Arrivals,
    tally: Tally,
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
        entry, begun = _begin(connection, order, tally, list_id, rejects_file, db.operator)
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
    return report_import(
        order,
        tally,
        Fates(batch.added, batch.updated, batch.unchanged, batch.suppressed),
        staged.respelt,
        batch=begun.id,
        rejects_file=rejects_file,
        warnings=_warned(half_done, begun),
    )


def _begin(
    connection: Connection,
    order: ImportOrder,
    tally: Tally,
    list_id: int,
    rejects_file: str | None,
    actor: str,
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
            duplicates=tally.folded.rows,
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
        actor=actor,
    )
    return entry, begun


def _warned(half_done: Sequence[batches.HalfDone], begun: batches.Begun) -> tuple[str, ...]:
    return tuple(
        f"Import {half.id} ({half.file} into “{half.list}”) was stopped after"
        f" {headcount(half.people)}: run it again to complete it."
        for half in half_done
        if half.id != begun.id
    )

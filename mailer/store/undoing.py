"""Takes an import back: everybody whom it changed, unless they, or somebody else, acted since.

::

    judge    who is still as the import left them      ─▶ a temporary table, one slice
    restore  subscription, fields, consent, person     ─▶ as they were before
    mark     the change as undone, with an event       ─▶ never twice

A slice is one short transaction, so an undo that is killed goes on where it stopped. Whoever has
acted since is left and told: a later event that no import made (a departure, a bounce, an
operator's edit), or a later import that is not undone itself.

A person whom the import made goes with it, unless a campaign names them: links in mails that have
left must go on working, so that their row stays, on no list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam, select, text, update
from sqlmodel import col
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.errors import BusyError, InputError, NotFoundError
from mailer.model.people import Batch
from mailer.model.words import BatchState
from mailer.store import people_postgresql
from mailer.store.batches import taken_over
from mailer.store.database import Database
from mailer.store.processes import is_gone, this_process
from mailer.store.trouble import translated

AT_ONCE = 2_000  # people


@dataclass(frozen=True, slots=True)
class Kept:
    """Somebody who was left as they are, and why."""

    address: str
    why: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch in the hands of the process that takes it back."""

    id: int
    list_id: int
    taken: int


def take(connection: Connection, batch_id: int) -> Taken:
    """Takes hold of a batch. Raises NotFoundError, and BusyError while it is being written."""
    row = connection.execute(select(Batch).where(col(Batch.id) == batch_id)).first()
    if row is None:
        raise NotFoundError(
            f"There is no import {batch_id}.", hint="`mailer imports show` names them."
        )
    at_work = (BatchState.loading, BatchState.undoing)
    if row.state in at_work and not is_gone(row.owner, others_too=True):
        doing = "written" if row.state == BatchState.loading else "taken back"
        raise BusyError(
            f"Import {batch_id} is being {doing} by another process.", hint="Wait until it is done."
        )
    moved = connection.execute(
        update(Batch)
        .where(col(Batch.id) == batch_id)
        .where(col(Batch.taken) == row.taken)
        .values(state=BatchState.undoing, taken=row.taken + 1, owner=this_process())
    )
    if moved.rowcount != 1:
        raise taken_over(batch_id)
    return Taken(batch_id, int(row.list_id), int(row.taken) + 1)


def require_recorded(connection: Connection, batch_id: int) -> None:
    """Raises InputError for an import that changed people and kept no record of it."""
    row = connection.execute(
        text(
            "SELECT b.added + b.updated AS changed, EXISTS (SELECT 1 FROM batch_change c"
            " WHERE c.batch_id = b.id) AS recorded FROM batch b WHERE b.id = :batch"
        ),
        {"batch": batch_id},
    ).first()
    if row is not None and row.changed and not row.recorded:
        raise InputError(
            f"What import {batch_id} changed is not on record any more, so it can't be undone.",
            hint="An earlier version made it, its record was pruned, or its people were erased.",
        )


def restore(
    db: Database,
    taken: Taken,
    at: datetime,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[int, list[Kept]]:
    """Takes back what is not taken back yet; returns how many people, and who was left."""
    undone, kept, behind = 0, [], -1
    with _judging(db) as connection:
        while True:
            with translated(db.shown), connection.begin():
                last, count, left = _slice(connection, taken, at, behind, db.operator)
            undone += count
            kept += left
            if last is None:
                return undone, kept
            behind = last
            progress(undone + len(kept))


def finish(connection: Connection, taken: Taken, at: datetime) -> None:
    """Closes the undo. Raises StoppedError when another process has the batch."""
    closed = connection.execute(
        update(Batch)
        .where(col(Batch.id) == taken.id)
        .where(col(Batch.taken) == taken.taken)
        .values(state=BatchState.undone, undone_at=at)
    )
    if closed.rowcount != 1:
        raise taken_over(taken.id)


@contextmanager
def _judging(db: Database) -> Iterator[Connection]:
    with translated(db.shown), db.engine.connect() as connection:
        connection.detach()  # the temporary table goes with it
        with connection.begin():
            connection.exec_driver_sql(
                "CREATE TEMP TABLE judged (subscriber_id BIGINT PRIMARY KEY, address TEXT,"
                " why TEXT, goes INTEGER)"
            )
        connection.execution_options(mailer_immediate=True)
        yield connection


def _slice(
    connection: Connection, taken: Taken, at: datetime, behind: int, actor: str
) -> tuple[int | None, int, list[Kept]]:
    """One slice: the last id that was looked at, how many were restored, who was left."""
    values = {
        "batch": taken.id,
        "list": taken.list_id,
        "at": at,
        "behind": behind,
        "limit": AT_ONCE,
        "taken": taken.taken,
        "actor": actor,
    }
    held = connection.execute(_HOLD, values)
    if held.rowcount != 1:
        raise taken_over(taken.id)
    connection.execute(text("DELETE FROM judged"))
    if connection.dialect.name == "postgresql":
        people_postgresql.hurry(connection)
        connection.execute(_LOCK, values)
    connection.execute(_JUDGE, values)
    last = connection.execute(text("SELECT max(subscriber_id) FROM judged")).scalar()
    if last is None:
        return None, 0, []
    for statement in _RESTORE[connection.dialect.name]:
        connection.execute(statement, values)
    rows = connection.execute(
        text(
            "SELECT address, why FROM judged WHERE why IS NOT NULL AND address IS NOT NULL"
            " ORDER BY subscriber_id"
        )
    )
    left = [Kept(row[0], row[1]) for row in rows]
    undone = connection.execute(text("SELECT count(*) FROM judged WHERE why IS NULL")).scalar_one()
    return int(last), int(undone), left


def _statement(sql: str) -> TextClause:
    clause = text(sql)
    if ":at" in sql:
        instant: Any = bindparam("at", type_=UTCDateTime())
        clause = clause.bindparams(instant)
    return clause


_HOLD = _statement("UPDATE batch SET taken = taken WHERE id = :batch AND taken = :taken")
_SLICE = (
    "SELECT * FROM batch_change WHERE batch_id = :batch AND undone_at IS NULL"
    " AND subscriber_id > :behind ORDER BY subscriber_id LIMIT :limit"
)
# Whoever acts at this moment waits, and is then judged, or finds the person restored.
_LOCK = _statement(
    f"SELECT p.id FROM ({_SLICE}) c JOIN subscriber p ON p.id = c.subscriber_id"
    " ORDER BY p.id FOR UPDATE OF p"
)
# The import's own last event about the person; anything of somebody else's behind it is an act.
_OWN = (
    "COALESCE((SELECT max(o.id) FROM event o"
    " WHERE o.subscriber_id = c.subscriber_id AND o.batch_id = c.batch_id), 0)"
)
# What else may say something of a person: then their row stays.
_NEEDED = " OR ".join(
    f"EXISTS (SELECT 1 FROM {table} o WHERE o.subscriber_id = c.subscriber_id{where})"
    for table, where in {
        "delivery": "",
        "subscription": " AND o.list_id <> :list",
        "consent": " AND (o.batch_id IS NULL OR o.batch_id <> c.batch_id)",
        "tracking_consent": "",
        "subscriber_tag": "",
    }.items()
)
_JUDGE = _statement(
    "INSERT INTO judged (subscriber_id, address, why, goes)"
    " SELECT c.subscriber_id, p.address, CASE"
    "  WHEN p.id IS NULL THEN 'erased since'"
    "  WHEN c.status_after = c.status_before THEN NULL"  # it only repeated a departure
    "  WHEN EXISTS (SELECT 1 FROM batch b JOIN batch_change k ON k.batch_id = b.id"
    "   AND k.subscriber_id = c.subscriber_id WHERE b.id > c.batch_id AND k.undone_at IS NULL)"
    "  THEN 'changed by a later import'"
    "  WHEN EXISTS (SELECT 1 FROM event e WHERE e.subscriber_id = c.subscriber_id"
    f"   AND e.batch_id IS NULL AND e.id > {_OWN}) THEN"
    "   (SELECT e.kind || ' since, by ' || e.actor FROM event e"
    "    WHERE e.subscriber_id = c.subscriber_id AND e.batch_id IS NULL"
    "    ORDER BY e.id DESC LIMIT 1)"
    "  WHEN c.status_after IS NOT NULL AND (u.status IS NULL OR u.status <> c.status_after)"
    "  THEN 'changed since'"
    "  END,"
    f" CASE WHEN c.created AND NOT ({_NEEDED}) THEN 1 ELSE 0 END"
    f" FROM ({_SLICE}) c LEFT JOIN subscriber p ON p.id = c.subscriber_id"
    " LEFT JOIN subscription u ON u.list_id = :list AND u.subscriber_id = c.subscriber_id"
)
_UNDOES = (
    "(SELECT c.* FROM judged j JOIN batch_change c ON c.batch_id = :batch"
    " AND c.subscriber_id = j.subscriber_id WHERE j.why IS NULL)"
)
_THOSE = "(SELECT subscriber_id FROM judged WHERE why IS NULL)"


def _restoring(as_fields: str) -> tuple[TextClause, ...]:
    return tuple(
        _statement(sql)
        for sql in (
            "DELETE FROM subscription WHERE list_id = :list AND subscriber_id IN"
            f" (SELECT subscriber_id FROM {_UNDOES} AS c"
            "  WHERE c.status_before IS NULL AND c.status_after IS NOT NULL)",
            "UPDATE subscription SET status = c.status_before, since = c.since_before"
            f" FROM {_UNDOES} AS c WHERE subscription.list_id = :list"
            " AND subscription.subscriber_id = c.subscriber_id"
            " AND c.status_before IS NOT NULL AND c.status_before <> c.status_after",
            f"UPDATE subscriber SET fields = {as_fields}, language = c.language_before"
            f" FROM {_UNDOES} AS c"
            " WHERE subscriber.id = c.subscriber_id AND c.fields_before IS NOT NULL",
            f"DELETE FROM consent WHERE batch_id = :batch AND subscriber_id IN {_THOSE}",
            "DELETE FROM subscriber WHERE id IN"
            " (SELECT subscriber_id FROM judged WHERE why IS NULL AND goes = 1)",
            "INSERT INTO event (at, kind, actor, subscriber_id, list_id, batch_id, detail)"
            " SELECT :at, 'restored', :actor, c.subscriber_id, :list, :batch, ''"
            f" FROM {_UNDOES} AS c WHERE c.status_before IS NULL"
            " OR c.status_before <> c.status_after ORDER BY c.subscriber_id",
            "UPDATE batch_change SET undone_at = :at WHERE batch_id = :batch"
            f" AND subscriber_id IN {_THOSE}",
        )
    )


_RESTORE = {
    "sqlite": _restoring("c.fields_before"),
    "postgresql": _restoring("CAST(c.fields_before AS json)"),
}

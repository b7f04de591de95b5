"""Begins an import's batch, takes over one that a dead process left, and closes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlmodel import col

from mailer.errors import BusyError, StoppedError
from mailer.model.people import Batch, BatchChange, MailingList
from mailer.model.words import BatchState
from mailer.store.processes import is_gone, this_process

UNFINISHED = (BatchState.loading, BatchState.stopped)


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch in the hands of this process. ``merged`` is how far an earlier one had come."""

    id: int
    taken: int
    merged: int = 0


@dataclass(frozen=True, slots=True)
class HalfDone:
    """A batch whose process died, and how many people it had dealt with."""

    id: int
    file: str
    list: str
    people: int


def begin(connection: Connection, batch: Batch) -> Begun:
    """Begins a batch, or takes over the half-done one of the very same import.

    Raises BusyError when another process of this machine is at it.
    """
    for half in _open_ones(connection, batch):
        if half.state == BatchState.loading and not is_gone(half.owner, others_too=True):
            raise BusyError(
                f"The very same import is running already (import {half.id}).",
                hint="Wait until it is done.",
            )
        moved = connection.execute(
            update(Batch)
            .where(col(Batch.id) == half.id)
            .where(col(Batch.taken) == half.taken)
            .where(col(Batch.state).in_(UNFINISHED))
            .values(
                taken=half.taken + 1,
                owner=this_process(),
                state=BatchState.loading,
                rejects_file=batch.rejects_file,
            )
        )
        if moved.rowcount == 1:
            return Begun(half.id, half.taken + 1, half.merged)
    row = batch.model_dump(exclude={"id"}) | {
        "state": BatchState.loading,
        "owner": this_process(),
    }
    inserted: Any = connection.execute(insert(Batch).returning(col(Batch.id)), row)
    return Begun(int(inserted.scalar_one()), 1)


def finish(connection: Connection, begun: Begun, at: datetime) -> Row[Any]:
    """Closes a batch and returns its row. Raises StoppedError when another process has it."""
    closed = connection.execute(
        update(Batch)
        .where(col(Batch.id) == begun.id)
        .where(col(Batch.taken) == begun.taken)
        .where(col(Batch.state) == BatchState.loading)
        .values(state=BatchState.done, finished_at=at)
    )
    if closed.rowcount != 1:
        raise taken_over(begun.id)
    return connection.execute(select(Batch).where(col(Batch.id) == begun.id)).one()


def give_back(connection: Connection, begun: Begun) -> None:
    """Marks a batch that could not be finished as stopped, so that the same import completes it."""
    connection.execute(
        update(Batch)
        .where(col(Batch.id) == begun.id)
        .where(col(Batch.taken) == begun.taken)
        .where(col(Batch.state) == BatchState.loading)
        .values(state=BatchState.stopped)
    )


def taken_over(batch_id: int) -> StoppedError:
    return StoppedError(
        f"Another process has taken import {batch_id} over.",
        hint="It goes on there; run this again if it does not.",
    )


def settle_dead(connection: Connection) -> Sequence[HalfDone]:
    """Marks the batches of processes that are gone as stopped, and returns them, once."""
    found: Any = connection.execute(
        select(Batch, col(MailingList.name).label("list"))
        .join(MailingList, col(MailingList.id) == col(Batch.list_id))
        .where(col(Batch.state) == BatchState.loading)
        .order_by(col(Batch.id))
    ).all()
    dead = [row for row in found if is_gone(row.owner)]
    for row in dead:
        connection.execute(
            update(Batch)
            .where(col(Batch.id) == row.id)
            .where(col(Batch.taken) == row.taken)
            .values(state=BatchState.stopped)
        )
    return [
        HalfDone(
            int(row.id),
            row.file,
            row.list,
            row.added + row.updated + row.unchanged + row.suppressed,
        )
        for row in dead
    ]


def _open_ones(connection: Connection, batch: Batch) -> Sequence[Row[Any]]:
    """Unfinished batches of the same import: same list, bytes and wishes, same rows read."""
    if not batch.digest:
        return []
    query = (
        select(Batch)
        .where(col(Batch.list_id) == batch.list_id)
        .where(col(Batch.digest) == batch.digest)
        .where(col(Batch.state).in_(UNFINISHED))
        .where(col(Batch.rows) == batch.rows)
        .where(col(Batch.rejected) == batch.rejected)
        .where(col(Batch.duplicates) == batch.duplicates)
        .order_by(col(Batch.id))
    )
    return connection.execute(query).all()


def all_of_them(connection: Connection, batch_id: int | None = None) -> Sequence[Row[Any]]:
    """Imports with their lists' names and how many people an undo left, oldest first."""
    query = (
        select(
            Batch,
            col(MailingList.name).label("list"),
            select(func.count())
            .select_from(BatchChange)
            .where(col(BatchChange.batch_id) == col(Batch.id))
            .where(col(BatchChange.undone_at).is_(None))
            .scalar_subquery()
            .label("standing"),
        )
        .join(MailingList, col(MailingList.id) == col(Batch.list_id))
        .order_by(col(Batch.id))
    )
    if batch_id is not None:
        query = query.where(col(Batch.id) == batch_id)
    return connection.execute(query).all()

"""Begins an import's batch, takes over one that a dead process left, and closes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlmodel import col

from mailer.errors import StoppedError
from mailer.model.people import Batch, MailingList
from mailer.model.words import BatchState


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch in the hands of this process. ``merged`` is how far an earlier one had come."""

    id: int
    taken: int
    merged: int = 0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A batch that is not whole."""

    id: int
    file: str
    list: str


def begin(
    connection: Connection,
    *,
    list_id: int,
    file: str,
    digest: str,
    rows: int,
    rejected: int,
    duplicates: int,
    at: datetime,
) -> Begun:
    """Begins a batch, or takes over the unfinished one of the very same import."""
    half = _unfinished(connection, list_id, digest) if digest else None
    counts = {"rows": rows, "rejected": rejected, "duplicates": duplicates}
    if half is not None and all(getattr(half, name) == n for name, n in counts.items()):
        taken = half.taken + 1
        moved = connection.execute(
            update(Batch)
            .where(col(Batch.id) == half.id)
            .where(col(Batch.taken) == half.taken)
            .where(col(Batch.state) == BatchState.loading)
            .values(taken=taken)
        )
        if moved.rowcount == 1:
            return Begun(half.id, taken, half.merged)
    inserted: Any = connection.execute(
        insert(Batch).returning(col(Batch.id)),
        {
            "list_id": list_id,
            "file": file,
            "digest": digest,
            "state": BatchState.loading,
            "started_at": at,
            **counts,
        },
    )
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
        raise StoppedError(
            f"Another process has taken import {begun.id} over.",
            hint="It goes on there. `mailer imports show` tells how far it is.",
        )
    return connection.execute(select(Batch).where(col(Batch.id) == begun.id)).one()


def unfinished(connection: Connection, list_id: int | None = None) -> Sequence[Unfinished]:
    """Batches that are being written, or were when their process died."""
    query = (
        select(col(Batch.id), col(Batch.file), col(MailingList.name))
        .join(MailingList, col(MailingList.id) == col(Batch.list_id))
        .where(col(Batch.state) == BatchState.loading)
        .order_by(col(Batch.id))
    )
    if list_id is not None:
        query = query.where(col(Batch.list_id) == list_id)
    return [Unfinished(int(row[0] or 0), row[1], row[2]) for row in connection.execute(query)]


def _unfinished(connection: Connection, list_id: int, digest: str) -> Row[Any] | None:
    return connection.execute(
        select(Batch)
        .where(col(Batch.list_id) == list_id)
        .where(col(Batch.digest) == digest)
        .where(col(Batch.state) == BatchState.loading)
        .order_by(col(Batch.id))
    ).first()

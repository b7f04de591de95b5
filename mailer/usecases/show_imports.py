"""Shows the imports of this workspace, or one of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailer.errors import NotFoundError
from mailer.store import batches
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class ShownImport:
    """One import. The six counts from ``added`` to ``duplicates`` add up to ``rows``."""

    batch: int
    list: str
    file: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    rows: int
    added: int
    updated: int
    unchanged: int
    rejected: int
    suppressed: int
    duplicates: int
    undoable: int  # how many people an undo would look at
    rejects_file: str | None


def show_imports(batch_id: int | None = None, *, db: Database) -> tuple[ShownImport, ...]:
    """All imports, oldest first, or the one of this number. Raises NotFoundError for it."""
    with db.read() as connection:
        rows = batches.all_of_them(connection, batch_id)
    if batch_id is not None and not rows:
        raise NotFoundError(
            f"There is no import {batch_id}.", hint="`mailer imports show` names them."
        )
    return tuple(
        ShownImport(
            batch=row.id,
            list=row.list,
            file=row.file,
            state=row.state,
            started_at=row.started_at,
            finished_at=row.finished_at,
            undone_at=row.undone_at,
            rows=row.rows,
            added=row.added,
            updated=row.updated,
            unchanged=row.unchanged,
            rejected=row.rejected,
            suppressed=row.suppressed,
            duplicates=row.duplicates,
            undoable=row.standing,
            rejects_file=row.rejects_file or None,
        )
        for row in rows
    )

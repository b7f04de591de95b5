"""Takes an import back: everybody is again as before it, but for those who acted since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mailer.ports import Clock
from mailer.store import undoing
from mailer.store.database import Database
from mailer.store.undoing import Kept


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What came of it: how many people were restored, and who was left as they are."""

    batch: int
    undone: int
    kept: tuple[Kept, ...]


def undo_import(
    batch_id: int,
    *,
    db: Database,
    clock: Clock,
    progress: Callable[[int], None] = lambda done: None,
) -> UndoReport:
    """Takes hold of the batch, restores slice by slice, closes it. Twice does no harm.

    An undo that died is completed by the next. The list and the names of fields stay.
    Raises NotFoundError for an unknown batch, InputError for one without a record,
    BusyError while another process is at it.
    """
    with db.write() as connection:
        taken = undoing.take(connection, batch_id)
        undoing.require_recorded(connection, batch_id)
    undone, kept = undoing.restore(db, taken, clock.now(), progress)
    with db.write() as connection:
        undoing.finish(connection, taken, clock.now())
    return UndoReport(batch_id, undone, tuple(kept))

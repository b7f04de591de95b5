"""Archives a list: nothing is sent to it or imported into it any more, nothing is lost."""

from __future__ import annotations

from mailer.ports import Clock
from mailer.store import people
from mailer.store.database import Database
from mailer.usecases.show_lists import ShownList, show_lists


def archive_list(name: str, *, db: Database, clock: Clock, back: bool = False) -> ShownList:
    """Archives a list, or takes it back into use; doing it twice changes nothing.

    Raises NotFoundError for an unknown list.
    """
    with db.write() as connection:
        found = people.find_list(connection, name)
        if back:
            people.update_list(connection, found.id, {"archived_at": None})
        elif found.archived_at is None:
            people.update_list(connection, found.id, {"archived_at": clock.now()})
    return show_lists(name, db=db)[0]

"""Lifts a suppression; nobody is put back on a list by it."""

from __future__ import annotations

from mailer.ports import Clock
from mailer.store import people, suppressions
from mailer.store.database import Database
from mailer.usecases.check_suppression import Suppressed, require_address, require_list, standing


def lift_suppression(
    address: str, *, db: Database, clock: Clock, list_name: str | None = None
) -> Suppressed:
    """Lifts it whatever its reason, everywhere or on one list; doing it twice changes nothing.

    Raises InputError for what is no address, NotFoundError for an unknown list.
    """
    parsed, at = require_address(address), clock.now()
    with db.write() as connection:
        list_id = require_list(connection, list_name)
        if list_id is None:
            changed = people.unsuppress(connection, parsed.key, actor=db.operator, at=at)
        else:
            changed = suppressions.unsuppress_on_list(
                connection, parsed.key, list_id, actor=db.operator, at=at
            )
    return standing(parsed, db=db, changed=changed, list_name=list_name)

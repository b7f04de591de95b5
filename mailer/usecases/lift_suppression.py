"""Lifts a suppression; nobody is put back on a list by it."""

from __future__ import annotations

from mailer.ports import Clock
from mailer.store import people
from mailer.store.database import Database
from mailer.usecases.check_suppression import Suppressed, require_address, standing


def lift_suppression(address: str, *, db: Database, clock: Clock) -> Suppressed:
    """Lifts it whatever its reason; doing it twice changes nothing.

    Raises InputError for what is no address.
    """
    parsed = require_address(address)
    with db.write() as connection:
        changed = people.unsuppress(connection, parsed.key, actor="operator", at=clock.now())
    return standing(parsed, db=db, changed=changed)

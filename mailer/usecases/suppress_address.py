"""Suppresses an address: it is never mailed, and no import brings it back."""

from __future__ import annotations

from mailer.ports import Clock
from mailer.store import people
from mailer.store.database import Database
from mailer.usecases.check_suppression import Suppressed, require_address, standing


def suppress_address(
    address: str, *, db: Database, clock: Clock, reason: str = "operator"
) -> Suppressed:
    """Suppresses an address, known or not; one that is already keeps its reason.

    A reader's own wish becomes the operator's: the reader's link can't lift it any more.

    Raises InputError for what is no address.
    """
    parsed = require_address(address)
    with db.write() as connection:
        changed = people.suppress(
            connection, parsed.key, reason=reason, actor="operator", at=clock.now()
        )
    return standing(parsed, db=db, changed=changed)

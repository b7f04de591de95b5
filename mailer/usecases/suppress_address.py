"""Suppresses an address: it is never mailed, and no import brings it back."""

from __future__ import annotations

from mailer.ports import Clock
from mailer.store import people, suppressions
from mailer.store.database import Database
from mailer.usecases.check_suppression import Suppressed, require_address, require_list, standing


def suppress_address(
    address: str,
    *,
    db: Database,
    clock: Clock,
    reason: str = "operator",
    list_name: str | None = None,
) -> Suppressed:
    """Suppresses an address, known or not, everywhere or on one list; one that is keeps its reason.

    A reader's own wish becomes the operator's: the reader's link can't lift it any more.

    Raises InputError for what is no address, NotFoundError for an unknown list.
    """
    parsed, at = require_address(address), clock.now()
    with db.write() as connection:
        list_id = require_list(connection, list_name)
        if list_id is None:
            changed = people.suppress(
                connection, parsed.key, reason=reason, actor=db.operator, at=at
            )
        else:
            changed = suppressions.suppress_on_list(
                connection, parsed.key, list_id, reason=reason, actor=db.operator, at=at
            )
    return standing(parsed, db=db, changed=changed, list_name=list_name)

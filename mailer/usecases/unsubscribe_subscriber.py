"""Takes a person off a list, or off all of them, because they asked an operator to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.ports import Clock
from mailer.store import people
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class UnsubscribedSubscriber:
    """Which lists the person has left now; the others they did not get anyway."""

    address: str
    left: Sequence[str]
    already: Sequence[str]


def unsubscribe_subscriber(
    address: str, *, db: Database, clock: Clock, list_name: str | None = None
) -> UnsubscribedSubscriber:
    """Unsubscribes from one list, or from every list; doing it twice changes nothing.

    Raises NotFoundError for an unknown person or list.
    """
    left: list[str] = []
    already: list[str] = []
    with db.write() as connection:
        person = people.require_subscriber(connection, address)
        wanted = None if list_name is None else people.find_list(connection, list_name).name
        for each in people.joined(connection, person.id):
            if wanted is not None and each.name != wanted:
                continue
            changed = people.unsubscribe(
                connection,
                list_id=people.find_list(connection, each.name).id,
                subscriber_id=person.id,
                actor=db.operator,
                at=clock.now(),
            )
            (left if changed else already).append(each.name)
    return UnsubscribedSubscriber(person.address, left, already)

"""Lists people, one by one, however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailer.model.words import SubscriptionStatus
from mailer.store import people
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class FoundSubscriber:
    """A person; ``status`` and ``since`` only when a list was named."""

    address: str
    fields: Mapping[str, Any]
    suppressed: bool
    status: str | None = None
    since: datetime | None = None


def find_subscribers(
    *,
    db: Database,
    list_name: str | None = None,
    status: SubscriptionStatus | None = None,
) -> Iterator[FoundSubscriber]:
    """Streams everybody, or those of a list, or in a state. Raises NotFoundError at its start."""
    list_id = None
    if list_name is not None:
        with db.read() as connection:
            list_id = int(people.find_list(connection, list_name).id)
    return _stream(db, list_id, status)


def _stream(
    db: Database, list_id: int | None, status: SubscriptionStatus | None
) -> Iterator[FoundSubscriber]:
    with db.read() as connection:
        for row in people.people(connection, list_id=list_id, status=status):
            if list_id is None:
                yield FoundSubscriber(row.address, row.fields, bool(row.suppressed))
            else:
                yield FoundSubscriber(
                    row.address, row.fields, bool(row.suppressed), row.status, row.since
                )

"""Shows everything that is known about one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailer.contacts.address import AddressError, clean_cell, parse_address
from mailer.errors import NotFoundError
from mailer.store import people
from mailer.store.database import Database
from mailer.store.people import Joined, Proof


@dataclass(frozen=True, slots=True)
class ShownSubscriber:
    """A person: the lists they are or were on, their fields, and why they may be written to."""

    address: str
    language: str | None
    lists: Sequence[Joined]
    fields: Mapping[str, Any]
    consents: Sequence[Proof]
    suppressed: bool
    suppressed_because: str | None


def show_subscriber(address: str, *, db: Database) -> ShownSubscriber:
    """The person with this address, however its case is typed.

    An address that is suppressed and otherwise unknown (its person was erased, or never here)
    is shown too, without anything else. Raises NotFoundError when nothing at all is known.
    """
    with db.read() as connection:
        try:
            parsed = parse_address(clean_cell(address))
        except AddressError as error:
            raise NotFoundError(f"Nobody has the address {address}: {error}") from error
        hashed = people.hasher(connection)(parsed.key)
        suppression = people.suppression_of(connection, hashed)
        because = None if suppression is None else suppression.reason
        row = people.find_subscriber(connection, address)
        if row is None and suppression is not None:
            return ShownSubscriber(parsed.address, None, (), {}, (), True, because)
        row = people.require_subscriber(connection, address)
        return ShownSubscriber(
            address=row.address,
            language=row.language,
            lists=people.joined(connection, row.id),
            fields=row.fields,
            consents=people.proofs(connection, row.id),
            suppressed=suppression is not None,
            suppressed_because=because,
        )

"""Shows everything that is known about one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailer.contacts.address import AddressError, clean_cell, parse_address
from mailer.errors import NotFoundError
from mailer.model.words import Frequency, TrackingAnswer
from mailer.store import evidence, people, tags
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
    suppressed_on: Mapping[str, str] = field(default_factory=dict)  # list → reason
    tags: Sequence[str] = ()
    tracking: TrackingAnswer = TrackingAnswer.unknown
    frequency: Frequency = Frequency.every
    shown: str = ""  # the address with its domain as people read it: an IDN's U-labels


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
        blocks = evidence.blocks(connection, hashed)
        because = next((each.reason for each in blocks if each.list is None), None)
        on_lists = {each.list: each.reason for each in blocks if each.list is not None}
        row = people.find_subscriber(connection, address)
        if row is None and blocks:
            return ShownSubscriber(
                parsed.address,
                None,
                (),
                {},
                (),
                because is not None,
                because,
                on_lists,
                shown=parsed.shown,
            )
        row = people.require_subscriber(connection, address)
        return ShownSubscriber(
            address=row.address,
            language=row.language,
            lists=people.joined(connection, row.id),
            fields=row.fields,
            consents=people.proofs(connection, row.id),
            suppressed=because is not None,
            suppressed_because=because,
            suppressed_on=on_lists,
            tags=tags.tags_of(connection, row.id),
            tracking=evidence.tracking_answer(connection, row.id),
            frequency=Frequency.of(row.fewer_days),
            shown=parse_address(row.address).shown,
        )

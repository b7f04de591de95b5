"""Gives a person everything that is held about them (GDPR article 15 and 20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailer.contacts.address import parse_address
from mailer.contacts.mention import mentions
from mailer.model.words import Frequency, TrackingAnswer
from mailer.ports import Clock, Leftovers
from mailer.store import address_changes, clicks, evidence, people, tags
from mailer.store.clicks import OwnClick, OwnLoad
from mailer.store.database import Database
from mailer.store.evidence import Block, Letter, TrackingRecord
from mailer.usecases.show_consents import ListConsents, consents_by_list
from mailer.usecases.show_history import Happening, happenings


@dataclass(frozen=True, slots=True)
class HeldData:
    """Everything that is held about one person at one moment."""

    address: str
    exported_at: datetime
    known_since: datetime
    language: str | None
    fields: Mapping[str, Any]
    tags: Sequence[str]
    lists: Sequence[ListConsents]
    asked_addresses: Sequence[str]  # that they asked to move to, lately
    frequency: Frequency
    tracking: TrackingAnswer
    tracking_records: Sequence[TrackingRecord]
    suppressions: Sequence[Block]
    mails: Sequence[Letter]
    clicks: Sequence[OwnClick]  # measured links that they followed
    image_loads: Sequence[OwnLoad]  # loads of the counted picture in their mails
    history: Sequence[Happening]
    rejected_rows_in: Sequence[str]  # files of rows that imports refused


def export_person(address: str, *, db: Database, clock: Clock, leftovers: Leftovers) -> HeldData:
    """Reads it all in one transaction. Raises NotFoundError for an unknown person."""
    with db.read() as connection:
        person = people.require_subscriber(connection, address)
        return HeldData(
            address=person.address,
            exported_at=clock.now(),
            known_since=person.created_at,
            language=person.language,
            fields=person.fields,
            tags=tags.tags_of(connection, person.id),
            lists=consents_by_list(connection, person.id),
            asked_addresses=address_changes.asked(connection, person.id),
            frequency=Frequency.of(person.fewer_days),
            tracking=evidence.tracking_answer(connection, person.id),
            tracking_records=evidence.tracking(connection, person.id),
            suppressions=evidence.blocks(connection, person.suppression_hash),
            mails=evidence.letters(connection, person.id),
            clicks=clicks.own(connection, person.id),
            image_loads=clicks.own_loads(connection, person.id),
            history=happenings(connection, person.id, person.suppression_hash),
            rejected_rows_in=leftovers.mentioning(mentions(parse_address(person.address))),
        )

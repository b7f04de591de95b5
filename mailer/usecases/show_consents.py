"""Shows an auditor why a person is written to: each consent, its words, its withdrawal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.model.words import TrackingAnswer
from mailer.store import evidence, people
from mailer.store.database import Database
from mailer.store.evidence import Block, ConsentRecord, Occurrence, TrackingRecord

_LEAVING = ("unsubscribed", "complained")
_TAKEN_BACK = "undone"  # the reader took their own departure back: the consent stands as it was


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """When and how a consent ended. ``how`` is the event's kind and its detail."""

    at: datetime
    actor: str
    how: str


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """One consent, and its withdrawal if there was one."""

    record: ConsentRecord
    withdrawn: Withdrawal | None


@dataclass(frozen=True, slots=True)
class ListConsents:
    """How a person stands on one list, and on what evidence. No consents: none is on record."""

    list: str
    status: str | None  # None: the person is not on it (any more)
    since: datetime | None
    consents: Sequence[GivenConsent]
    paused_until: datetime | None = None  # a break that the person takes, or took


@dataclass(frozen=True, slots=True)
class ShownConsents:
    """What an auditor wants to know about one person."""

    address: str
    known_since: datetime
    lists: Sequence[ListConsents]
    tracking: TrackingAnswer
    tracking_records: Sequence[TrackingRecord]
    suppressions: Sequence[Block]


def show_consents(address: str, *, db: Database) -> ShownConsents:
    """Every consent of one person, list by list. Raises NotFoundError."""
    with db.read() as connection:
        person = people.require_subscriber(connection, address)
        return ShownConsents(
            address=person.address,
            known_since=person.created_at,
            lists=consents_by_list(connection, person.id),
            tracking=evidence.tracking_answer(connection, person.id),
            tracking_records=evidence.tracking(connection, person.id),
            suppressions=evidence.blocks(connection, person.suppression_hash),
        )


def consents_by_list(connection: Connection, subscriber_id: int) -> list[ListConsents]:
    """A person's lists by name, each with its consents and what became of them."""
    joined = {each.name: each for each in people.joined(connection, subscriber_id)}
    records = evidence.consents(connection, subscriber_id)
    events = evidence.events(connection, subscriber_id)
    names = sorted(joined.keys() | {record.list for record in records})
    return [
        ListConsents(
            list=name,
            status=joined[name].status if name in joined else None,
            since=joined[name].since if name in joined else None,
            consents=_given([record for record in records if record.list == name], events),
            paused_until=joined[name].paused_until if name in joined else None,
        )
        for name in names
    ]


def _given(records: Sequence[ConsentRecord], events: Sequence[Occurrence]) -> list[GivenConsent]:
    return [GivenConsent(record, _withdrawal(record, events)) for record in records]


def _withdrawal(record: ConsentRecord, events: Sequence[Occurrence]) -> Withdrawal | None:
    """The first departure behind a consent that was not taken back."""
    left: Withdrawal | None = None  # from this list
    stopped: Withdrawal | None = None  # all mail
    for event in events:
        if event.at < record.at or event.list not in (None, record.list):
            continue
        how = f"{event.kind} {event.detail}".strip()
        found = Withdrawal(event.at, event.actor, how)
        if event.kind in _LEAVING:
            left = left or found
        elif event.kind == "suppressed":
            stopped = stopped or found
        elif event.kind == "unsuppressed":
            stopped = None
        elif event.kind == "subscribed" and event.detail == _TAKEN_BACK:
            left = None
    ends = [each for each in (left, stopped) if each is not None]
    return min(ends, key=lambda each: each.at) if ends else None

"""Changes what a reader says about themselves: language, open fields, the answer to tracking."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from mailer.contacts.address import Address
from mailer.contacts.headings import language_tag
from mailer.contacts.people import RowError, arrival_of
from mailer.errors import InputError
from mailer.message.links import KeyRing, Purpose
from mailer.model.words import SubscriptionStatus, TrackingAnswer
from mailer.ports import Clock
from mailer.store import evidence, people
from mailer.store.database import Database
from mailer.store.subscriptions import BY_READER
from mailer.usecases.open_link import open_link

LONGEST = 200  # characters of a value that a reader types
SOURCE = "form"
PAGE = "preferences page"


@dataclass(frozen=True, slots=True)
class OwnChanges:
    """What is to change; None leaves it as it is. An empty value takes a field away.

    ``wording`` is what the person was shown when they answered about tracking.
    """

    language: str | None = None
    fields: Mapping[str, str] | None = None
    tracking: TrackingAnswer | None = None
    wording: str | None = None


@dataclass(frozen=True, slots=True)
class OwnChanged:
    """What has changed, and the fields whose value can't be one of their kind: then nothing."""

    changed: tuple[str, ...] = ()
    refused: tuple[str, ...] = field(default=())


def change_own_data(
    token: str, changes: OwnChanges, *, keys: KeyRing, db: Database, clock: Clock
) -> Future[OwnChanged]:
    """Writes it down with an event, and answers when that is durable; twice changes nothing.

    Only fields that the owner opened are touched. Raises NotFoundError for a wrong token,
    InputError for what is no language tag.
    """
    link = open_link(token, Purpose.preferences, keys=keys, clock=clock)
    at = clock.now()
    if changes.language and language_tag(changes.language) is None:
        raise InputError(f"“{changes.language[:40]}” is no language tag.")

    def work(connection: Connection) -> OwnChanged:
        person = None if link.test else people.subscriber(connection, link.subscriber)
        if person is None:
            return OwnChanged()
        values: dict[str, Any] = {}
        if changes.language is not None:
            values["language"] = changes.language or None
        if changes.fields is not None:
            values["fields"], refused = _fields(connection, person, changes.fields)
            if refused:
                return OwnChanged(refused=tuple(refused))
        changed = [name for name, value in values.items() if value != getattr(person, name)]
        if changed:
            people.update_subscriber(connection, person.id, values)
            detail = ", ".join(changed)
            people.note(connection, at, "changed", BY_READER, person.id, None, detail)
        if _answered(connection, person, changes, at):
            changed.append("tracking")
        return OwnChanged(tuple(changed))

    return db.writer.submit(work)


def _fields(
    connection: Connection, person: Row[Any], given: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """All fields of the person as they are to be, and the names of values that are refused."""
    fields, refused = dict(person.fields), []
    for each in people.open_fields(connection):
        if each.name not in given:
            continue
        value = " ".join(given[each.name].split())
        if not value:
            fields.pop(each.name, None)
            continue
        if len(value) > LONGEST:
            refused.append(each.name)
            continue
        one = {each.name: value}
        try:
            active = SubscriptionStatus.active
            read = arrival_of(Address("", "", ""), one, None, active, {each.name: each.type})
        except RowError:
            refused.append(each.name)
            continue
        fields |= json.loads(read.fields)
    return fields, refused


def _answered(connection: Connection, person: Row[Any], changes: OwnChanges, at: datetime) -> bool:
    answer = changes.tracking
    if answer is None or answer is evidence.tracking_answer(connection, person.id):
        return False
    wording = people.wording(connection, changes.wording, at)
    evidence.record_tracking(
        connection, person.id, answer, source=SOURCE, detail=PAGE, at=at, wording_id=wording
    )
    return True

"""Changes what is known about one person, by an operator's hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from mailer.contacts.address import Address
from mailer.contacts.headings import language_tag
from mailer.contacts.people import RowError, arrival_of
from mailer.errors import InputError
from mailer.model.words import SubscriptionStatus, TrackingAnswer
from mailer.ports import Clock
from mailer.store import evidence, people, suppressions
from mailer.store.database import Database
from mailer.store.people import RECEIVING
from mailer.usecases.check_suppression import require_address


@dataclass(frozen=True, slots=True)
class SubscriberChanges:
    """What is to change; None, or nothing, leaves it as it is.

    ``clear`` names fields to take away. An empty ``language`` takes the language away.
    ``wording`` is what the person was shown when they answered about tracking.
    """

    address: str | None = None
    fields: Mapping[str, str] | None = None
    clear: Sequence[str] = ()
    language: str | None = None
    tracking: TrackingAnswer | None = None
    wording: str | None = None


@dataclass(frozen=True, slots=True)
class EditedSubscriber:
    """The person's address as it is now, and the names of what has changed."""

    address: str
    changed: Sequence[str]


def edit_subscriber(
    address: str, changes: SubscriberChanges, *, db: Database, clock: Clock
) -> EditedSubscriber:
    """Changes fields, language, address, or the answer to tracking; twice changes nothing.

    A new address brings nobody back: what was left under the old one stays closed to it, and
    neither a suppressed person nor a suppressed address can take part.

    Raises InputError for what can't be used, NotFoundError for an unknown person.
    """
    with db.write() as connection:
        person = people.require_subscriber(connection, address)
        at = clock.now()
        values = _changed_values(connection, person, changes, at, db.operator)
        changed = _changed_names(person, values)
        if changed:
            people.update_subscriber(connection, person.id, values)
            people.note(connection, at, "changed", db.operator, person.id, None, ", ".join(changed))
        if changes.tracking is not None and _answers(connection, person, changes, at, db.officer):
            changed.append("tracking")
    return EditedSubscriber(values.get("address", person.address), changed)


def _changed_values(
    connection: Connection,
    person: Row[Any],
    changes: SubscriberChanges,
    at: datetime,
    actor: str,
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    fields = {**person.fields, **_fields(connection, changes, at)}
    for name in changes.clear:
        if name not in people.field_kinds(connection):
            raise InputError(f"There is no field “{name}”.")
        fields.pop(name, None)
    if fields != person.fields:
        values["fields"] = fields
    if changes.language is not None:
        values["language"] = _tag(changes.language)
    if changes.address is not None:
        values |= moved_address(
            connection, person, require_address(changes.address), at, actor=actor
        )
    return values


def _fields(connection: Connection, changes: SubscriberChanges, at: datetime) -> dict[str, Any]:
    """The values of the fields, each of its declared kind."""
    given = dict(changes.fields or {})
    empty = Address("", "", "")
    types = people.field_types(connection)
    try:
        arrival = arrival_of(empty, given, None, SubscriptionStatus.active, types)
    except RowError as error:
        raise InputError(str(error)) from None
    people.declare_fields(connection, sorted(given), at)
    told: dict[str, Any] = json.loads(arrival.fields)
    return told


def moved_address(
    connection: Connection,
    person: Row[Any],
    new: Address,
    at: datetime,
    *,
    actor: str,
) -> dict[str, Any]:
    """The columns of a new address. The lists that were left stay closed to the old one.

    Raises InputError when either address is suppressed, or the new one is somebody else's.
    """
    if new.key == person.key:  # only its spelling changes
        return {"address": new.address}
    hashed = people.hasher(connection)
    if people.find_subscriber(connection, new.address) is not None:
        raise InputError(f"Somebody else has the address {new.address} already.")
    for each, key in ((person.address, person.key), (new.address, new.key)):
        if evidence.blocks(connection, hashed(key)):
            raise InputError(
                f"{each} is suppressed, so the address can't be changed.",
                hint=f"`mailer suppressions check {each}` says why.",
            )
    for joined in people.joined(connection, person.id):
        if joined.status not in RECEIVING:
            suppressions.suppress_on_list(
                connection,
                person.key,
                people.find_list(connection, joined.name).id,
                reason=joined.status,
                actor=actor,
                at=at,
            )
    return {"address": new.address, "key": new.key, "suppression_hash": hashed(new.key)}


def _changed_names(person: Row[Any], values: Mapping[str, Any]) -> list[str]:
    before: Mapping[str, Any] = person.fields
    after: Mapping[str, Any] = values.get("fields", before)
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    own = [
        name
        for name in ("address", "language")
        if name in values and values[name] != getattr(person, name)
    ]
    return [*own, *sorted(names)]


def _answers(
    connection: Connection,
    person: Row[Any],
    changes: SubscriberChanges,
    at: datetime,
    officer: str,
) -> bool:
    if changes.tracking is None or (
        changes.tracking is evidence.tracking_answer(connection, person.id)
    ):
        return False
    evidence.record_tracking(
        connection,
        person.id,
        changes.tracking,
        source="operator",
        detail=officer,
        at=at,
        wording_id=people.wording(connection, changes.wording, at),
    )
    return True


def _tag(language: str) -> str | None:
    if not language:
        return None
    tag = language_tag(language)
    if tag is None:
        raise InputError(f"“{language}” is no language tag such as en, fr or pt-BR.")
    return tag

"""Lists people, one by one, however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from mailer.contacts.rule_time import Calendar
from mailer.errors import InputError
from mailer.model.words import PersonOrder, SubscriptionStatus
from mailer.store import people, segments
from mailer.store.database import Database
from mailer.store.finding import Wanted, count, find
from mailer.usecases.tag_subscriber import require_tags


@dataclass(frozen=True, slots=True)
class Question:
    """Whom to find; everything that is given must hold. ``text`` is a part of address or field."""

    list_name: str | None = None
    status: SubscriptionStatus | None = None
    tag: str | None = None
    fields: Mapping[str, str] | None = None
    text: str | None = None
    since: datetime | None = None
    suppressed: bool | None = None
    segment: str | None = None
    order: PersonOrder = PersonOrder.added
    descending: bool = False
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class FoundSubscriber:
    """A person; ``status`` and ``since`` only when a list was named."""

    address: str
    fields: Mapping[str, Any]
    suppressed: bool
    status: str | None = None
    since: datetime | None = None
    language: str | None = None


def find_subscribers(
    *,
    db: Database,
    question: Question | None = None,
    list_name: str | None = None,
    status: SubscriptionStatus | None = None,
    calendar: Calendar | None = None,
) -> Iterator[FoundSubscriber]:
    """Streams those whom the question describes; without one, everybody, or those of a list.

    A segment needs the ``calendar`` by which its dates are read. Raises NotFoundError for an
    unknown list or segment, InputError for an unknown field, RuleError for a rule that can't be
    used, all at its start.
    """
    asked = question or Question(list_name=list_name, status=status)
    with db.read() as connection:
        wanted = _wanted(connection, asked, calendar)
    return _stream(db, wanted)


def count_subscribers(question: Question, *, db: Database, calendar: Calendar | None = None) -> int:
    """How many there are on all pages together. Raises as ``find_subscribers`` does."""
    with db.read() as connection:
        return count(connection, _wanted(connection, question, calendar))


def _wanted(connection: Connection, asked: Question, calendar: Calendar | None) -> Wanted:
    list_id = None
    if asked.list_name is not None:
        list_id = int(people.find_list(connection, asked.list_name).id)
    fields = dict(asked.fields or {})
    known = people.field_kinds(connection) if fields else {}
    for name in fields:
        if name not in known:
            raise InputError(
                f"There is no field “{name}”.",
                hint=f"There are: {', '.join(known)}." if known else "There are none yet.",
            )
    rule = None
    if asked.segment is not None:
        if calendar is None:
            raise TypeError("a segment needs a calendar")
        rule = segments.read(connection, asked.segment, calendar)
    return Wanted(
        list_id=list_id,
        status=asked.status,
        tag=None if asked.tag is None else require_tags([asked.tag])[0],
        fields=fields,
        words=asked.text or None,
        since=asked.since,
        suppressed=asked.suppressed,
        segment=rule,
        order=asked.order,
        descending=asked.descending,
        limit=asked.limit,
        offset=asked.offset,
    )


def _stream(db: Database, wanted: Wanted) -> Iterator[FoundSubscriber]:
    with db.read() as connection:
        for row in find(connection, wanted):
            yield FoundSubscriber(
                row.address, row.fields, bool(row.suppressed), row.status, row.since, row.language
            )

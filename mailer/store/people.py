"""Lists and the people on them: finds, shows, adds, and takes off.

What moves people by the thousand stands in ``arrivals.py``; what a reader's own click may do, in
``subscriptions.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Connection, Row, bindparam, func, insert, select, text, update
from sqlmodel import col
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.contacts.address import AddressError, clean_cell, parse_address
from mailer.contacts.suppression import suppression_hasher
from mailer.contacts.values import FieldType
from mailer.errors import NotFoundError
from mailer.model.people import (
    Event,
    FieldDefinition,
    MailingList,
    Subscriber,
    Subscription,
    Suppression,
)
from mailer.model.words import FieldKind, SubscriptionStatus
from mailer.store.database import one
from mailer.store.subscriptions import BY_READER, taken_off_by_import

RECEIVING = (SubscriptionStatus.active, SubscriptionStatus.pending)


@dataclass(frozen=True, slots=True)
class Joined:
    """One list that a person is, or was, on."""

    name: str
    status: str
    since: datetime
    paused_until: datetime | None = None  # a break that the reader takes


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a person may be written to on one list."""

    list: str
    source: str
    detail: str
    batch: int | None
    wording: str | None
    at: datetime


def find_list(connection: Connection, name: str) -> Row[Any]:
    """The list of this name. Raises NotFoundError, which names the lists that there are."""
    row = connection.execute(select(MailingList).where(col(MailingList.name) == name)).first()
    if row is not None:
        return row
    names = connection.execute(
        select(col(MailingList.name)).order_by(col(MailingList.name))
    ).scalars()
    there = ", ".join(f"“{each}”" for each in names)
    raise NotFoundError(
        f"There is no list “{name}”.",
        hint=(f"There are {there}." if there else "There are none yet.")
        + " `mailer lists add NAME` makes one.",
    )


def lists(connection: Connection) -> Sequence[tuple[Row[Any], Mapping[str, int]]]:
    """Every list by name, each with its people counted by status."""
    counted: dict[int, dict[str, int]] = {}
    for row in connection.execute(
        select(col(Subscription.list_id), col(Subscription.status), func.count()).group_by(
            col(Subscription.list_id), col(Subscription.status)
        )
    ):
        counted.setdefault(row[0], {})[row[1]] = row[2]
    rows = connection.execute(select(MailingList).order_by(col(MailingList.name))).all()
    return [(row, counted.get(row.id, {})) for row in rows]


def insert_list(connection: Connection, values: Mapping[str, Any]) -> int:
    """Adds a list and returns its id."""
    inserted: Any = connection.execute(
        insert(MailingList).returning(col(MailingList.id)), dict(values)
    )
    return int(inserted.scalar_one())


def update_list(connection: Connection, list_id: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(MailingList).where(col(MailingList.id) == list_id).values(values))


def slug_taken(connection: Connection, slug: str) -> bool:
    return one(connection, "SELECT 1 FROM list WHERE slug = :slug", slug=slug) is not None


def field_kinds(connection: Connection) -> Mapping[str, FieldKind]:
    """The custom fields of the workspace and their kinds."""
    rows = connection.execute(
        select(col(FieldDefinition.name), col(FieldDefinition.kind)).order_by(
            col(FieldDefinition.name)
        )
    )
    return {row[0]: FieldKind(row[1]) for row in rows}


def field_types(connection: Connection) -> Mapping[str, FieldType]:
    """The custom fields of the workspace with their kinds and choices."""
    rows = connection.execute(select(FieldDefinition).order_by(col(FieldDefinition.name)))
    return {
        row.name: FieldType(FieldKind(row.kind), tuple(filter(None, row.choices.split("\n"))))
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class FieldMark:
    """A field with what its readers see of it."""

    name: str
    type: FieldType
    opened: bool
    label: str


def open_fields(connection: Connection, *, all_of_them: bool = False) -> Sequence[FieldMark]:
    """The fields that readers may fill in, or every field, by name."""
    rows = connection.execute(select(FieldDefinition).order_by(col(FieldDefinition.name)))
    types = field_types(connection)
    marks = (FieldMark(row.name, types[row.name], bool(row.opened), row.label) for row in rows)
    return [mark for mark in marks if mark.opened or all_of_them]


def mark_field(connection: Connection, name: str, *, opened: bool, label: str) -> None:
    connection.execute(
        update(FieldDefinition)
        .where(col(FieldDefinition.name) == name)
        .values(opened=opened, label=label)
    )


def declare_field(connection: Connection, name: str, declared: FieldType, at: datetime) -> None:
    """Declares a field, or changes what is declared of it."""
    values = {"kind": declared.kind, "choices": "\n".join(declared.choices)}
    changed = connection.execute(
        update(FieldDefinition).where(col(FieldDefinition.name) == name).values(values)
    )
    if changed.rowcount == 0:
        connection.execute(insert(FieldDefinition), {"name": name, "created_at": at, **values})


def values_of(connection: Connection, name: str) -> Iterator[Any]:
    """Everybody's value of one field, where there is one."""
    rows = connection.execution_options(stream_results=True, max_row_buffer=1000).execute(
        text("SELECT fields FROM subscriber").columns(fields=JSON())
    )
    return (row.fields[name] for row in rows if name in row.fields)


def declare_fields(connection: Connection, names: Sequence[str], at: datetime) -> None:
    """Makes sure that these fields exist; new ones hold text."""
    if names:
        connection.execute(
            text(
                "INSERT INTO field (name, kind, created_at) VALUES (:name, :kind, :at)"
                " ON CONFLICT (name) DO NOTHING"
            ).bindparams(bindparam("at", type_=UTCDateTime())),
            [{"name": name, "kind": FieldKind.text, "at": at} for name in names],
        )


def wording(connection: Connection, words: str | None, at: datetime) -> int | None:
    """The id of these exact words; adds them when they are new."""
    if not words:
        return None
    connection.execute(
        text(
            "INSERT INTO wording (text, created_at) VALUES (:text, :at) ON CONFLICT DO NOTHING"
        ).bindparams(bindparam("at", type_=UTCDateTime())),
        {"text": words, "at": at},
    )
    return int(one(connection, "SELECT id FROM wording WHERE text = :text", text=words))


def find_wording(connection: Connection, words: str) -> int | None:
    """The id of these exact words, if they are known."""
    found = one(connection, "SELECT id FROM wording WHERE text = :text", text=words)
    return None if found is None else int(found)


def find_subscriber(connection: Connection, address: str) -> Row[Any] | None:
    """The person whose address this is, however its case is typed; None for nobody."""
    try:
        key = parse_address(clean_cell(address)).key
    except AddressError:
        return None
    return connection.execute(select(Subscriber).where(col(Subscriber.key) == key)).first()


def subscriber(connection: Connection, subscriber_id: int) -> Row[Any] | None:
    """The person with this id, if there is one."""
    return connection.execute(select(Subscriber).where(col(Subscriber.id) == subscriber_id)).first()


def require_subscriber(connection: Connection, address: str) -> Row[Any]:
    """Like ``find_subscriber``. Raises NotFoundError."""
    row = find_subscriber(connection, address)
    if row is None:
        raise NotFoundError(
            f"Nobody has the address {address}.", hint="`mailer subscribers find` lists people."
        )
    return row


def update_subscriber(
    connection: Connection, subscriber_id: int, values: Mapping[str, Any]
) -> None:
    connection.execute(update(Subscriber).where(col(Subscriber.id) == subscriber_id).values(values))


def joined(connection: Connection, subscriber_id: int) -> Sequence[Joined]:
    """The lists that a person is, or was, on."""
    rows = connection.execute(
        select(
            col(MailingList.name),
            col(Subscription.status),
            col(Subscription.since),
            col(Subscription.paused_until),
        )
        .join(MailingList, col(MailingList.id) == col(Subscription.list_id))
        .where(col(Subscription.subscriber_id) == subscriber_id)
        .order_by(col(MailingList.name))
    )
    return [
        Joined(
            row[0], row[1], row[2], datetime.fromtimestamp(row[3] / 1000, UTC) if row[3] else None
        )
        for row in rows
    ]


def proofs(connection: Connection, subscriber_id: int) -> Sequence[Proof]:
    """A person's consent records, oldest first."""
    rows = connection.execute(
        text(
            "SELECT l.name, c.source, c.detail, c.batch_id, w.text, c.at FROM consent c"
            " JOIN list l ON l.id = c.list_id LEFT JOIN wording w ON w.id = c.wording_id"
            " WHERE c.subscriber_id = :subscriber ORDER BY c.id"
        ).columns(at=UTCDateTime()),
        {"subscriber": subscriber_id},
    )
    return [Proof(*row) for row in rows]


def unsubscribe(
    connection: Connection,
    *,
    list_id: int,
    subscriber_id: int,
    actor: str,
    at: datetime,
    detail: str = "",
) -> bool:
    """Takes one person off one list. False when they did not get it anyway; twice does no harm."""
    moved = connection.execute(
        update(Subscription)
        .where(col(Subscription.list_id) == list_id)
        .where(col(Subscription.subscriber_id) == subscriber_id)
        .where(col(Subscription.status).in_(RECEIVING))
        .values(status=SubscriptionStatus.unsubscribed, since=at)
    )
    if moved.rowcount == 0:
        if taken_off_by_import(connection, subscriber_id, list_id):
            note(connection, at, "unsubscribed", actor, subscriber_id, list_id, "already")
        return False
    note(connection, at, "unsubscribed", actor, subscriber_id, list_id, detail)
    return True


def suppression_of(connection: Connection, hashed: bytes) -> Row[Any] | None:
    """Why and since when an address is suppressed, or None."""
    return connection.execute(select(Suppression).where(col(Suppression.hash) == hashed)).first()


def suppress(connection: Connection, key: str, *, reason: str, actor: str, at: datetime) -> bool:
    """Suppresses an address, known or not. False when it was already, whose reason then stays.

    Only a reader's own wish gives way: its reason is one that the reader may take back.
    """
    hashed = hasher(connection)(key)
    added = connection.execute(
        text(
            "INSERT INTO suppression (hash, reason, at) VALUES (:hash, :reason, :at)"
            " ON CONFLICT (hash) DO UPDATE SET reason = excluded.reason, at = excluded.at"
            " WHERE suppression.reason = :reader AND excluded.reason <> :reader"
        ).bindparams(bindparam("at", type_=UTCDateTime())),
        {"hash": hashed, "reason": reason, "at": at, "reader": BY_READER},
    )
    if added.rowcount == 0:
        return False
    note(connection, at, "suppressed", actor, _id_of(connection, key), None, reason)
    return True


def unsuppress(connection: Connection, key: str, *, actor: str, at: datetime) -> bool:
    """Lifts a suppression. False when there was none."""
    hashed = hasher(connection)(key)
    lifted = connection.execute(
        text("DELETE FROM suppression WHERE hash = :hash"), {"hash": hashed}
    )
    if lifted.rowcount == 0:
        return False
    note(connection, at, "unsuppressed", actor, _id_of(connection, key), None, "")
    return True


def hasher(connection: Connection) -> Callable[[str], bytes]:
    """The function from a person's key to the hash under which it is suppressed."""
    secret = one(connection, "SELECT suppression_key FROM instance")
    return suppression_hasher(bytes.fromhex(secret))


def note(
    connection: Connection,
    at: datetime,
    kind: str,
    actor: str,
    subscriber_id: int | None,
    list_id: int | None,
    detail: str,
) -> None:
    """Writes one event."""
    connection.execute(
        insert(Event),
        {
            "at": at,
            "kind": kind,
            "actor": actor,
            "subscriber_id": subscriber_id,
            "list_id": list_id,
            "detail": detail,
        },
    )


def _id_of(connection: Connection, key: str) -> int | None:
    found = one(connection, "SELECT id FROM subscriber WHERE key = :key", key=key)
    return None if found is None else int(found)

"""Service mails that wait to be sent: written with what they are about, sent by whoever is there.

A row is claimed by moving ``due_at`` on, in a transaction of its own: if its sender dies, it is due
again a little later, under the same Message-ID. So a mail is never lost, and goes out twice only
when a process dies between the server's answer and the row's end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update
from sqlmodel import col
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.model.people import OutgoingService
from mailer.model.words import ServiceMail
from mailer.store.dialect import for_update
from mailer.store.sign_ups import LEFT_SINCE

LEASE = timedelta(minutes=2)  # longer than one round of sending takes
_DUE = "SELECT id FROM outbox WHERE due_at <= :now ORDER BY due_at, id LIMIT :most"
_NOW = bindparam("now", type_=UTCDateTime())
_FOUND = text(
    "SELECT o.id, o.kind, o.list_id, o.subscriber_id, o.sign_up_id, o.language, o.message_id,"
    " o.created_at, o.attempts, l.title, l.sender, p.address, u.status, s.expires_at,"
    f" s.confirmed_at, x.reason AS suppressed, y.reason AS kept_off, {LEFT_SINCE} AS left_since"
    " FROM outbox o JOIN list l ON l.id = o.list_id"
    " LEFT JOIN subscriber p ON p.id = o.subscriber_id"
    " LEFT JOIN subscription u ON u.list_id = o.list_id AND u.subscriber_id = o.subscriber_id"
    " LEFT JOIN sign_up s ON s.id = o.sign_up_id"
    " LEFT JOIN suppression x ON x.hash = p.suppression_hash"
    " LEFT JOIN list_suppression y ON y.list_id = o.list_id AND y.hash = p.suppression_hash"
    " WHERE o.id IN :ids ORDER BY o.id"
).bindparams(bindparam("ids", expanding=True))
_TYPED = {"created_at": UTCDateTime(), "expires_at": UTCDateTime(), "confirmed_at": UTCDateTime()}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One mail that was claimed, with what is true of its reader at this moment."""

    id: int
    kind: ServiceMail
    list_id: int
    subscriber_id: int
    sign_up_id: int | None
    language: str
    message_id: str
    created_at: datetime
    attempts: int  # this one included
    list_title: str
    sender: str | None  # the list's own
    address: str | None  # None: the person is gone
    status: str | None
    expires_at: datetime | None  # of what a confirmation asks
    confirmed_at: datetime | None
    suppressed: str | None  # why, everywhere
    kept_off: str | None  # why, from this list
    left_since: bool  # they were asked


def add(
    connection: Connection,
    kind: ServiceMail,
    *,
    list_id: int,
    subscriber_id: int,
    language: str,
    message_id: str,
    at: datetime,
    sign_up_id: int | None = None,
) -> int:
    """Writes a mail down, in the transaction that is its reason; returns its number."""
    row = {
        "kind": kind,
        "list_id": list_id,
        "subscriber_id": subscriber_id,
        "sign_up_id": sign_up_id,
        "language": language,
        "message_id": message_id,
        "created_at": at,
        "due_at": at,
        "attempts": 0,
    }
    made: Any = connection.execute(insert(OutgoingService).returning(col(OutgoingService.id)), row)
    return int(made.scalar_one())


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether anything is to be sent now: asked often, so it only looks."""
    statement = text(_DUE).bindparams(_NOW)
    return connection.execute(statement, {"now": now, "most": 1}).first() is not None


def waiting(connection: Connection) -> int:
    """How many mails wait, due or not."""
    return int(connection.execute(select(func.count()).select_from(OutgoingService)).scalar_one())


def claim(connection: Connection, now: datetime, most: int) -> Sequence[Waiting]:
    """Takes what is due; nobody else gets it until the lease is over."""
    statement = text(_DUE + for_update(connection.dialect.name)).bindparams(_NOW)
    ids = list(connection.execute(statement, {"now": now, "most": most}).scalars())
    if not ids:
        return ()
    connection.execute(
        update(OutgoingService)
        .where(col(OutgoingService.id).in_(ids))
        .values(due_at=now + LEASE, attempts=col(OutgoingService.attempts) + 1)
    )
    rows = connection.execute(_FOUND.columns(**_TYPED), {"ids": ids})
    return [Waiting(row[0], ServiceMail(row[1]), *row[2:]) for row in rows]


def put_off(connection: Connection, mail_id: int, due_at: datetime) -> None:
    connection.execute(
        update(OutgoingService).where(col(OutgoingService.id) == mail_id).values(due_at=due_at)
    )


def remove(connection: Connection, mail_id: int) -> None:
    connection.execute(delete(OutgoingService).where(col(OutgoingService.id) == mail_id))

"""People who sign up: where they stand, what they were asked, and the yes that puts them on a list.

Until the yes nobody moves: somebody new is ``pending``, and whoever once left stays away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, text
from sqlmodel import col
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.contacts.address import Address
from mailer.model.people import MailingList, SignUp, Subscriber
from mailer.model.words import SubscriptionStatus
from mailer.store import evidence
from mailer.store.people import hasher, note
from mailer.store.subscriptions import BY_READER, Click, lift_own_wish

_LOCK = 0x6D61696C  # of sign-ups, among PostgreSQL's advisory locks
_S = SubscriptionStatus
_AT = bindparam("at", type_=UTCDateTime())
_STANDING = text(
    "SELECT p.id, u.status, x.reason AS suppressed, y.reason AS kept_off"
    " FROM (SELECT CAST(:hash AS {binary}) AS hash, CAST(:key AS text) AS key) q"
    " LEFT JOIN subscriber p ON p.key = q.key"
    " LEFT JOIN subscription u ON u.list_id = :list AND u.subscriber_id = p.id"
    " LEFT JOIN suppression x ON x.hash = q.hash"
    " LEFT JOIN list_suppression y ON y.list_id = :list AND y.hash = q.hash"
)
# Whether the person said no, or somebody for them, after they were asked: then that ask is over.
LEFT_SINCE = (
    "EXISTS (SELECT 1 FROM event e WHERE e.subscriber_id = s.subscriber_id AND e.at > s.asked_at"
    " AND (e.kind = 'suppressed' OR e.kind = 'unsubscribed' AND e.list_id = s.list_id))"
)
_ASKED = text(
    "SELECT s.id, s.list_id, s.subscriber_id, s.consent_id, s.message_id, s.confirmed_at,"
    " s.expires_at, l.title, l.slug, l.public, l.archived_at, l.welcome,"
    " l.language AS list_language, p.address, p.key, p.language, u.status,"
    f" x.reason AS suppressed, y.reason AS kept_off, {LEFT_SINCE} AS left_since"
    " FROM sign_up s JOIN list l ON l.id = s.list_id"
    " JOIN subscriber p ON p.id = s.subscriber_id"
    " LEFT JOIN subscription u ON u.list_id = s.list_id AND u.subscriber_id = p.id"
    " LEFT JOIN suppression x ON x.hash = p.suppression_hash"
    " LEFT JOIN list_suppression y ON y.list_id = s.list_id AND y.hash = p.suppression_hash"
    " WHERE s.id = :id AND s.subscriber_id = :subscriber"
).columns(confirmed_at=UTCDateTime(), expires_at=UTCDateTime(), archived_at=UTCDateTime())
_JOIN = text(
    "INSERT INTO subscription (list_id, subscriber_id, status, since)"
    " VALUES (:list, :subscriber, :status, :at) ON CONFLICT DO NOTHING"
).bindparams(_AT)
_ACTIVE = text(
    "INSERT INTO subscription (list_id, subscriber_id, status, since)"
    " VALUES (:list, :subscriber, 'active', :at) ON CONFLICT (list_id, subscriber_id) DO UPDATE"
    " SET status = 'active', since = excluded.since, paused_until = NULL"
    " WHERE subscription.status IN ('pending', 'unsubscribed')"
).bindparams(_AT)
# Pending people who may be asked: never asked yet, or asked once and silent since a moment.
_SILENT = (
    " FROM subscription u JOIN subscriber p ON p.id = u.subscriber_id"
    " LEFT JOIN (SELECT subscriber_id, count(*) AS times, max(asked_at) AS last FROM sign_up"
    "  WHERE list_id = :list GROUP BY subscriber_id) a ON a.subscriber_id = u.subscriber_id"
    " WHERE u.list_id = :list AND u.status = 'pending'"
    " AND NOT EXISTS (SELECT 1 FROM suppression x WHERE x.hash = p.suppression_hash)"
    " AND NOT EXISTS (SELECT 1 FROM list_suppression y WHERE y.list_id = :list"
    "  AND y.hash = p.suppression_hash)"
)
_MAY_BE_ASKED = " AND (a.times IS NULL OR (a.times = 1 AND a.last <= :before))"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an address stands towards a list. ``may_be_asked``: a mail may go to it."""

    subscriber_id: int | None
    status: SubscriptionStatus | None
    suppressed: str | None  # why, everywhere
    kept_off: str | None  # why, from this list

    @property
    def may_be_asked(self) -> bool:
        return may_be_asked(self.status, self.suppressed, self.kept_off)


def may_be_asked(status: str | None, suppressed: str | None, kept_off: str | None) -> bool:
    """Whether a person's own request counts here: not after a bounce, a complaint, an erasure.

    Only what the person did by themselves, leaving, can be undone by themselves.
    """
    if kept_off is not None or suppressed not in (None, BY_READER):
        return False
    return status not in (_S.bounced, _S.complained)


def one_at_a_time(connection: Connection) -> None:
    """Holds other sign-ups back until this transaction ends; SQLite does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def open_list(connection: Connection, slug: str) -> Row[Any] | None:
    """The list with a public sign-up page under this slug."""
    return connection.execute(
        select(MailingList)
        .where(col(MailingList.slug) == slug)
        .where(col(MailingList.public).is_(True))
        .where(col(MailingList.archived_at).is_(None))
    ).first()


def standing(connection: Connection, address: Address, list_id: int) -> Standing:
    """Reads where an address stands, known or not."""
    binary = "blob" if connection.dialect.name == "sqlite" else "bytea"
    row = connection.execute(
        text(_STANDING.text.replace("{binary}", binary)),
        {"hash": hasher(connection)(address.key), "key": address.key, "list": list_id},
    ).one()
    return Standing(row.id, _S(row.status) if row.status else None, row.suppressed, row.kept_off)


def ensure_person(connection: Connection, address: Address, language: str, at: datetime) -> int:
    """The number of the person with this address, who is made if there is none."""
    found = connection.execute(
        select(col(Subscriber.id)).where(col(Subscriber.key) == address.key)
    ).scalar()
    if found is not None:
        return int(found)
    made: Any = connection.execute(
        insert(Subscriber).returning(col(Subscriber.id)),
        {
            "address": address.address,
            "key": address.key,
            "suppression_hash": hasher(connection)(address.key),
            "language": language or None,
            "fields": {},
            "created_at": at,
        },
    )
    return int(made.scalar_one())


def wait(connection: Connection, list_id: int, subscriber_id: int, at: datetime) -> None:
    """Puts somebody who is not on the list there as ``pending``; nobody else moves."""
    values = {"list": list_id, "subscriber": subscriber_id, "status": _S.pending, "at": at}
    if connection.execute(_JOIN, values).rowcount:
        note(connection, at, "pending", BY_READER, subscriber_id, list_id, "sign-up page")


def join(
    connection: Connection, list_id: int, subscriber_id: int, at: datetime, detail: str
) -> bool:
    """Puts a person on the list by their own wish. False when they are, or may not come back."""
    values = {"list": list_id, "subscriber": subscriber_id, "at": at}
    if connection.execute(_ACTIVE, values).rowcount == 0:
        return False
    note(connection, at, "subscribed", BY_READER, subscriber_id, list_id, detail)
    lift_own_wish(connection, Click(subscriber_id, None, at))
    return True


def ask(
    connection: Connection,
    list_id: int,
    subscriber_id: int,
    *,
    consent_id: int | None,
    message_id: str,
    at: datetime,
    expires: datetime,
) -> int:
    """Writes down that somebody is asked by mail; returns the number for its link."""
    row = {
        "list_id": list_id,
        "subscriber_id": subscriber_id,
        "consent_id": consent_id,
        "message_id": message_id,
        "asked_at": at,
        "expires_at": expires,
    }
    made: Any = connection.execute(insert(SignUp).returning(col(SignUp.id)), row)
    return int(made.scalar_one())


def asked(connection: Connection, sign_up_id: int, subscriber_id: int) -> Row[Any] | None:
    """What a link asks, and how its reader stands now; None when the person is gone."""
    return connection.execute(_ASKED, {"id": sign_up_id, "subscriber": subscriber_id}).first()


def confirm(connection: Connection, found: Row[Any], at: datetime) -> bool:
    """Takes the yes to what ``asked`` found: list, consent, event. Twice changes nothing.

    Says whether the person is on the list by it now.
    """
    connection.execute(
        text(
            "UPDATE sign_up SET confirmed_at = :at WHERE id = :id AND confirmed_at IS NULL"
        ).bindparams(_AT),
        {"id": found.id, "at": at},
    )
    joined = join(connection, found.list_id, found.subscriber_id, at, "confirmed")
    consent = found.consent_id
    if consent is None:
        consent = evidence.record_consent(
            connection,
            found.subscriber_id,
            found.list_id,
            source="confirmation",
            detail="asked by an operator",
            at=at,
        )
    evidence.confirm_consent(connection, consent, at=at, message_id=found.message_id)
    return joined


def last_consent(connection: Connection, list_id: int, subscriber_id: int) -> int | None:
    """The latest consent of a person to a list that nobody has confirmed yet."""
    found = connection.execute(
        text(
            "SELECT max(id) FROM consent WHERE list_id = :list AND subscriber_id = :subscriber"
            " AND confirmed_at IS NULL"
        ),
        {"list": list_id, "subscriber": subscriber_id},
    ).scalar()
    return None if found is None else int(found)


def silent(connection: Connection, list_id: int, before: datetime, most: int) -> Sequence[Row[Any]]:
    """Some pending people who were never asked, or once, before a moment: id and language."""
    rows = connection.execute(
        text(
            f"SELECT p.id, p.language{_SILENT}{_MAY_BE_ASKED} ORDER BY p.id LIMIT :most"
        ).bindparams(bindparam("before", type_=UTCDateTime())),
        {"list": list_id, "before": before, "most": most},
    )
    return rows.all()


def silent_counts(connection: Connection, list_id: int, before: datetime) -> Row[Any]:
    """Pending people of a list: ``never`` asked, asked ``once`` before a moment, and ``others``."""
    once = "CASE WHEN a.times = 1 AND a.last <= :before THEN 1 ELSE 0 END"
    return connection.execute(
        text(
            "SELECT COALESCE(sum(CASE WHEN a.times IS NULL THEN 1 ELSE 0 END), 0) AS never,"
            f" COALESCE(sum({once}), 0) AS once, count(*) AS pending{_SILENT}"
        ).bindparams(bindparam("before", type_=UTCDateTime())),
        {"list": list_id, "before": before},
    ).one()


def times_asked(connection: Connection, list_id: int, subscriber_id: int) -> int:
    """How often somebody was asked whether they want a list."""
    found = connection.execute(
        select(func.count())
        .select_from(SignUp)
        .where(col(SignUp.list_id) == list_id, col(SignUp.subscriber_id) == subscriber_id)
    )
    return int(found.scalar_one())

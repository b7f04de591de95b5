"""What is on record about one person: consents, answers to tracking, events, mails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, text, update
from sqlmodel import col
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.model.people import Consent, TrackingConsent
from mailer.model.words import TrackingAnswer
from mailer.store import clicks


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """Why a person may be written to on one list, and all that is known about it."""

    list: str
    source: str  # import, operator, form, confirmation, asked again
    detail: str  # the file's name, the form and its version
    batch: int | None
    wording: str | None  # the exact words; None when none are on record
    at: datetime
    ip: str | None
    user_agent: str | None
    confirmed_at: datetime | None
    confirmation_id: str | None  # the Message-ID of the mail whose link was used


@dataclass(frozen=True, slots=True)
class TrackingRecord:
    """One answer to being tracked."""

    answer: str
    source: str
    detail: str
    wording: str | None
    at: datetime
    ip: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One event, as the ledger of people has it."""

    at: datetime
    kind: str
    actor: str
    list: str | None
    campaign: str | None
    batch: int | None
    file: str | None  # of the batch
    detail: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One campaign's row of a person. ``at`` is its last move, or when it was planned."""

    at: datetime
    campaign: str
    list: str
    subject: str
    state: str
    reason: str
    reply: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Block:
    """A suppression of a person's address: everywhere, or of one list."""

    list: str | None
    reason: str
    at: datetime


def consents(connection: Connection, subscriber_id: int) -> Sequence[ConsentRecord]:
    """A person's consent records, oldest first."""
    rows = connection.execute(
        text(
            "SELECT l.name, c.source, c.detail, c.batch_id, w.text, c.at, c.ip, c.user_agent,"
            " c.confirmed_at, c.confirmation_id FROM consent c JOIN list l ON l.id = c.list_id"
            " LEFT JOIN wording w ON w.id = c.wording_id"
            " WHERE c.subscriber_id = :subscriber ORDER BY c.at, c.id"
        ).columns(at=UTCDateTime(), confirmed_at=UTCDateTime()),
        {"subscriber": subscriber_id},
    )
    return [ConsentRecord(*row) for row in rows]


def tracking(connection: Connection, subscriber_id: int) -> Sequence[TrackingRecord]:
    """A person's answers to being tracked, oldest first: the last one counts."""
    rows = connection.execute(
        text(
            "SELECT t.answer, t.source, t.detail, w.text, t.at, t.ip, t.user_agent"
            " FROM tracking_consent t LEFT JOIN wording w ON w.id = t.wording_id"
            " WHERE t.subscriber_id = :subscriber ORDER BY t.id"
        ).columns(at=UTCDateTime()),
        {"subscriber": subscriber_id},
    )
    return [TrackingRecord(*row) for row in rows]


def tracking_answer(connection: Connection, subscriber_id: int) -> TrackingAnswer:
    """What a person said last; ``unknown`` for who never said anything."""
    answers = tracking(connection, subscriber_id)
    return TrackingAnswer(answers[-1].answer) if answers else TrackingAnswer.unknown


def events(connection: Connection, subscriber_id: int) -> Sequence[Occurrence]:
    """A person's events in the order in which they happened."""
    rows = connection.execute(
        text(
            "SELECT e.at, e.kind, e.actor, l.name, c.slug, e.batch_id, b.file, e.detail"
            " FROM event e LEFT JOIN list l ON l.id = e.list_id"
            " LEFT JOIN campaign c ON c.id = e.campaign_id LEFT JOIN batch b ON b.id = e.batch_id"
            " WHERE e.subscriber_id = :subscriber ORDER BY e.id"
        ).columns(at=UTCDateTime()),
        {"subscriber": subscriber_id},
    )
    return [Occurrence(*row) for row in rows]


def letters(connection: Connection, subscriber_id: int) -> Sequence[Letter]:
    """The campaigns that a person is, or was, in the audience of."""
    rows = connection.execute(
        text(
            "SELECT d.at, c.planned_at, c.slug, l.name, c.subject, d.state, d.reason, d.reply,"
            " d.attempt FROM delivery d JOIN campaign c ON c.id = d.campaign_id"
            " JOIN list l ON l.id = c.list_id"
            " WHERE d.subscriber_id = :subscriber AND c.state <> 'planning' ORDER BY c.id"
        ).columns(planned_at=UTCDateTime()),
        {"subscriber": subscriber_id},
    )
    return [
        Letter(row[1] if row[0] is None else datetime.fromtimestamp(row[0] / 1000, UTC), *row[2:])
        for row in rows
    ]


def blocks(connection: Connection, hashed: bytes) -> Sequence[Block]:
    """Where an address is suppressed: everywhere first, then list by list."""
    rows = connection.execute(
        text(
            "SELECT NULL AS list, reason, at FROM suppression WHERE hash = :hash UNION ALL"
            " SELECT l.name, s.reason, s.at FROM list_suppression s JOIN list l ON l.id = s.list_id"
            " WHERE s.hash = :hash ORDER BY 1 NULLS FIRST"
        ).columns(at=UTCDateTime()),
        {"hash": hashed},
    )
    return [Block(*row) for row in rows]


def record_consent(
    connection: Connection,
    subscriber_id: int,
    list_id: int,
    *,
    source: str,
    detail: str,
    at: datetime,
    wording_id: int | None = None,
    ip: str | None = None,
    user_agent: str | None = None,
) -> int:
    """Adds a consent record and returns its number.

    Nothing is ever taken out of one but IP and user agent, by age.
    """
    made: Any = connection.execute(
        insert(Consent).returning(col(Consent.id)),
        {
            "list_id": list_id,
            "subscriber_id": subscriber_id,
            "source": source,
            "detail": detail,
            "wording_id": wording_id,
            "at": at,
            "ip": ip,
            "user_agent": user_agent,
        },
    )
    return int(made.scalar_one())


def confirm_consent(
    connection: Connection, consent_id: int, *, at: datetime, message_id: str
) -> bool:
    """Notes that the link in a mail was used; the first time counts. False when it had been."""
    done = connection.execute(
        update(Consent)
        .where(col(Consent.id) == consent_id, col(Consent.confirmed_at).is_(None))
        .values(confirmed_at=at, confirmation_id=message_id)
    )
    return done.rowcount > 0


def record_tracking(
    connection: Connection,
    subscriber_id: int,
    answer: TrackingAnswer,
    *,
    source: str,
    at: datetime,
    detail: str = "",
    wording_id: int | None = None,
) -> None:
    """Adds a person's answer to being tracked; ``unknown`` takes back what was said before.

    With anything but a yes their clicks become nobody's at once.
    """
    if answer is not TrackingAnswer.yes:
        clicks.forget_person(connection, subscriber_id)
    connection.execute(
        insert(TrackingConsent),
        {
            "subscriber_id": subscriber_id,
            "answer": answer,
            "source": source,
            "detail": detail,
            "wording_id": wording_id,
            "at": at,
        },
    )

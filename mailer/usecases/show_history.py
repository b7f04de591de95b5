"""Tells everything that ever happened to one person, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.store import evidence, people
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened. ``source`` says where it came from: a file, a form, a campaign."""

    at: datetime
    kind: str  # subscribed, unsubscribed, changed, consent, mail, suppressed, …
    actor: str  # reader, operator NAME, server, mailer
    list: str | None
    campaign: str | None
    batch: int | None
    source: str
    detail: str


@dataclass(frozen=True, slots=True)
class History:
    """A person's whole story, oldest first."""

    address: str
    known_since: datetime
    happenings: Sequence[Happening]


def show_history(address: str, *, db: Database) -> History:
    """Imports, moves, consents, mails, preferences, suppressions. Raises NotFoundError."""
    with db.read() as connection:
        person = people.require_subscriber(connection, address)
        found = happenings(connection, person.id, person.suppression_hash)
    return History(person.address, person.created_at, found)


def happenings(connection: Connection, subscriber_id: int, hashed: bytes) -> list[Happening]:
    """Everything on record about one person, sorted by time; what happened at once, by cause."""
    events = evidence.events(connection, subscriber_id)
    importers = {each.batch: each.actor for each in reversed(events) if each.batch is not None}
    told = [*map(_event, events), *_consents(connection, subscriber_id, importers)]
    noted = {each.at for each in events if each.kind == "suppressed"}
    told += [
        Happening(each.at, "suppressed", "", each.list, None, None, "", each.reason)
        for each in evidence.blocks(connection, hashed)
        if each.at not in noted  # the address was suppressed before its person was known
    ]
    told += [
        Happening(
            each.at,
            "mail",
            "mailer",
            each.list,
            each.campaign,
            None,
            each.subject,
            " ".join(word for word in (each.state, each.reason, each.reply) if word),
        )
        for each in evidence.letters(connection, subscriber_id)
    ]
    return sorted(told, key=lambda each: each.at)  # stable: events of one instant keep their order


def _event(each: evidence.Occurrence) -> Happening:
    source = each.file or each.campaign or ""
    return Happening(
        each.at, each.kind, each.actor, each.list, each.campaign, each.batch, source, each.detail
    )


def _consents(
    connection: Connection, subscriber_id: int, importers: Mapping[int, str]
) -> Iterator[Happening]:
    """``importers`` are who ran a batch, as its first event says."""
    for each in evidence.consents(connection, subscriber_id):
        words = each.wording or ""
        actor, source = _by(each.source, each.detail)
        if each.batch is not None:
            actor = importers.get(each.batch, actor)
        yield Happening(each.at, "consent", actor, each.list, None, each.batch, source, words)
        if each.confirmed_at is not None:
            mail = each.confirmation_id or ""
            yield Happening(
                each.confirmed_at, "confirmed", "reader", each.list, None, None, source, mail
            )
    for answer in evidence.tracking(connection, subscriber_id):
        actor, source = _by(answer.source, answer.detail)
        yield Happening(
            answer.at,
            "tracking",
            actor,
            None,
            None,
            None,
            source,
            " ".join(word for word in (answer.answer, answer.wording) if word),
        )


def _by(source: str, detail: str) -> tuple[str, str]:
    """Who it was, and where it came from. Of a record by an officer the detail is their name."""
    if source == "operator":
        return f"operator {detail}".rstrip(), ""
    return ("import" if source == "import" else "reader"), detail

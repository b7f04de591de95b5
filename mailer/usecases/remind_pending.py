"""Asks people who are pending on a list whether they want it: once, and once more, never again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.errors import InputError
from mailer.model.words import ServiceMail, SubscriptionStatus
from mailer.ports import Clock
from mailer.store import outbox, people, sign_ups
from mailer.store.database import Database
from mailer.usecases.sign_up import VALID

SILENCE = timedelta(days=3)  # before somebody is asked a second time
_SLICE = 200  # people in one write transaction


@dataclass(frozen=True, slots=True)
class Reminded:
    """How the pending people of a list stand, and how many are asked by this."""

    list: str
    pending: int
    never_asked: int
    asked_once: int  # three days ago or longer, and silent
    asked: int  # by this: their mails wait to be sent
    dry_run: bool

    @property
    def may_be_asked(self) -> int:
        return self.never_asked + self.asked_once


def remind_pending(
    list_name: str,
    *,
    message_id: Callable[[], str | None],
    db: Database,
    clock: Clock,
    dry_run: bool = False,
) -> Reminded:
    """Writes a confirmation for everybody who may be asked; the site or a worker sends them.

    Run again at once, it asks nobody. Raises NotFoundError for an unknown list, InputError when
    it is archived or no mail can be sent.
    """
    before = clock.now() - SILENCE
    with db.read() as connection:
        found = people.find_list(connection, list_name)
        counted = sign_ups.silent_counts(connection, found.id, before)
    asked = 0
    if not dry_run:
        _require(found.archived_at, list_name, message_id)
        while True:
            with db.write() as connection:
                some = sign_ups.silent(connection, found.id, before, _SLICE)
                for person in some:
                    language = person.language or found.language or ""
                    _ask(connection, found.id, person.id, language, message_id, clock, db.operator)
            if not some:
                break
            asked += len(some)
    return Reminded(
        found.name, int(counted.pending), int(counted.never), int(counted.once), asked, dry_run
    )


def ask_added(
    address: str,
    list_name: str,
    *,
    message_id: Callable[[], str | None],
    db: Database,
    clock: Clock,
) -> bool:
    """Asks one person whom an operator has just made pending; False when they were asked before."""
    with db.write() as connection:
        found = people.find_list(connection, list_name)
        person = people.require_subscriber(connection, address)
        joined = {each.name: each.status for each in people.joined(connection, person.id)}
        if joined.get(found.name) != SubscriptionStatus.pending:
            return False
        if sign_ups.times_asked(connection, found.id, person.id):
            return False
        language = person.language or found.language or ""
        return _ask(connection, found.id, person.id, language, message_id, clock, db.operator)


def _require(
    archived_at: datetime | None, list_name: str, message_id: Callable[[], str | None]
) -> None:
    if archived_at is not None:
        raise InputError(f"The list “{list_name}” is archived.", hint="Name another list.")
    if message_id() is None:
        raise InputError(
            "No mail can be sent from here.", hint="Set MAILER_SMTP_HOST and MAILER_FROM in .env."
        )


def _ask(
    connection: Connection,
    list_id: int,
    person: int,
    language: str,
    message_id: Callable[[], str | None],
    clock: Clock,
    actor: str,
) -> bool:
    at, named = clock.now(), message_id()
    if named is None:
        return False
    number = sign_ups.ask(
        connection,
        list_id,
        person,
        consent_id=sign_ups.last_consent(connection, list_id, person),
        message_id=named,
        at=at,
        expires=at + VALID,
    )
    people.note(connection, at, "asked to confirm", actor, person, list_id, "")
    outbox.add(
        connection,
        ServiceMail.confirmation,
        list_id=list_id,
        subscriber_id=person,
        language=language,
        message_id=named,
        at=at,
        sign_up_id=number,
    )
    return True

"""Begins to ask the people of a list again whether they want it, until a date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailer.errors import InputError
from mailer.ports import Clock
from mailer.store import asking, people
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class Asking:
    """How a list's people have answered so far. The three counts are all who are active on it."""

    list: str
    asked_at: datetime | None
    until: datetime | None
    campaigns: int  # that carry the link
    reconfirmed: int
    silent: int  # they got the link, and said nothing
    not_asked: int


def ask_again(
    list_name: str, *, until: datetime | None, db: Database, clock: Clock, stop: bool = False
) -> Asking:
    """Marks the list; a campaign with ``{{ reconfirm_url }}`` in it then asks.

    Marked again, only the date changes: answers count since the asking began. With ``stop``
    nobody is asked any more, and what was answered stays. Without a date it only tells.

    Raises NotFoundError for an unknown list, InputError for a date that has passed.
    """
    now = clock.now()
    if until is not None and until <= now:
        raise InputError("The date has passed already.", hint="People need time to answer.")
    with db.write() as connection:
        found = people.find_list(connection, list_name)
        if stop:
            people.update_list(connection, found.id, {"asked_at": None, "ask_until": None})
            people.note(connection, now, "asking stopped", db.operator, None, found.id, "")
        elif until is not None:
            changes = {"asked_at": found.asked_at or now, "ask_until": until}
            people.update_list(connection, found.id, changes)
            words = until.date().isoformat()
            people.note(connection, now, "asked again", db.operator, None, found.id, words)
    return show_asking(list_name, db=db)


def show_asking(list_name: str, *, db: Database) -> Asking:
    """How the asking of a list stands. Raises NotFoundError for an unknown list."""
    with db.read() as connection:
        found = people.find_list(connection, list_name)
        if found.asked_at is None:
            return Asking(found.name, None, None, 0, 0, 0, 0)
        campaigns = asking.asking_campaigns(connection, found.id, found.asked_at)
        counted = asking.counts(connection, found.id, found.asked_at, campaigns)
        return Asking(found.name, found.asked_at, found.ask_until, len(campaigns), *counted)

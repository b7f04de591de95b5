"""Shows the lists, and how many people are on each in which state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from mailer.model.words import SubscriptionStatus
from mailer.store import people
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list with its settings and its people, counted by status."""

    name: str
    slug: str
    title: str
    description: str
    public: bool
    sender: str | None
    reply_to: str | None
    layout: str | None
    language: str | None
    opt_in: str
    wording: str  # what its sign-up page has people agree to; empty: our words
    welcome: bool  # a mail to whoever has signed up
    asked_at: datetime | None  # since when its people are asked again
    ask_until: datetime | None
    archived_at: datetime | None
    people: Mapping[str, int]


def show_lists(name: str | None = None, *, db: Database) -> Sequence[ShownList]:
    """Every list by name, or the named one. Raises NotFoundError for an unknown name."""
    with db.read() as connection:
        if name is not None:
            people.find_list(connection, name)
        return [
            _shown(row, counted)
            for row, counted in people.lists(connection)
            if name is None or row.name == name
        ]


def _shown(row: Row[Any], counted: Mapping[str, int]) -> ShownList:
    return ShownList(
        name=row.name,
        slug=row.slug,
        title=row.title,
        description=row.description,
        public=bool(row.public),
        sender=row.sender,
        reply_to=row.reply_to,
        layout=row.layout,
        language=row.language,
        opt_in=row.opt_in,
        wording=row.wording,
        welcome=bool(row.welcome),
        asked_at=row.asked_at,
        ask_until=row.ask_until,
        archived_at=row.archived_at,
        people={status.value: counted.get(status, 0) for status in SubscriptionStatus},
    )

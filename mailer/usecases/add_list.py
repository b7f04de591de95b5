"""Adds a list that people can subscribe to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.contacts.headings import slug
from mailer.errors import InputError, NotFoundError
from mailer.ports import Clock
from mailer.store import people
from mailer.store.database import Database

NAME_LIMIT = 100  # characters


@dataclass(frozen=True, slots=True)
class AddedList:
    """A list that is new."""

    name: str
    slug: str
    title: str
    public: bool


def add_list(
    name: str,
    *,
    db: Database,
    clock: Clock,
    title: str | None = None,
    description: str = "",
    private: bool = False,
) -> AddedList:
    """Adds a list; its slug, for addresses and List-Id, comes from its name.

    Raises InputError for a name that can't be used or is taken.
    """
    with db.write() as connection:
        make_list(
            connection,
            name,
            at=clock.now(),
            title=title,
            description=description,
            private=private,
        )
        row = people.find_list(connection, name.strip())
    return AddedList(row.name, row.slug, row.title, bool(row.public))


def make_list(
    connection: Connection,
    name: str,
    *,
    at: datetime,
    title: str | None = None,
    description: str = "",
    private: bool = False,
) -> int:
    """Adds a list inside the caller's transaction and returns its id. Raises InputError."""
    name = name.strip()
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise InputError(f"A list's name is 1 to {NAME_LIMIT} printable characters.")
    if _exists(connection, name):
        raise InputError(
            f"There is a list “{name}” already.", hint=f"`mailer lists show '{name}'` shows it."
        )
    return people.insert_list(
        connection,
        {
            "name": name,
            "slug": _free_slug(connection, name),
            "title": title or name,
            "description": description,
            "public": not private,
            "created_at": at,
        },
    )


def _exists(connection: Connection, name: str) -> bool:
    try:
        people.find_list(connection, name)
    except NotFoundError:
        return False
    return True


def _free_slug(connection: Connection, name: str) -> str:
    wanted = slug(name) or "list"
    free, number = wanted, 1
    while people.slug_taken(connection, free):
        number += 1
        free = f"{wanted}-{number}"
    return free

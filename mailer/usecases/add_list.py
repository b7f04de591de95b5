"""Adds a list that people can subscribe to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from mailer.contacts.headings import slug
from mailer.errors import InputError, NotFoundError
from mailer.model.words import OptIn
from mailer.ports import Clock
from mailer.store import people
from mailer.store.database import Database
from mailer.usecases.edit_list import check_settings

NAME_LIMIT = 100  # characters


@dataclass(frozen=True, slots=True)
class AddedList:
    """A list that is new."""

    name: str
    slug: str
    title: str
    public: bool
    opt_in: OptIn


def add_list(
    name: str,
    *,
    db: Database,
    clock: Clock,
    settings: Mapping[str, Any] | None = None,
    layouts: Callable[[str], object] | None = None,
) -> AddedList:
    """Adds a list; its slug, for addresses and List-Id, comes from its name.

    ``settings`` are those of ``edit_list``; ``layouts`` finds a layout by name, to refuse one
    that is not there. Raises InputError for a name or a setting that can't be used.
    """
    checked = check_settings(settings or {}, layouts=layouts)
    with db.write() as connection:
        make_list(connection, name, at=clock.now(), settings=checked)
        row = people.find_list(connection, name.strip())
    return AddedList(row.name, row.slug, row.title, bool(row.public), OptIn(row.opt_in))


def make_list(
    connection: Connection,
    name: str,
    *,
    at: datetime,
    settings: Mapping[str, Any] | None = None,
) -> int:
    """Adds a list inside the caller's transaction and returns its id. Raises InputError."""
    name = name.strip()
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise InputError(f"A list's name is 1 to {NAME_LIMIT} printable characters.")
    if _exists(connection, name):
        raise InputError(
            f"There is a list “{name}” already.", hint=f"`mailer lists show '{name}'` shows it."
        )
    row = {
        "name": name,
        "slug": _free_slug(connection, name),
        "title": name,
        "description": "",
        "public": True,
        "opt_in": OptIn.single,
        "created_at": at,
    }
    return people.insert_list(connection, row | dict(settings or {}))


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

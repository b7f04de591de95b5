"""Puts tags on a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.contacts.tag import TagError, parse_tag
from mailer.errors import Fault, InputError
from mailer.ports import Clock
from mailer.store import people, tags
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class Tagged:
    """A person's tags as they are now, and those that this very call put on or took off."""

    address: str
    tags: Sequence[str]
    changed: Sequence[str]


def tag_subscriber(address: str, words: Sequence[str], *, db: Database, clock: Clock) -> Tagged:
    """Puts these tags on; doing it twice changes nothing.

    Raises InputError for a word that can't be a tag, NotFoundError for an unknown person.
    """
    wanted = require_tags(words)
    with db.write() as connection:
        person = people.require_subscriber(connection, address)
        at = clock.now()
        changed = [
            word
            for word in wanted
            if tags.tag(connection, person.id, word, actor=db.operator, at=at)
        ]
        return Tagged(person.address, tags.tags_of(connection, person.id), changed)


def require_tags(words: Sequence[str]) -> list[str]:
    """The tags that somebody typed. Raises InputError naming each word that can't be one."""
    faults, parsed = [], []
    for word in words:
        try:
            parsed.append(parse_tag(word))
        except TagError as error:
            faults.append(Fault(str(error)))
    if faults:
        raise InputError(faults)
    return parsed

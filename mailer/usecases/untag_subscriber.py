"""Takes tags off a person."""

from __future__ import annotations

from collections.abc import Sequence

from mailer.ports import Clock
from mailer.store import people, tags
from mailer.store.database import Database
from mailer.usecases.tag_subscriber import Tagged, require_tags


def untag_subscriber(address: str, words: Sequence[str], *, db: Database, clock: Clock) -> Tagged:
    """Takes these tags off; doing it twice changes nothing.

    Raises InputError for a word that can't be a tag, NotFoundError for an unknown person.
    """
    wanted = require_tags(words)
    with db.write() as connection:
        person = people.require_subscriber(connection, address)
        at = clock.now()
        changed = [
            word
            for word in wanted
            if tags.untag(connection, person.id, word, actor=db.operator, at=at)
        ]
        return Tagged(person.address, tags.tags_of(connection, person.id), changed)

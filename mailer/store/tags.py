"""Puts tags on people and takes them off; each change is an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.store.people import note


def tags_of(connection: Connection, subscriber_id: int) -> Sequence[str]:
    """A person's tags in alphabetical order."""
    return list(
        connection.execute(
            text("SELECT tag FROM subscriber_tag WHERE subscriber_id = :s ORDER BY tag"),
            {"s": subscriber_id},
        ).scalars()
    )


def tag(connection: Connection, subscriber_id: int, word: str, *, actor: str, at: datetime) -> bool:
    """Puts a tag on a person. False when it was there already."""
    added = connection.execute(
        text(
            "INSERT INTO subscriber_tag (tag, subscriber_id, at) VALUES (:tag, :s, :at)"
            " ON CONFLICT DO NOTHING"
        ).bindparams(bindparam("at", type_=UTCDateTime())),
        {"tag": word, "s": subscriber_id, "at": at},
    )
    if added.rowcount == 0:
        return False
    note(connection, at, "tagged", actor, subscriber_id, None, word)
    return True


def untag(
    connection: Connection, subscriber_id: int, word: str, *, actor: str, at: datetime
) -> bool:
    """Takes a tag off a person. False when it was not there."""
    gone = connection.execute(
        text("DELETE FROM subscriber_tag WHERE tag = :tag AND subscriber_id = :s"),
        {"tag": word, "s": subscriber_id},
    )
    if gone.rowcount == 0:
        return False
    note(connection, at, "untagged", actor, subscriber_id, None, word)
    return True

"""Counts who asks how often, in a table that every process of the site shares.

A row is a keyed hash, a count and the end of its time; what was counted stands nowhere. The time
begins with the first that is counted, so that "one a day" means 24 hours, not a date.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

_COUNT = text(
    "INSERT INTO sign_up_count (hash, count, expires_at) VALUES (:hash, 1, :until)"
    " ON CONFLICT (hash) DO UPDATE SET"
    " count = CASE WHEN sign_up_count.expires_at <= :now THEN 1 ELSE sign_up_count.count + 1 END,"
    " expires_at = CASE WHEN sign_up_count.expires_at <= :now THEN excluded.expires_at"
    "  ELSE sign_up_count.expires_at END"
    " RETURNING count"
).bindparams(bindparam("until", type_=UTCDateTime()), bindparam("now", type_=UTCDateTime()))
_CLEAN = text("DELETE FROM sign_up_count WHERE expires_at <= :now").bindparams(
    bindparam("now", type_=UTCDateTime())
)


def count(connection: Connection, hashed: bytes, now: datetime, lasts: timedelta) -> int:
    """Counts one more, and returns how many there are in this one's time."""
    values = {"hash": hashed, "now": now, "until": now + lasts}
    return int(connection.execute(_COUNT, values).scalar_one())


def forget(connection: Connection, hashed: bytes) -> None:
    connection.execute(text("DELETE FROM sign_up_count WHERE hash = :hash"), {"hash": hashed})


def clean(connection: Connection, now: datetime) -> int:
    """Removes what has had its time."""
    return connection.execute(_CLEAN, {"now": now}).rowcount

"""Suppressions of one list, and whole files of hashes; single ones stand in ``people.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, Connection, Row, bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.contacts.suppression import key_fingerprint
from mailer.store.database import one
from mailer.store.people import hasher, note
from mailer.store.subscriptions import BY_READER

_AT = bindparam("at", type_=UTCDateTime())
_EVERYWHERE = text(
    "INSERT INTO suppression (hash, reason, at) VALUES (:hash, :reason, :at)"
    " ON CONFLICT (hash) DO UPDATE SET reason = excluded.reason, at = excluded.at"
    f" WHERE suppression.reason = '{BY_READER}' AND excluded.reason <> '{BY_READER}'"
).bindparams(_AT)
_ON_LIST = text(
    "INSERT INTO list_suppression (list_id, hash, reason, at) VALUES (:list, :hash, :reason, :at)"
    " ON CONFLICT DO NOTHING"
).bindparams(_AT)


@dataclass(frozen=True, slots=True)
class Hashed:
    """One suppression of a file: where (None: everywhere), why and since when."""

    hash: bytes
    list_id: int | None
    reason: str
    at: datetime


def fingerprint(connection: Connection) -> str:
    """Which key this database's hashes are made with."""
    return key_fingerprint(bytes.fromhex(secret(connection)))


def secret(connection: Connection) -> str:
    """The key itself, hexadecimal: a secret."""
    return str(one(connection, "SELECT suppression_key FROM instance"))


def replace_secret(connection: Connection, key: str) -> bool:
    """Takes another key, hexadecimal. False, and nothing done, once there is a hash of this one."""
    done = connection.execute(
        text(
            "UPDATE instance SET suppression_key = :key WHERE NOT EXISTS"
            " (SELECT 1 FROM subscriber) AND NOT EXISTS (SELECT 1 FROM suppression)"
            " AND NOT EXISTS (SELECT 1 FROM list_suppression)"
        ),
        {"key": key},
    )
    return done.rowcount == 1


def suppress_on_list(
    connection: Connection, key: str, list_id: int, *, reason: str, actor: str, at: datetime
) -> bool:
    """Keeps an address off one list, known or not. False when it was already."""
    values = {"list": list_id, "hash": hasher(connection)(key), "reason": reason, "at": at}
    if connection.execute(_ON_LIST, values).rowcount == 0:
        return False
    note(connection, at, "suppressed", actor, _known(connection, key), list_id, reason)
    return True


def unsuppress_on_list(
    connection: Connection, key: str, list_id: int, *, actor: str, at: datetime
) -> bool:
    """Lifts a suppression of one list. False when there was none."""
    lifted = connection.execute(
        text("DELETE FROM list_suppression WHERE list_id = :list AND hash = :hash"),
        {"list": list_id, "hash": hasher(connection)(key)},
    )
    if lifted.rowcount == 0:
        return False
    note(connection, at, "unsuppressed", actor, _known(connection, key), list_id, "")
    return True


def on_list(
    connection: Connection, hashed: bytes, list_id: int
) -> Row[tuple[str, datetime]] | None:
    """Why and since when an address is suppressed on one list, or None."""
    return connection.execute(
        text(
            "SELECT reason, at FROM list_suppression WHERE list_id = :list AND hash = :hash"
        ).columns(at=UTCDateTime()),
        {"list": list_id, "hash": hashed},
    ).first()


def add_all(connection: Connection, rows: Sequence[Hashed], *, actor: str, at: datetime) -> int:
    """Adds one slice of a file; what is there already stays. Returns how many are new.

    Whoever is known by one of these hashes gets an event.
    """
    there = _standing(connection, [row.hash for row in rows])
    fresh = {(row.list_id, row.hash): row for row in rows if (row.list_id, row.hash) not in there}
    for row in fresh.values():
        values = {"list": row.list_id, "hash": row.hash, "reason": row.reason, "at": row.at}
        connection.execute(_EVERYWHERE if row.list_id is None else _ON_LIST, values)
    people = _people(connection, list(fresh.values()))
    for row in fresh.values():
        if row.hash in people:
            note(connection, at, "suppressed", actor, people[row.hash], row.list_id, row.reason)
    return len(fresh)


def stream(
    connection: Connection, *, list_id: int | None = None
) -> Iterator[Row[tuple[object, ...]]]:
    """Every suppression, or one list's: hash, list (its name), reason, at, address if known."""
    chosen = "" if list_id is None else " WHERE s.list_id = :list"
    everywhere = (
        "SELECT x.hash, NULL AS list, x.reason, x.at, p.address FROM suppression x"
        " LEFT JOIN subscriber p ON p.suppression_hash = x.hash UNION ALL "
    )
    statement = (
        ("" if list_id is not None else everywhere)
        + "SELECT s.hash, l.name, s.reason, s.at, p.address FROM list_suppression s"
        f" JOIN list l ON l.id = s.list_id LEFT JOIN subscriber p ON p.suppression_hash = s.hash"
        f"{chosen} ORDER BY 4, 1"
    )
    query = text(statement).columns(at=UTCDateTime())
    values = {} if list_id is None else {"list": list_id}
    yield from connection.execution_options(stream_results=True, max_row_buffer=1000).execute(
        query, values
    )


def count(connection: Connection, *, list_id: int | None = None) -> int:
    """How many ``stream`` yields."""
    chosen = "" if list_id is None else " WHERE list_id = :list"
    values = {} if list_id is None else {"list": list_id}
    listed = connection.execute(
        text(f"SELECT count(*) FROM list_suppression{chosen}"), values
    ).scalar_one()
    if list_id is not None:
        return int(listed)
    return int(listed) + int(one(connection, "SELECT count(*) FROM suppression"))


def _standing(connection: Connection, hashes: Sequence[bytes]) -> set[tuple[int | None, bytes]]:
    """Which of these are suppressed already. A reader's own wish gives way to any other."""
    chosen: BindParameter[bytes] = bindparam("hashes", expanding=True)
    values = {"hashes": list(hashes)}
    everywhere = connection.execute(
        text(
            f"SELECT hash FROM suppression WHERE hash IN :hashes AND reason <> '{BY_READER}'"
        ).bindparams(chosen),
        values,
    ).scalars()
    listed = connection.execute(
        text("SELECT list_id, hash FROM list_suppression WHERE hash IN :hashes").bindparams(chosen),
        values,
    )
    return {(None, bytes(each)) for each in everywhere} | {
        (row.list_id, bytes(row.hash)) for row in listed
    }


def _people(connection: Connection, rows: Sequence[Hashed]) -> Mapping[bytes, int]:
    """Who is known by these hashes."""
    if not rows:
        return {}
    found = connection.execute(
        text(
            "SELECT id, suppression_hash FROM subscriber WHERE suppression_hash IN :hashes"
        ).bindparams(bindparam("hashes", expanding=True)),
        {"hashes": [row.hash for row in rows]},
    )
    return {bytes(row.suppression_hash): row.id for row in found}


def _known(connection: Connection, key: str) -> int | None:
    found = one(connection, "SELECT id FROM subscriber WHERE key = :key", key=key)
    return None if found is None else int(found)

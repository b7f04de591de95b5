"""Moving people by the thousand on SQLite: where its SQL, or the way to it, is its own.

What arrives lies in temporary tables, that is in a file of this connection's own which has no name
and goes with the process. Filling it locks nobody out of the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection

# What a person's fields become when a row's are laid over them; null takes a field away.
LAID_OVER = "json_patch(p.fields, a.fields)"
FIELDS_CHANGE = (
    "CASE WHEN a.fields = '{}' OR a.fields = p.fields THEN FALSE"
    " ELSE json_patch(p.fields, a.fields) <> json(p.fields) END"
)
NEW_FIELDS = "CASE WHEN instr(a.fields, 'null') THEN json_patch('{}', a.fields) ELSE a.fields END"
AS_FIELDS = ":fields"
APART = "LIMIT -1"  # keeps a subquery from being merged into the query, and computed twice
# An id for whoever is new. Nobody else writes while this transaction lasts.
NUMBERED = (
    "COALESCE(id, CASE WHEN NOT suppressed THEN n - :first + 1"
    " + (SELECT COALESCE(max(seq), 0) FROM sqlite_sequence WHERE name = 'subscriber') END)"
)
LANGUAGE_CHANGES = "(a.language IS NOT NULL AND a.language IS NOT p.language)"
HOLD = 0.12  # seconds that one transaction should last: others wait for it
# While others wait for the one write lock, how long to stand back after holding it.
STAND_BACK = 0.1  # of the time that it was held

_COLUMNS = "key, address, hash, language, rank, ceiling, fields"
_ROW = "(?, ?, ?, ?, ?, ?, ?)"
_TOGETHER = 250  # rows of one statement, whose price is a third of a row's


def prepare(connection: Connection) -> None:
    """Makes the tables for what arrives. The temporary file is not held in memory."""
    driver: Any = connection.connection.dbapi_connection
    driver.execute("PRAGMA temp_store = FILE")
    driver.execute("PRAGMA temp.page_size = 16384")  # a table is written, sorted and read once
    driver.execute("PRAGMA temp.journal_mode = OFF")
    driver.execute("PRAGMA temp.cache_size = -16384")
    driver.execute("PRAGMA cache_size = -16384")  # keys come in order: a page is met once
    with connection.begin():
        for table in ("loaded", "arrival"):
            connection.exec_driver_sql(
                f"CREATE TEMP TABLE {table} (n INTEGER PRIMARY KEY, key TEXT, address TEXT,"
                " hash BLOB, language TEXT, rank INTEGER, ceiling INTEGER, fields TEXT)"
            )
        connection.exec_driver_sql(
            "CREATE TEMP TABLE slice (n INTEGER PRIMARY KEY, subscriber_id INTEGER,"
            " is_new INTEGER, fate TEXT, changed INTEGER, lowered INTEGER, agrees INTEGER,"
            " repeats INTEGER, rank INTEGER, ceiling INTEGER, respelt INTEGER)"
        )


def load(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Appends rows of key, address, hash, language, rank, ceiling, fields."""
    insert = f"INSERT INTO loaded ({_COLUMNS}) VALUES "
    many = insert + ", ".join([_ROW] * _TOGETHER)
    whole = len(rows) - len(rows) % _TOGETHER
    with connection.begin():
        for at in range(0, whole, _TOGETHER):
            cells = tuple(chain.from_iterable(rows[at : at + _TOGETHER]))
            connection.exec_driver_sql(many, cells)
        if whole < len(rows):
            connection.exec_driver_sql(insert + _ROW, rows[whole:])


def arrange(connection: Connection) -> None:
    """Puts what was loaded in the order of its keys, so that indexes are met page by page."""
    with connection.begin():
        connection.exec_driver_sql(
            f"INSERT INTO arrival ({_COLUMNS}) SELECT {_COLUMNS} FROM loaded ORDER BY key, n"
        )
        connection.exec_driver_sql("DROP TABLE loaded")


def empty_slice(connection: Connection) -> None:
    connection.exec_driver_sql("DELETE FROM slice")


def recognise_latecomers(connection: Connection) -> None:
    """Nobody can have been added by somebody else meanwhile."""


def hold(connection: Connection, list_id: int) -> None:
    """Nobody else writes while this transaction lasts."""


def hurry(connection: Connection) -> None:
    """Nothing to set: the planner needs no hint here."""

"""Moving people by the thousand on PostgreSQL: where its SQL, or the way to it, is its own.

What arrives comes by COPY into temporary tables, which go with the connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

# What a person's fields become when a row's are laid over them; null takes a field away.
LAID_OVER = "CAST(jsonb_strip_nulls(CAST(p.fields AS jsonb) || a.fields) AS json)"
FIELDS_CHANGE = (
    "(jsonb_strip_nulls(CAST(p.fields AS jsonb) || a.fields) <> CAST(p.fields AS jsonb))"
)
NEW_FIELDS = "CAST(jsonb_strip_nulls(a.fields) AS json)"
AS_FIELDS = "CAST(:fields AS jsonb)"
APART = "OFFSET 0"  # keeps a subquery from being merged into the query, and computed twice
# An id from the table's own sequence for whoever is new.
NUMBERED = (
    "COALESCE(id, CASE WHEN NOT suppressed"
    " THEN nextval(pg_get_serial_sequence('subscriber', 'id')) END)"
)
LANGUAGE_CHANGES = "(a.language IS NOT NULL AND a.language IS DISTINCT FROM p.language)"
HOLD = 0.25  # seconds that one transaction should last: a slice has its price whatever its size
STAND_BACK = 0.0  # rows are locked one by one: nobody waits for the whole database

_COLUMNS = "key, address, hash, language, rank, ceiling, fields"


def prepare(connection: Connection) -> None:
    """Makes the tables for what arrives."""
    with connection.begin():
        for table in ("loaded", "arrival"):
            connection.exec_driver_sql(
                f"CREATE TEMP TABLE {table} (n bigserial PRIMARY KEY, key text,"
                " address text, hash bytea, language text, rank integer, ceiling integer,"
                " fields jsonb)"
            )
        connection.exec_driver_sql(
            "CREATE TEMP TABLE slice (n bigint PRIMARY KEY, subscriber_id bigint, is_new boolean,"
            " fate text, changed boolean, lowered boolean, agrees boolean, repeats boolean,"
            " rank integer, ceiling integer, respelt integer)"
        )


def load(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Appends rows of key, address, hash, language, rank, ceiling, fields."""
    statement = f"COPY loaded ({_COLUMNS}) FROM STDIN"
    with connection.begin():
        driver: Any = connection.connection.dbapi_connection
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.Error as error:
            raise DBAPIError(statement, None, error) from error


def arrange(connection: Connection) -> None:
    """Puts what was loaded in the order of its keys, and tells the planner how much it is."""
    with connection.begin():
        connection.exec_driver_sql(
            f"INSERT INTO arrival ({_COLUMNS})"
            f' SELECT {_COLUMNS} FROM loaded ORDER BY key COLLATE "C", n'  # bytes, as on SQLite
        )
        connection.exec_driver_sql("DROP TABLE loaded")
        connection.exec_driver_sql("ANALYZE arrival")


def empty_slice(connection: Connection) -> None:
    connection.exec_driver_sql("TRUNCATE slice")


def recognise_latecomers(connection: Connection) -> None:
    """Whoever was added by somebody else since the slice was read keeps the id they have."""
    connection.execute(
        text(
            "UPDATE slice SET subscriber_id = p.id, is_new = false"
            " FROM arrival a JOIN subscriber p ON p.key = a.key"
            " WHERE slice.is_new AND a.n = slice.n AND p.id <> slice.subscriber_id"
        )
    )


def hold(connection: Connection, list_id: int) -> None:
    """Locks the rows that change, so that what is recorded of them is what they were."""
    for statement in _HELD:
        connection.execute(statement, {"list": list_id})


# By an array, in its order: a join would walk through everybody for the sake of the order.
_HELD = (
    text(
        "SELECT id FROM subscriber WHERE id = ANY(ARRAY("
        "SELECT subscriber_id FROM slice WHERE changed ORDER BY 1)) FOR UPDATE"
    ),
    text(
        "SELECT subscriber_id FROM subscription WHERE list_id = :list"
        " AND subscriber_id = ANY(ARRAY("
        "SELECT subscriber_id FROM slice WHERE lowered ORDER BY 1)) FOR UPDATE"
    ),
)


def hurry(connection: Connection) -> None:
    """Keeps the planner from scanning everybody for each slice: its statistics are older.

    What is off counts as very dear, which would have every statement compiled, a second each.
    """
    connection.execute(
        text(
            "SELECT set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true),"
            " set_config('enable_hashjoin', 'off', true),"
            " set_config('enable_mergejoin', 'off', true)"
        )
    )

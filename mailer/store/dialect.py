"""The few places where SQLite and PostgreSQL write the same thing differently."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult


def json_rows(dialect: str, parameter: str, columns: Sequence[tuple[str, str]]) -> str:
    """A subquery that yields the rows of a JSON array of arrays, bound as ``parameter``.

    ``LIMIT -1`` makes SQLite materialise it. Without that the planner turns the join round and
    scans the whole campaign once for each group (4,600 rows a second instead of 26,000).
    """
    if dialect == "sqlite":
        picked = ", ".join(
            f"CAST(json_extract(value, '$[{index}]') AS {kind}) AS {name}"
            for index, (name, kind) in enumerate(columns)
        )
        return f"(SELECT {picked} FROM json_each(:{parameter}) LIMIT -1)"
    picked = ", ".join(
        f"CAST(item->>{index} AS {kind}) AS {name}" for index, (name, kind) in enumerate(columns)
    )
    return f"(SELECT {picked} FROM jsonb_array_elements(CAST(:{parameter} AS jsonb)) AS e(item))"


def for_update(dialect: str) -> str:
    """Locks the rows that a SELECT reads; SQLite's write transaction has locked everything."""
    return "" if dialect == "sqlite" else " FOR UPDATE"


def run(
    connection: Connection, statement: str, values: Mapping[str, object] | Sequence[object]
) -> CursorResult[Any]:
    """Runs plain SQL with ``:name`` parameters straight on the driver, for the hot path.

    A claim takes ten statements. Through ``text()`` each costs some 80 µs of preparation, which
    is more than SQLite itself needs. A list of mappings runs the statement once for each.
    """
    if connection.dialect.name != "sqlite":
        statement = _pyformat(statement)
    return connection.exec_driver_sql(statement, values)


@lru_cache(maxsize=256)
def _pyformat(statement: str) -> str:
    """psycopg's spelling of parameters; ``%`` stands for itself."""
    return _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%"))


_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")

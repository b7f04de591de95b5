"""The few places where SQLite and PostgreSQL write the same thing differently."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the ledger's process does without: it takes memory and time
    from sqlalchemy import Connection


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


def hexadecimal(dialect: str, column: str) -> str:
    """Bytes as text, so that they can stand in JSON; nothing stays nothing."""
    if dialect == "sqlite":  # which makes an empty text of nothing
        return f"CASE WHEN {column} IS NOT NULL THEN hex({column}) END"
    return f"encode({column}, 'hex')"


def for_update(dialect: str) -> str:
    """Locks the rows that a SELECT reads; SQLite's write transaction has locked everything."""
    return "" if dialect == "sqlite" else " FOR UPDATE"


def for_update_of(dialect: str, table: str) -> str:
    """Locks one table's rows of a SELECT, and passes over those that somebody else holds."""
    return "" if dialect == "sqlite" else f" FOR UPDATE OF {table} SKIP LOCKED"


def run(
    connection: Connection, statement: str, values: Mapping[str, object] | Sequence[object]
) -> Any:
    """Runs plain SQL with ``:name`` parameters on the driver itself; returns the driver's cursor.

    For the hot path alone: a claim takes eight statements, and through the engine each costs more
    preparation than SQLite needs for the work. A list of mappings runs the statement once for each.
    """
    driver: Any = connection.connection.dbapi_connection
    many = isinstance(values, list)
    if connection.dialect.name == "sqlite":
        return (driver.executemany if many else driver.execute)(statement, values)
    cursor = driver.cursor()
    (cursor.executemany if many else cursor.execute)(_pyformat(statement), values)
    return cursor


def gathered(
    connection: Connection,
    columns: Sequence[str],
    rest: str,
    values: Mapping[str, object],
    *,
    alone: bool = False,
) -> list[Any]:
    """Runs ``SELECT columns rest``; each row is a list or tuple of JSON's values.

    SQLite's driver hands the interpreter's lock over once for every row that it fetches, and the
    thread that feeds the wire wants that lock as well. So SQLite makes one text of all the rows,
    unless the process is ``alone`` with its interpreter.
    """
    if alone or connection.dialect.name != "sqlite":
        return list(run(connection, f"SELECT {', '.join(columns)} {rest}", values).fetchall())
    named = ", ".join(f"{column} AS c{index}" for index, column in enumerate(columns))
    every = ", ".join(f"c{index}" for index in range(len(columns)))
    statement = f"SELECT json_group_array(json_array({every})) FROM (SELECT {named} {rest})"
    (text,) = run(connection, statement, values).fetchone()
    return list(json.loads(text))


def update_by_rows(
    connection: Connection,
    statement: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[object]],
    values: Mapping[str, object],
) -> int:
    """Runs an UPDATE … FROM {rows}, where these rows stand; returns how many it changed.

    SQLite takes them as parameters, which costs it half of what reading them from JSON does.
    """
    if connection.dialect.name != "sqlite":
        source = json_rows(connection.dialect.name, "rows", columns)
        return int(
            run(
                connection, statement.format(rows=source), {**values, "rows": json.dumps(rows)}
            ).rowcount
        )
    driver: Any = connection.connection.dbapi_connection
    names = tuple(name for name, _ in columns)
    changed = 0
    for number in range(0, len(rows), _SIZES[-1]):
        some = rows[number : number + _SIZES[-1]]
        size = next(size for size in _SIZES if size >= len(some))
        text, order = _positional(statement, names, size)
        at = order.index("rows")
        before, after = [[values[name] for name in each] for each in (order[:at], order[at + 1 :])]
        missing = repeat(None, (size - len(some)) * len(names))
        bound = [*before, *chain.from_iterable(some), *missing, *after]
        changed += driver.execute(text, bound).rowcount
    return changed


# So that there are four statements to prepare and not hundreds; rows of nothing fill them up.
_SIZES = (1, 10, 50, 100)


@lru_cache(maxsize=64)
def _positional(
    statement: str, columns: tuple[str, ...], number: int
) -> tuple[str, tuple[str, ...]]:
    """The statement with ``?`` for each parameter, and their names in order; ``rows`` is all rows.

    ``LIMIT -1`` as in ``json_rows``.
    """
    row = f"({', '.join('?' * len(columns))})"
    named = ", ".join(f"column{index + 1} AS {name}" for index, name in enumerate(columns))
    source = f"(SELECT {named} FROM (VALUES {', '.join([row] * number)}) LIMIT -1)"
    order = tuple(_PARAMETER.findall(statement.replace("{rows}", ":rows")))
    return _PARAMETER.sub("?", statement).format(rows=source), order


@lru_cache(maxsize=256)
def _pyformat(statement: str) -> str:
    """psycopg's spelling of parameters; ``%`` stands for itself."""
    return _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%"))


_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")

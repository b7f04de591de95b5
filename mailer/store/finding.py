"""Finds people: filters, order and pages, put together from our own words with bound values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, Row, bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.model.words import PersonOrder, SubscriptionStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to find: everything that is given must hold."""

    list_id: int | None = None
    status: SubscriptionStatus | None = None
    tag: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)  # a list holds the value as a member
    words: str | None = None  # a part of the address, or of any field's value
    since: datetime | None = None  # on the list since then; without a list, known since then
    suppressed: bool | None = None
    order: PersonOrder = PersonOrder.added
    descending: bool = False
    limit: int | None = None
    offset: int = 0


_HAS_FIELD = {
    "sqlite": (
        "EXISTS (SELECT 1 FROM json_each(p.fields) j WHERE j.key = :{name} AND CASE j.type"
        " WHEN 'true' THEN 'true' = :{value} WHEN 'false' THEN 'false' = :{value}"
        " WHEN 'array' THEN :{value} IN (SELECT CAST(value AS TEXT) FROM json_each(j.value))"
        " ELSE CAST(j.value AS TEXT) = :{value} END)"
    ),
    "postgresql": (
        "CASE json_typeof(p.fields -> :{name}) WHEN 'array'"
        " THEN :{value} IN (SELECT json_array_elements_text(p.fields -> :{name}))"
        " ELSE (p.fields ->> :{name}) = :{value} END"
    ),
}
_HOLDS_WORDS = {
    "sqlite": (
        "(p.address LIKE :words ESCAPE '!' OR p.key LIKE :words ESCAPE '!' OR EXISTS"
        " (SELECT 1 FROM json_each(p.fields) j WHERE CAST(j.value AS TEXT) LIKE :words ESCAPE '!'))"
    ),
    "postgresql": (
        "(p.address ILIKE :words ESCAPE '!' OR p.key ILIKE :words ESCAPE '!' OR EXISTS"
        " (SELECT 1 FROM json_each_text(p.fields) j(key, value)"
        " WHERE j.value ILIKE :words ESCAPE '!'))"
    ),
}
_SUPPRESSED = (
    "(x.hash IS NOT NULL OR EXISTS (SELECT 1 FROM list_suppression y"
    " WHERE y.list_id = :list AND y.hash = p.suppression_hash))"
)


def find(connection: Connection, wanted: Wanted) -> Iterator[Row[Any]]:
    """Streams people: id, address, fields, language, created_at, suppressed, status, since.

    Status and since are those on the list, and null without one.
    """
    picked = (
        "p.id, p.address, p.fields, p.language, p.created_at,"
        f" {_SUPPRESSED} AS suppressed, "
        + ("u.status, u.since" if wanted.list_id is not None else "NULL AS status, NULL AS since")
    )
    tables, conditions, values = _where(connection.dialect.name, wanted)
    turn = " DESC" if wanted.descending else ""
    column = {
        PersonOrder.address: "p.key",
        PersonOrder.added: "p.id",
        PersonOrder.since: "u.since",
    }[wanted.order]
    if wanted.order is PersonOrder.since and wanted.list_id is None:
        column = "p.id"
    statement = f"SELECT {picked} FROM {tables} WHERE {conditions} ORDER BY {column}{turn}"
    if column != "p.id":
        statement += f", p.id{turn}"
    if wanted.limit is not None:
        statement += " LIMIT :limit OFFSET :offset"
        values |= {"limit": wanted.limit, "offset": wanted.offset}
    types: dict[str, Any] = {"fields": JSON(), "created_at": UTCDateTime()}
    if wanted.list_id is not None:
        types["since"] = UTCDateTime()
    query = _typed(statement, values).columns(**types)
    yield from connection.execution_options(stream_results=True, max_row_buffer=1000).execute(
        query, values
    )


def count(connection: Connection, wanted: Wanted) -> int:
    """How many ``find`` would stream without a limit."""
    tables, conditions, values = _where(connection.dialect.name, wanted)
    statement = f"SELECT count(*) FROM {tables} WHERE {conditions}"
    return int(connection.execute(_typed(statement, values), values).scalar_one())


def _typed(statement: str, values: Mapping[str, Any]) -> Any:
    clause = text(statement)
    return (
        clause.bindparams(bindparam("after", type_=UTCDateTime())) if "after" in values else clause
    )


def _where(dialect: str, wanted: Wanted) -> tuple[str, str, dict[str, Any]]:
    """The tables, the condition, and the values that are bound."""
    kind = "sqlite" if dialect == "sqlite" else "postgresql"
    tables = "subscriber p"
    values: dict[str, Any] = {"list": -1 if wanted.list_id is None else wanted.list_id}
    conditions = ["true"]
    if wanted.list_id is not None:
        tables += " JOIN subscription u ON u.list_id = :list AND u.subscriber_id = p.id"
    tables += " LEFT JOIN suppression x ON x.hash = p.suppression_hash"
    if wanted.status is not None:
        values["status"] = wanted.status
        conditions.append(
            "u.status = :status"
            if wanted.list_id is not None
            else "EXISTS (SELECT 1 FROM subscription s WHERE s.subscriber_id = p.id"
            " AND s.status = :status)"
        )
    if wanted.tag is not None:
        values["tag"] = wanted.tag
        conditions.append(
            "EXISTS (SELECT 1 FROM subscriber_tag t WHERE t.tag = :tag AND t.subscriber_id = p.id)"
        )
    for number, (name, value) in enumerate(wanted.fields.items()):
        values |= {f"name{number}": name, f"value{number}": value}
        conditions.append(_HAS_FIELD[kind].format(name=f"name{number}", value=f"value{number}"))
    if wanted.words is not None:
        escaped = wanted.words.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values["words"] = f"%{escaped}%"
        conditions.append(_HOLDS_WORDS[kind])
    if wanted.since is not None:
        values["after"] = wanted.since
        column = "p.created_at" if wanted.list_id is None else "u.since"
        conditions.append(f"{column} >= :after")
    if wanted.suppressed is not None:
        conditions.append(_SUPPRESSED if wanted.suppressed else f"NOT {_SUPPRESSED}")
    return tables, " AND ".join(conditions), values

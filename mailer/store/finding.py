"""Finds people: filters, order and pages, put together from our own words with bound values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    func,
    literal_column,
    null,
    select,
    text,
)
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.contacts.rule import Rule
from mailer.model.words import PersonOrder, SubscriptionStatus
from mailer.store.segments import members


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
    segment: Rule | None = None
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


def find(connection: Connection, wanted: Wanted) -> Iterator[Row[Any]]:
    """Streams people: id, address, fields, language, created_at, suppressed, status, since.

    Status and since are those on the list, and null without one.
    """
    on_list = wanted.list_id is not None
    picked: list[ColumnElement[Any]] = [
        literal_column("p.id").label("id"),
        literal_column("p.address").label("address"),
        literal_column("p.fields", JSON()).label("fields"),
        literal_column("p.language").label("language"),
        literal_column("p.created_at", UTCDateTime()).label("created_at"),
        literal_column(_suppressed(wanted)).label("suppressed"),
        literal_column("u.status" if on_list else "NULL").label("status"),
        literal_column("u.since", UTCDateTime()).label("since")
        if on_list
        else null().label("since"),
    ]
    query = _where(connection.dialect.name, wanted, picked)
    turn = " DESC" if wanted.descending else ""
    column = {
        PersonOrder.address: "p.key",
        PersonOrder.added: "p.id",
        PersonOrder.since: "u.since",
    }[wanted.order]
    if wanted.order is PersonOrder.since and not on_list:
        column = "p.id"
    query = query.order_by(text(column + turn))
    if column != "p.id":
        query = query.order_by(text(f"p.id{turn}"))
    if wanted.limit is not None:
        query = query.limit(wanted.limit).offset(wanted.offset)
    yield from connection.execution_options(stream_results=True, max_row_buffer=1000).execute(query)


def count(connection: Connection, wanted: Wanted) -> int:
    """How many ``find`` would stream without a limit."""
    query = _where(connection.dialect.name, wanted, [func.count()])
    return int(connection.execute(query).scalar_one())


def _suppressed(wanted: Wanted) -> str:
    number = -1 if wanted.list_id is None else int(wanted.list_id)
    return (
        "(x.hash IS NOT NULL OR EXISTS (SELECT 1 FROM list_suppression y"
        f" WHERE y.list_id = {number} AND y.hash = p.suppression_hash))"
    )


def _where(dialect: str, wanted: Wanted, picked: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """What is picked, of those who are wanted; values are bound."""
    kind = "sqlite" if dialect == "sqlite" else "postgresql"
    tables = "subscriber p"
    values: dict[str, Any] = {}
    conditions = ["true"]
    if wanted.list_id is not None:
        values["list"] = wanted.list_id
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
        conditions.append(("" if wanted.suppressed else "NOT ") + _suppressed(wanted))
    bound = text(" AND ".join(conditions))
    if "after" in values:
        bound = bound.bindparams(bindparam("after", type_=UTCDateTime()))
    joined = text(tables)
    if "list" in values:
        joined = joined.bindparams(list=values.pop("list"))
    query = select(*picked).select_from(joined).where(bound.bindparams(**values))
    if wanted.segment is not None:
        meant: ColumnElement[int] = literal_column("p.id")
        query = query.where(meant.in_(members(wanted.segment, dialect)))
    return query

"""How the two databases read a person's fields for a rule; ``rule_sql`` asks the one or the other.

A field's value is JSON that was put there by an import, a form or by hand. Of a value that does
not fit the field's declared kind nothing is made: it is as if it were missing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    LargeBinary,
    String,
    Text,
    and_,
    case,
    cast,
    collate,
    column,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
    true,
)
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.contacts.rule_values import PLAIN_NUMBER

Yes = ColumnElement[bool]
Expression = ColumnElement[Any]

PEOPLE = table(
    "subscriber",
    column("id", BigInteger),
    column("address", String),
    column("key", String),
    column("suppression_hash", LargeBinary),
    column("language", String),
    column("fields"),
    column("created_at", UTCDateTime()),
    column("fewer_days", Integer),
).alias("p")
_YES = ("yes", "true", "1")
_NO = ("no", "false", "0")


class SqliteWords:
    """How SQLite reads a person's fields; its ``mailer_…`` functions stand in ``database.py``."""

    def beside(self, people: FromClause) -> FromClause:
        """``people`` with whatever these words read of them beside: nothing."""
        return people

    def fold(self, words: Expression) -> Expression:
        return func.mailer_fold(words, type_=String())

    def domain(self) -> Expression:
        return func.substr(PEOPLE.c.key, func.instr(PEOPLE.c.key, "@") + 1, type_=String())

    def place(self, words: Expression, part: Expression) -> Expression:
        return func.instr(words, part)

    def ending(self, words: Expression, length: int) -> Expression:
        return func.substr(words, -length)

    def shown(self, name: str) -> Expression:
        return func.json_extract(PEOPLE.c.fields, _path(name))

    def text(self, name: str) -> Expression:
        value: Expression = case((self._type(name) == "text", self.shown(name)))
        return cast(value, Text())

    def number(self, name: str) -> Expression:
        value, kind = self.shown(name), self._type(name)
        other: Expression = func.mailer_number(value, kind, type_=Double())
        return case((kind.in_(("integer", "real")), cast(value, Double())), else_=other)

    def day(self, name: str) -> Expression:
        words = self.text(name)
        shape = words.op("GLOB")("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*")
        after = func.substr(words, 11, 1).in_(("", "T", " "))
        return case((and_(shape, after), func.substr(words, 1, 10)))

    def picked(self, names: Sequence[str]) -> Expression:
        """The person's fields of these names, as JSON text."""
        return _object([(name, self._json(name), self._type(name)) for name in names])

    def _json(self, name: str) -> Expression:
        kind, value = self._type(name), self.shown(name)
        return case((kind.in_(("true", "false")), kind), else_=func.json_quote(value))

    def yesno(self, name: str) -> tuple[Yes, Yes]:
        words = func.lower(self.text(name))
        kind = self._type(name)
        return or_(kind == "true", words.in_(_YES)), or_(kind == "false", words.in_(_NO))

    def any_of(self, name: str, values: Sequence[str] | None) -> Yes:
        each = func.json_each(PEOPLE.c.fields, _path(name)).table_valued("value", "type")
        words = self.fold(each.c.value)
        wanted = words != "" if values is None else words.in_(values)
        row = select(literal(1)).select_from(each).where(each.c.type == "text", wanted)
        there = self._type(name).in_(("array", "text"))
        return and_(func.coalesce(there, false()), row.exists())

    def _type(self, name: str) -> Expression:
        return func.json_type(PEOPLE.c.fields, _path(name), type_=String())


class PostgresqlWords:
    """How PostgreSQL reads a person's fields. Case is that of ICU, whatever the locale."""

    def beside(self, people: FromClause) -> FromClause:
        """``people`` with whatever these words read of them beside: nothing."""
        return people

    def fold(self, words: Expression) -> Expression:
        normal = func.normalize(words, literal_column("NFC"), type_=String())
        lower = func.lower(collate(normal, "und-x-icu"), type_=String())
        full = collate(func.upper(lower, type_=String()), "C")
        # Most texts are ASCII, which needs no tables: a third of the time.
        ascii_alone = func.octet_length(words) == func.char_length(words)
        return case((ascii_alone, func.upper(collate(words, "C"), type_=String())), else_=full)

    def domain(self) -> Expression:
        return func.split_part(PEOPLE.c.key, "@", 2, type_=String())

    def place(self, words: Expression, part: Expression) -> Expression:
        return func.strpos(words, part)

    def ending(self, words: Expression, length: int) -> Expression:
        return func.right(words, length)

    def shown(self, name: str) -> Expression:
        return PEOPLE.c.fields.op("->>", return_type=String())(literal(name, Text()))

    def _value(self, name: str) -> Expression:
        value: Expression = PEOPLE.c.fields.op("->")(literal(name, Text()))
        return value

    def text(self, name: str) -> Expression:
        return case((self._type(name) == "string", self.shown(name)))

    def number(self, name: str) -> Expression:
        words = self.shown(name)
        plain = words.op("~", return_type=Boolean())(f"^{PLAIN_NUMBER}$")
        long = and_(
            self._type(name) == "number", words.op("~", return_type=Boolean())(_JSON_NUMBER)
        )
        return case((plain, cast(words, Double())), (long, cast(words, Double())))

    def day(self, name: str) -> Expression:
        words = self.text(name)
        shape = words.op("~", return_type=Boolean())("^[0-9]{4}-[0-9]{2}-[0-9]{2}($|[T ])")
        return collate(case((shape, func.substr(words, 1, 10, type_=String()))), "C")

    def picked(self, names: Sequence[str]) -> Expression:
        """The person's fields of these names, as JSON text."""
        values = [(name, cast(self._value(name), Text())) for name in names]
        return _object([(name, value, value) for name, value in values])

    def yesno(self, name: str) -> tuple[Yes, Yes]:
        words = func.lower(self.shown(name))
        fitting = self._type(name).in_(("boolean", "string"))
        return and_(fitting, words.in_(_YES)), and_(fitting, words.in_(_NO))

    def any_of(self, name: str, values: Sequence[str] | None) -> Yes:
        value = self._value(name)
        several = case(
            (self._type(name) == "array", value),
            (self._type(name) == "string", func.json_build_array(value)),
            else_=literal_column("'[]'::json"),
        )
        each = func.json_array_elements(several).table_valued("value", name="each")
        words = self.fold(each.c.value.op("#>>", return_type=String())(literal_column("'{}'")))
        wanted = words != "" if values is None else words.in_(values)
        is_text = func.json_typeof(each.c.value, type_=String()) == "string"
        return select(literal(1)).select_from(each).where(is_text, wanted).exists()

    def _type(self, name: str) -> Expression:
        return func.json_typeof(self._value(name), type_=String())


class ReadOnce(PostgresqlWords):
    """The same where everybody is read: each field is looked up once a person.

    PostgreSQL parses the whole JSON at every mention of a field, and a rule mentions one up to ten
    times: half of the time of an audience. So the values stand beside the people as columns.
    """

    def __init__(self) -> None:
        self._read: dict[str, int] = {}  # name → its number, which its columns bear

    def shown(self, name: str) -> Expression:
        words: Expression = literal_column(f"read.t{self._number(name)}", String())
        return words

    def beside(self, people: FromClause) -> FromClause:
        """``people`` with the fields beside that these words have mentioned until now."""
        if not self._read:
            return people
        # An offset keeps the planner from writing each look-up out again where it is mentioned.
        zero: Expression = literal_column("0")
        values = [
            PEOPLE.c.fields.op("->")(literal(name, Text())).label(f"v{number}")
            for name, number in self._read.items()
        ]
        found = select(*values).correlate(PEOPLE).offset(zero).subquery("found")
        texts = [
            found.c[f"v{number}"].op("#>>")(literal_column("'{}'")).label(f"t{number}")
            for number in self._read.values()
        ]
        return people.join(select(*found.c, *texts).offset(zero).lateral("read"), true())

    def _value(self, name: str) -> Expression:
        value: Expression = literal_column(f"read.v{self._number(name)}")
        return value

    def _number(self, name: str) -> int:
        return self._read.setdefault(name, len(self._read))


_JSON_NUMBER = r"^-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?$"


def _object(members: Sequence[tuple[str, Expression, Expression]]) -> Expression:
    """JSON of those members that are there: name, value as JSON, its type or the value again."""
    pieces: Expression = literal("", Text())
    for name, value, kind in members:
        there = and_(kind.is_not(None), kind != "null")
        head = literal(f",{json.dumps(name, ensure_ascii=False)}:", Text())
        pieces = pieces.concat(case((there, head.concat(value)), else_=""))
    if not members:
        return literal("{}", Text())
    return literal("{", Text()).concat(func.substr(pieces, 2)).concat(literal("}", Text()))


def _path(name: str) -> str:
    """A field's place in the JSON of a person; a name is an identifier, so quotes are enough."""
    return f'$."{name}"'

"""Shows segments with their rules, and how many people each means now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row

from mailer.contacts.rule import RuleError, Vocabulary, doubts
from mailer.contacts.rule_reader import names_segments, read_rule
from mailer.contacts.rule_time import Calendar
from mailer.store import segments
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class ShownSegment:
    """A segment as it is now. ``people`` is None when the rule can't be used any more."""

    name: str
    rule: str
    description: str
    people: int | None
    problem: str
    doubts: Sequence[str]
    used_by: Sequence[str]  # segments whose rules name it
    changed_at: datetime
    archived_at: datetime | None


def show_segments(
    name: str | None = None, *, db: Database, calendar: Calendar
) -> Sequence[ShownSegment]:
    """Every segment by name, or the one. Raises NotFoundError."""
    with db.read() as connection:
        rows = segments.everything(connection)
        chosen = rows if name is None else [segments.find(connection, name)]
        known = segments.vocabulary(connection)
        return [_shown(connection, row, rows, known, calendar) for row in chosen]


def _shown(
    connection: Connection,
    row: Row[tuple[object, ...]],
    rows: Sequence[Row[tuple[object, ...]]],
    known: Vocabulary,
    calendar: Calendar,
) -> ShownSegment:
    people, problem, unsure = None, "", []
    try:
        rule = read_rule(row.rule, known, calendar, name=row.name)
        people, unsure = segments.count(connection, rule), doubts(rule, known)
    except RuleError as error:
        problem = str(error)
    return ShownSegment(
        name=row.name,
        rule=row.rule,
        description=row.description,
        people=people,
        problem=problem,
        doubts=unsure,
        used_by=[each.name for each in rows if row.name in names_segments(each.rule)],
        changed_at=row.changed_at,
        archived_at=row.archived_at,
    )

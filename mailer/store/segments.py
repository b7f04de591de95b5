"""Segments: keeps their rules, and finds the people whom a rule means.

For whoever lists or exports people: ``members`` is a SELECT of ids to join with, and ``holds`` a
condition on a row of ``rule_fields.PEOPLE``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, text, update
from sqlmodel import col

from mailer.contacts.rule import Clause, Rule, Vocabulary, clauses
from mailer.contacts.rule_reader import read_rule
from mailer.contacts.rule_subjects import near
from mailer.contacts.rule_time import Calendar
from mailer.errors import NotFoundError
from mailer.model.campaigns import Campaign
from mailer.model.people import MailingList, Segment
from mailer.model.words import CampaignState
from mailer.store.people import field_kinds
from mailer.store.rule_fields import PEOPLE, Yes
from mailer.store.rule_sql import SUBSCRIPTION, RuleSql

# Jumps from one tag to the next along the index, however many people have each.
_TAGS = text(
    "WITH RECURSIVE each_tag (tag) AS (SELECT min(tag) FROM subscriber_tag UNION ALL"
    " SELECT (SELECT min(t.tag) FROM subscriber_tag t WHERE t.tag > each_tag.tag)"
    "  FROM each_tag WHERE each_tag.tag IS NOT NULL)"
    " SELECT tag FROM each_tag WHERE tag IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Marks:
    """How each clause of a rule stands for one person, in the order of the rule's clauses."""

    holds: bool  # the whole rule
    clauses: Sequence[bool]
    answers: Sequence[Any]  # what was compared; None also where the clause says it all


def vocabulary(connection: Connection) -> Vocabulary:
    """Every name that a rule may use now."""
    lists = connection.execute(
        select(col(MailingList.name), col(MailingList.id), col(MailingList.archived_at))
    ).all()
    campaigns = connection.execute(
        select(col(Campaign.slug), col(Campaign.id)).where(
            col(Campaign.state) != CampaignState.planning
        )
    )
    return Vocabulary(
        fields=field_kinds(connection),
        lists={row.name: row.id for row in lists},
        tags=frozenset(connection.execute(_TAGS).scalars()),
        campaigns={row.slug: row.id for row in campaigns},
        segments={row.name: row.rule for row in everything(connection)},
        archived=frozenset(row.name for row in lists if row.archived_at is not None),
    )


def everything(connection: Connection) -> Sequence[Row[Any]]:
    """All segments by name."""
    return connection.execute(select(Segment).order_by(col(Segment.name))).all()


def find(connection: Connection, name: str) -> Row[Any]:
    """The segment of this name. Raises NotFoundError, which names the nearest ones."""
    row = connection.execute(select(Segment).where(col(Segment.name) == name)).first()
    if row is not None:
        return row
    names = [each.name for each in everything(connection)]
    raise NotFoundError(
        f"There is no segment “{name}”.",
        hint=f"{near(name, names)} `mailer segments add NAME RULE` makes one.",
    )


def read(connection: Connection, name: str, calendar: Calendar) -> Rule:
    """The rule of a segment as a tree. Raises NotFoundError, or RuleError when it is broken."""
    row = find(connection, name)
    return read_rule(row.rule, vocabulary(connection), calendar, name=name)


def insert_segment(connection: Connection, values: Mapping[str, Any]) -> None:
    connection.execute(insert(Segment), dict(values))


def update_segment(connection: Connection, segment_id: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(Segment).where(col(Segment.id) == segment_id).values(values))


def delete_segment(connection: Connection, segment_id: int) -> None:
    connection.execute(delete(Segment).where(col(Segment.id) == segment_id))


def holds(rule: Rule, dialect: str) -> Yes:
    """A condition on a row of ``PEOPLE``: true for whom the rule means."""
    return RuleSql(dialect).rule(rule)


def members(rule: Rule, dialect: str) -> Select[int]:
    """The ids of everybody whom the rule means."""
    return select(PEOPLE.c.id).where(holds(rule, dialect))


def count(connection: Connection, rule: Rule | None, *, list_id: int | None = None) -> int:
    """How many people the rule means (None: everybody): of all, or of those who get a list."""
    people = select(func.count()).select_from(PEOPLE)
    if list_id is not None:
        mine = SUBSCRIPTION.alias("u")
        people = (
            select(func.count())
            .select_from(mine.join(PEOPLE, PEOPLE.c.id == mine.c.subscriber_id))
            .where(mine.c.list_id == list_id, mine.c.status == "active")
        )
    if rule is not None:
        people = people.where(holds(rule, connection.dialect.name))
    return int(connection.execute(people).scalar_one())


def marks(connection: Connection, rule: Rule, subscriber_id: int) -> Marks:
    """Asks the database each clause of a rule about one person: the answers that a plan acts on."""
    sql = RuleSql(connection.dialect.name)
    asked: list[Clause] = list(clauses(rule))
    answers = {number: sql.answer(clause.subject) for number, clause in enumerate(asked)}
    columns = [sql.rule(rule).label("whole")]
    columns += [sql.rule(clause).label(f"c{number}") for number, clause in enumerate(asked)]
    columns += [each.label(f"a{number}") for number, each in answers.items() if each is not None]
    row = connection.execute(select(*columns).where(PEOPLE.c.id == subscriber_id)).one()
    found = row._mapping
    return Marks(
        bool(row.whole),
        [bool(found[f"c{number}"]) for number in range(len(asked))],
        [found.get(f"a{number}") for number in range(len(asked))],
    )

"""Counts the people whom a segment, or a rule without a name, means now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.contacts.rule import doubts
from mailer.contacts.rule_reader import read_rule
from mailer.contacts.rule_time import Calendar
from mailer.store import people, segments
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class Counted:
    """``people`` of ``of`` are meant: of everybody, or of those who get ``list``."""

    rule: str
    list: str | None
    people: int
    of: int
    doubts: Sequence[str]


def count_segment(
    name: str | None = None,
    *,
    rule: str | None = None,
    list_name: str | None = None,
    db: Database,
    calendar: Calendar,
) -> Counted:
    """Counts a segment by name, or a rule that is only tried.

    Raises NotFoundError for an unknown segment or list, RuleError for an unfit rule.
    """
    with db.read() as connection:
        known = segments.vocabulary(connection)
        text = rule if rule is not None else segments.find(connection, name or "").rule
        tree = read_rule(text, known, calendar, name=name or "")
        list_id = None
        if list_name is not None:
            list_id = int(people.find_list(connection, list_name).id)
        found = segments.count(connection, tree, list_id=list_id)
        everybody = segments.count(connection, None, list_id=list_id)
        return Counted(text, list_name, found, everybody, doubts(tree, known))

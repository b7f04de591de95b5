"""Tells why a person is in a segment or not: each clause with its mark, and which decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.contacts.rule import RuleError
from mailer.contacts.rule_reader import read_rule
from mailer.contacts.rule_time import Calendar
from mailer.contacts.rule_verdict import Verdict as Verdict  # spoken by the faces too
from mailer.contacts.rule_verdict import deciding, judge
from mailer.store import people, segments
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class Explained:
    """One segment and one person. ``problem`` says why the rule can't be used, if so."""

    segment: str
    inside: bool
    decided: Sequence[str]  # the clauses that decided, as they are written
    verdict: Verdict | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SegmentsExplained:
    address: str
    segments: Sequence[Explained]


def explain_segments(
    address: str, name: str | None = None, *, db: Database, calendar: Calendar
) -> SegmentsExplained:
    """One segment, or all that are in use.

    Raises NotFoundError for an unknown person or segment, RuleError when the one that was named
    can't be used any more.
    """
    with db.read() as connection:
        person = people.require_subscriber(connection, address)
        known = segments.vocabulary(connection)
        rows = segments.everything(connection) if name is None else []
        chosen = [row for row in rows if row.archived_at is None]
        if name is not None:
            chosen = [segments.find(connection, name)]
        found = []
        for row in chosen:
            try:
                rule = read_rule(row.rule, known, calendar, name=row.name)
            except RuleError as error:
                if name is not None:
                    raise
                found.append(Explained(row.name, False, [], None, str(error)))
                continue
            marks = segments.marks(connection, rule, person.id)
            found.append(explained(row.name, judge(rule, marks.clauses, marks.answers)))
    return SegmentsExplained(person.address, found)


def explained(name: str, verdict: Verdict) -> Explained:
    """The verdict on one segment."""
    return Explained(name, verdict.holds, [each.text for each in deciding(verdict)], verdict)

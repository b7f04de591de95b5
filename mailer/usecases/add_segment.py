"""Adds a segment: a rule with a name."""

from __future__ import annotations

from mailer.contacts.rule_reader import read_rule
from mailer.contacts.rule_time import Calendar
from mailer.errors import InputError
from mailer.store import segments
from mailer.store.database import Database
from mailer.usecases.add_list import NAME_LIMIT
from mailer.usecases.show_segments import ShownSegment, show_segments


def add_segment(
    name: str, rule: str, *, db: Database, calendar: Calendar, description: str = ""
) -> ShownSegment:
    """Adds a segment and counts whom it means.

    Raises RuleError for a rule that can't be used, InputError for a name that is taken or unfit.
    """
    name, rule = name.strip(), rule.strip()
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise InputError(f"A segment's name is 1 to {NAME_LIMIT} printable characters.")
    with db.write() as connection:
        known = segments.vocabulary(connection)
        if name in known.segments:
            raise InputError(
                f"There is a segment “{name}” already.",
                hint=f"`mailer segments edit '{name}' RULE` changes it.",
            )
        read_rule(rule, known, calendar, name=name)
        segments.insert_segment(
            connection,
            {
                "name": name,
                "rule": rule,
                "description": description,
                "created_at": calendar.now,
                "changed_at": calendar.now,
            },
        )
    return show_segments(name, db=db, calendar=calendar)[0]

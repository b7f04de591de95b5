"""Changes a segment's rule or description. Campaigns that are planned keep the rule they had."""

from __future__ import annotations

from typing import Any

from mailer.contacts.rule_reader import read_rule
from mailer.contacts.rule_time import Calendar
from mailer.store import segments
from mailer.store.database import Database
from mailer.usecases.show_segments import ShownSegment, show_segments


def edit_segment(
    name: str,
    rule: str | None = None,
    *,
    db: Database,
    calendar: Calendar,
    description: str | None = None,
) -> ShownSegment:
    """Changes what is given, and counts whom the segment means now.

    Raises NotFoundError for an unknown segment, RuleError for a rule that can't be used.
    """
    changes: dict[str, Any] = {"changed_at": calendar.now}
    with db.write() as connection:
        found = segments.find(connection, name)
        if rule is not None:
            changes["rule"] = rule.strip()
            read_rule(changes["rule"], segments.vocabulary(connection), calendar, name=name)
        if description is not None:
            changes["description"] = description
        segments.update_segment(connection, found.id, changes)
    return show_segments(name, db=db, calendar=calendar)[0]

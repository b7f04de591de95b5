"""Puts a segment out of use, or takes it back."""

from __future__ import annotations

from mailer.contacts.rule_time import Calendar
from mailer.store import segments
from mailer.store.database import Database
from mailer.usecases.show_segments import ShownSegment, show_segments


def archive_segment(
    name: str, *, db: Database, calendar: Calendar, back: bool = False
) -> ShownSegment:
    """Archives a segment, or takes it back into use; doing it twice changes nothing.

    No campaign is planned with an archived one; other rules may go on naming it.
    Raises NotFoundError for an unknown segment.
    """
    with db.write() as connection:
        found = segments.find(connection, name)
        if back:
            segments.update_segment(connection, found.id, {"archived_at": None})
        elif found.archived_at is None:
            segments.update_segment(connection, found.id, {"archived_at": calendar.now})
    return show_segments(name, db=db, calendar=calendar)[0]

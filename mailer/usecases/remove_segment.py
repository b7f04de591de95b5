"""Removes a segment that no other one names."""

from __future__ import annotations

from mailer.contacts.rule_reader import names_segments
from mailer.errors import InputError
from mailer.store import segments
from mailer.store.database import Database


def remove_segment(name: str, *, db: Database) -> None:
    """Removes a segment. Campaigns that were planned with it keep its rule.

    Raises NotFoundError for an unknown segment, InputError when another one's rule names it.
    """
    with db.write() as connection:
        found = segments.find(connection, name)
        users = [
            each.name
            for each in segments.everything(connection)
            if each.name != name and name in names_segments(each.rule)
        ]
        if users:
            raise InputError(
                f"The segment “{name}” stands in the rule of {', '.join(f'“{u}”' for u in users)}.",
                hint="Change that first, or archive this one.",
            )
        segments.delete_segment(connection, found.id)

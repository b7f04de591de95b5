"""Checks that the database answers."""

from __future__ import annotations

from mailer.store.database import Database, one


def check_health(*, db: Database) -> None:
    """Raises one of our errors when it does not."""
    with db.read() as connection:
        one(connection, "SELECT 1")

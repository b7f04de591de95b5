"""Looks after the database: upgrades, checks, copies and describes it."""

from __future__ import annotations

from pathlib import Path

from mailer.store import maintenance, migrations
from mailer.store.database import Database


def upgrade_database(db: Database) -> tuple[str | None, str | None]:
    """Brings it to the program's schema; the revision before and after.

    Raises SettingsError when it is newer than the program.
    """
    before = migrations.revision(db) if maintenance.exists(db) else None
    migrations.upgrade(db)
    return before, migrations.revision(db)


def check_database(db: Database) -> list[str]:
    """What is wrong with it, one sentence each; empty when it is sound."""
    return maintenance.faults(db)


def backup_database(db: Database, file: Path) -> int:
    """Writes a consistent copy; its size in bytes.

    Raises InputError when the file exists, or the database is not SQLite.
    """
    return maintenance.backup(db, file)


def describe_database(db: Database) -> dict[str, str | int]:
    """Which one it is, its schema, and how much is in it."""
    return {
        "database": db.shown,
        "schema": migrations.revision(db) or "none",
        **maintenance.sizes(db),
    }

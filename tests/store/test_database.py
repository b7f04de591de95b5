"""The database opens, migrates once, and says in a sentence what is wrong with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

import mailer.model.campaigns
import mailer.model.people  # noqa: F401  # both register their tables
from mailer.errors import BusyError, SettingsError
from mailer.store import database as database_module
from mailer.store import migrations
from mailer.store.database import Database, database_url


def _is_of(dialect: str) -> Callable[..., bool]:
    """Leaves out the foreign keys that only the other database has: Alembic overlooks that."""

    def is_of(constraint: Any, _name: str, kind: str, _reflected: bool, _other: object) -> bool:
        only = constraint._ddl_if if kind == "foreign_key_constraint" else None
        return only is None or only.dialect == dialect

    return is_of


def test_the_migrations_make_exactly_the_tables_of_the_model(db: Database) -> None:
    with db.read() as connection:
        opts = {"compare_type": True, "include_object": _is_of(db.dialect)}
        context = MigrationContext.configure(connection, opts=opts)
        differences = compare_metadata(context, SQLModel.metadata)

    assert differences == []


def test_upgrading_twice_keeps_the_identity(db: Database) -> None:
    with db.read() as connection:
        before = connection.execute(text("SELECT identity, suppression_key FROM instance")).one()

    migrations.upgrade(db)

    with db.read() as connection:
        after = connection.execute(text("SELECT identity, suppression_key FROM instance")).one()
    assert after == before
    migrations.require_current(db)


def test_a_newer_database_is_refused(db: Database) -> None:
    with db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SettingsError, match="newer than this program"):
        migrations.require_current(db)
    with pytest.raises(SettingsError, match="newer than this program"):
        migrations.upgrade(db)


def test_a_missing_file_names_init(tmp_path: Path) -> None:
    database = Database(database_url("sqlite:///data/mailer.db", tmp_path))

    with pytest.raises(SettingsError, match="mailer init"):
        migrations.require_current(database)
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mailer.db"
    file.write_text("hello " * 500)

    with pytest.raises(SettingsError, match="not a database"):
        migrations.require_current(Database(database_url(f"sqlite:///{file}", tmp_path)))


def test_a_locked_database_is_busy(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)
    database = Database(database_url(f"sqlite:///{sqlite_template}", tmp_path))
    other = sqlite3.connect(sqlite_template, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(BusyError, match="locked"), database.write():
            pass
    finally:
        other.close()


@pytest.mark.parametrize("value", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_other_addresses_are_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MAILER_DATABASE_URL"):
        database_url(value, tmp_path)


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    database = Database(database_url("postgresql://me:s3cret@localhost/x", tmp_path))

    assert "s3cret" not in database.shown

"""Brings a database to the schema of this program, and refuses one that does not fit it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, text

from mailer.errors import SettingsError
from mailer.model.people import Instance
from mailer.store.database import Database
from mailer.store.sqlite_file import create_private
from mailer.store.trouble import translated


def upgrade(database: Database) -> None:
    """Creates or upgrades the schema; doing it twice changes nothing.

    On SQLite the file is switched to write-ahead logging, which a reader needs to read
    while somebody writes.
    """
    if database.on_sqlite and database.url.database:
        Path(database.url.database).parent.mkdir(parents=True, exist_ok=True)
        create_private(database.url.database)
    with translated(database.shown), database.engine.connect() as connection:
        if database.on_sqlite:
            database.log_ahead(connection)
        config = _config()
        config.attributes["connection"] = connection
        found = MigrationContext.configure(connection).get_current_revision()
        if _newer(found):
            raise _too_new(database, found)
        connection.rollback()
        command.upgrade(config, "head")
        connection.commit()
    _identify(database)


def require_current(database: Database) -> None:
    """Raises SettingsError when the database is missing, older or newer than this program."""
    file = database.url.database
    if database.on_sqlite and (not file or not Path(file).is_file()):
        raise SettingsError(
            f"There is no database at {database.shown}.",
            hint="`mailer init` makes a workspace here; -C names another folder.",
        )
    with database.read() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        empty = found is None and not inspect(connection).get_table_names()
    if found == ScriptDirectory.from_config(_config()).get_current_head():
        database.ensure_log_ahead()
        return
    if _newer(found):
        raise _too_new(database, found)
    if empty:
        raise SettingsError(
            f"The database {database.shown} is empty.", hint="`mailer init` fills it."
        )
    raise SettingsError(
        f"The database {database.shown} is older than this program.",
        hint="Back it up, then run `mailer db upgrade`.",
    )


def revision(database: Database) -> str | None:
    """The schema's revision, or None for an empty database."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _newer(found: str | None) -> bool:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return found is not None and found not in known


def _too_new(database: Database, found: str | None) -> SettingsError:
    return SettingsError(
        f"The database {database.shown} is newer than this program (schema {found}).",
        hint="Upgrade mailer, or name another database in MAILER_DATABASE_URL.",
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def _identify(database: Database) -> None:
    """Gives a new database its identity and its suppression key, once."""
    with database.write() as connection:
        if connection.execute(text("SELECT 1 FROM instance")).first() is None:
            connection.execute(
                insert(Instance),
                {
                    "id": 1,
                    "identity": secrets.token_hex(16),
                    "suppression_key": secrets.token_hex(32),
                    "created_at": datetime.now(UTC),
                },
            )

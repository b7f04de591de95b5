"""Opens the database, begins its transactions, and turns its errors into sentences.

SQLite and PostgreSQL are the same product: what differs between them stays in this room.
Transactions are begun by us: a write transaction on SQLite is ``BEGIN IMMEDIATE``, because one that
upgrades half-way can fail after it has read.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from mailer.contacts.rule import fold
from mailer.contacts.rule_values import PLAIN_NUMBER
from mailer.errors import SettingsError, StoppedError
from mailer.store.sqlite_file import BUSY_TIMEOUT_MS, SqliteFile
from mailer.store.sqlite_file import configure as configure_sqlite
from mailer.store.trouble import translated
from mailer.store.turn import Turn
from mailer.store.writer import Writer

_PLAIN_NUMBER = re.compile(PLAIN_NUMBER).fullmatch
OLDEST_SQLITE = (3, 35, 0)  # RETURNING; UPDATE … FROM came with 3.33


class Database:
    """An open database. ``read()`` and ``write()`` give a connection inside one transaction.

    ``officer`` is whose hand writes, for the records of who did what.
    """

    def __init__(self, url: URL, *, officer: str = "") -> None:
        self.url = url
        self.officer = officer
        self.dialect = url.get_backend_name()
        self.engine = _engine(url)
        self._file = SqliteFile(url.database or "") if self.on_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads one consistent state."""
        self._require_file()
        with translated(self.shown), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes. Keep it under a quarter of a second: others wait for it."""
        self._require_file()
        with translated(self.shown), self.engine.connect() as plain:
            connection = plain.execution_options(mailer_immediate=True)
            with connection.begin():
                yield connection

    def _require_file(self) -> None:
        """Raises StoppedError when a SQLite file was taken away. Another one is opened anew."""
        if self._file is None:
            return
        try:
            if self._file.replaced():
                self.engine.dispose()
        except StoppedError:
            self.engine.dispose()
            raise

    @cached_property
    def writer(self) -> Writer:
        """The process's one group-commit writer, started at first use."""
        return Writer(self)

    @cached_property
    def turn(self) -> Turn:
        """Whose turn it is to write in small groups, among the processes of this machine."""
        return Turn(f"{self.url.database}-turn" if self.on_sqlite else None)

    def ensure_log_ahead(self) -> None:
        """Puts a restored backup into write-ahead mode: a plan reads and writes at once."""
        if not self.on_sqlite:
            return
        with translated(self.shown), self.engine.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            connection.rollback()
            if mode != "wal":
                self.log_ahead(connection)

    def log_ahead(self, connection: Connection) -> None:
        """Switches a SQLite file to write-ahead logging; it stays so."""
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA journal_mode = WAL")

    @property
    def operator(self) -> str:
        """The actor of what an officer does: ``operator``, with the name where it is known."""
        return f"operator {self.officer}".rstrip()

    @property
    def on_sqlite(self) -> bool:
        return self.dialect == "sqlite"

    @property
    def shown(self) -> str:
        """The address as a person may see it: the file's path, or the URL without its password."""
        if self.on_sqlite:
            return self.url.database or ""
        return self.url.set(query={}).render_as_string()  # a query may hold a password as well

    def close(self) -> None:
        if "writer" in self.__dict__:
            self.writer.close()
        if "turn" in self.__dict__:
            self.turn.close()
        self.engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def database_url(value: str, workspace: Path) -> URL:
    """Parses ``MAILER_DATABASE_URL``; a relative SQLite path is relative to the workspace.

    Raises SettingsError for anything that is not a SQLite or PostgreSQL address.
    """
    accepted = "Accepted: sqlite:///data/mailer.db or postgresql://user@host/name."
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise SettingsError(
            "MAILER_DATABASE_URL is not a database address.", hint=accepted
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise SettingsError(
            f"MAILER_DATABASE_URL names “{url.get_backend_name()}”, which is not supported.",
            hint=accepted,
        )
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if not url.database or url.database == ":memory:":
        raise SettingsError("MAILER_DATABASE_URL must name a file.", hint=accepted)
    return url.set(database=str(workspace / url.database))


def _engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite_engine(url)
        return create_engine(
            url,
            hide_parameters=True,  # or one failing bulk insert prints thousands of addresses
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10},
        )
    except (NoSuchModuleError, ArgumentError) as error:
        raise SettingsError(f"MAILER_DATABASE_URL can't be used: {error}") from error


def _sqlite_engine(url: URL) -> Engine:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise SettingsError(
            f"This Python brings SQLite {sqlite3.sqlite_version}; mailer needs 3.35 or newer.",
            hint="Install a newer Python, or use PostgreSQL.",
        )
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=32,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        configure_sqlite(connection)
        connection.create_function("mailer_fold", 1, _fold, deterministic=True)
        connection.create_function("mailer_number", 2, _number, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("mailer_immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _fold(value: object) -> str | None:
    """Text without regard to case: SQLite's own ``lower`` knows ASCII alone."""
    if not isinstance(value, str):
        return None
    return value.upper() if value.isascii() else fold(value)


def _number(value: object, kind: str | None) -> float | None:
    """A JSON number, or a text that reads as one, as a float."""
    if kind in ("integer", "real") and isinstance(value, int | float):
        return float(value)
    if kind == "text" and isinstance(value, str) and _PLAIN_NUMBER(value):
        return float(value)
    return None


def one(connection: Connection, statement: str, **values: Any) -> Any:
    """The first column of the first row, or None."""
    row = connection.execute(text(statement), values).first()
    return row[0] if row is not None else None

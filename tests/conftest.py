"""What every test may ask for: a real database of each kind, and a clock that is told the time."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.store import migrations
from mailer.store.database import Database, database_url
from tests import postgres
from tests.fakes import FakeClock

_numbers = itertools.count()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, copied for each test."""
    file = tmp_path_factory.mktemp("template") / "mailer.db"
    with Database(database_url(f"sqlite:///{file}", file.parent)) as database:
        migrations.upgrade(database)
    return file


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A PostgreSQL server with a migrated, empty template database."""
    binaries = postgres.find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: ./scripts/peers installs it")
    server = postgres.Server(binaries)
    try:
        with Database(database_url(server.make(postgres.TEMPLATE), Path())) as database:
            migrations.upgrade(database)
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of this schema: the test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        file = tmp_path / "mailer.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        with Database(database_url(f"sqlite:///{file}", tmp_path)) as database:
            yield database
        return
    server: postgres.Server = request.getfixturevalue("postgresql")
    name = f"test_{next(_numbers)}"
    with Database(database_url(server.make(name, postgres.TEMPLATE), tmp_path)) as database:
        yield database
    server.drop(name)


@pytest.fixture
def clock() -> FakeClock:
    """Tuesday, 24 November 2026, nine in the morning, until told otherwise."""
    return FakeClock()

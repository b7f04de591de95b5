"""What every test may ask for: a real database of each kind, and a clock that is told the time."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips", action="store_true", help="A skipped test is a failure: something is missing."
    )


_skipped: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With --no-skips a skip fails, and says what is missing."""
    report = yield
    if report.skipped:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped.append(f"{item.nodeid}: {why}")
        if item.config.getoption("--no-skips"):
            report.outcome = "failed"
            report.longrepr = f"skipped, which --no-skips forbids: {why}"
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Names each skipped test in the last lines, and the remedy."""
    if _skipped:
        terminalreporter.section(f"{len(_skipped)} skipped")
        for line in _skipped:
            terminalreporter.line(line)
        terminalreporter.line("./scripts/peers installs what is missing (as root).")

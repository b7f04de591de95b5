"""The ledger's process does what the writer does, and nothing is lost when it dies."""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
from sqlalchemy import text

from mailer.errors import BusyError, StoppedError
from mailer.model.words import Cause, Counts, DeliveryState
from mailer.store import apart, migrations
from mailer.store.apart import Exchanges
from mailer.store.claims import Exchange, Ledger
from mailer.store.database import Database, database_url
from mailer.store.ledger import Settled
from tests.builders import suppress
from tests.store.test_ledger import HOUR, NOW, begin, in_few_words, plan

_S = DeliveryState


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Database(database_url("sqlite:///mailer.db", tmp_path)) as database:
        migrations.upgrade(database)
        yield database


@pytest.fixture
def ledger(db: Database, tmp_path: Path) -> Ledger:
    campaign, list_id, _ = plan(db, 12)
    begun = begin(db, campaign, tmp_path / "runs")
    return Ledger(campaign, list_id, begun.run_id, db.dialect, HOUR)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few people there are, all is done by the process from the first exchange on."""
    monkeypatch.setattr(apart, "WORTH_IT", 1)
    monkeypatch.setattr(apart, "GRACE", 20.0)


@contextmanager
def exchanging(ledger: Ledger, db: Database) -> Iterator[Exchanges]:
    with (
        asyncio.Runner() as runner,
        Exchanges(ledger, db, left=12, loop=runner.get_loop()) as exchanges,
    ):
        yield exchanges


def ask(
    exchanges: Exchanges,
    settled: list[Settled],
    want: int,
    now: int = NOW,
    limits: Mapping[int, int] = MappingProxyType({}),
) -> Exchange:
    loop = exchanges.loop
    asked = exchanges.submit(in_few_words(settled), want, now, limits=limits, day=None)
    answer = asyncio.wrap_future(asked, loop=loop)
    return loop.run_until_complete(asyncio.wait_for(answer, 20))


def outcomes(claimed: Exchange) -> list[Settled]:
    """One person of each kind: accepted, deferred, refused, given back, and in doubt."""
    kinds = [
        (_S.accepted, Cause.answered, "", None),
        (_S.deferred, Cause.answered, "why", NOW + 5_000),
        (_S.refused, Cause.answered, "why", None),
        (_S.planned, Cause.released, "why", None),
        (_S.unknown, Cause.lost, "why", None),
    ]
    return [
        Settled(row.position, row.attempt, state, cause, why, "250 2.0.0 Ök", due, bytes(16))
        for row, (state, cause, why, due) in zip(claimed.claimed, kinds, strict=False)
    ]


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            row
            for table in ("delivery", "tally", "waiting", "snapshot", "lane")
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
        ]


def test_it_writes_and_answers_what_the_writer_does(
    db: Database, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suppress(db, "edition7@example1.org")
    db.engine.dispose()
    found = []
    for folder, worth_it in (("writer", 10**9), ("process", 1)):
        monkeypatch.setattr(apart, "WORTH_IT", worth_it)
        monkeypatch.setattr(apart, "GRACE", 20.0)
        (tmp_path / folder).mkdir()
        for file in tmp_path.glob("mailer.db*"):
            shutil.copy(file, tmp_path / folder)
        with Database(database_url("sqlite:///mailer.db", tmp_path / folder)) as copy:
            with exchanging(ledger, copy) as exchanges:
                assert (exchanges.helper is None) == (folder == "writer")
                first = ask(exchanges, [], 5)
                second = ask(exchanges, outcomes(first), 20)
                third = ask(exchanges, [], 20, NOW + 6_000)
                beyond = ask(exchanges, [], 1, limits={0: 0})
            copy.engine.dispose()
            found.append((first, second, third, beyond, rows(tmp_path / folder / "mailer.db")))

    assert found[0] == found[1]
    assert [len(each.claimed) for each in found[0][:3]] == [
        5,
        7,
        1,
    ]  # who was given back is among the seven
    assert found[0][1].counts.skipped == 1  # who was suppressed since the plan
    assert found[0][2].claimed[0].message_hash == "00" * 16  # the retry's


@pytest.mark.usefixtures("at_once")
def test_no_move_outside_of_the_table_is_written_there(db: Database, ledger: Ledger) -> None:
    """SQLite itself looks at no state there."""
    with exchanging(ledger, db) as exchanges:
        (row,) = ask(exchanges, [], 1).claimed
        for state in (_S.sending, _S.skipped):
            wrong = Settled(row.position, row.attempt, state, Cause.answered)
            with pytest.raises(ValueError, match="can't move from sending"):
                ask(exchanges, [wrong], 1)

        right = Settled(row.position, row.attempt, _S.accepted, Cause.answered)
        assert ask(exchanges, [right], 0).counts == Counts(audience=12, planned=11, accepted=1)


@pytest.mark.usefixtures("at_once")
def test_it_ends_with_the_sender_and_not_by_the_signals_that_end_one(
    db: Database, ledger: Ledger
) -> None:
    with exchanging(ledger, db) as exchanges:
        ask(exchanges, [], 2)
        assert exchanges.helper is not None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(exchanges.helper, number)
        assert len(ask(exchanges, [], 2).claimed) == 2
        process = exchanges.helper

    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.usefixtures("at_once")
def test_when_it_dies_the_sender_hears_of_it(db: Database, ledger: Ledger) -> None:
    with exchanging(ledger, db) as exchanges:
        claimed = ask(exchanges, [], 2)
        assert exchanges.helper is not None
        os.kill(exchanges.helper, signal.SIGKILL)

        with pytest.raises(StoppedError, match="the ledger has ended"):
            ask(exchanges, outcomes(claimed), 2)
    with db.read() as connection:
        states = connection.execute(text("SELECT state FROM delivery")).scalars().all()
    assert states.count("sending") == 2


@pytest.mark.usefixtures("at_once")
def test_its_errors_are_the_same_sentences(db: Database, ledger: Ledger, tmp_path: Path) -> None:
    with exchanging(ledger, db) as exchanges:
        ask(exchanges, [], 2)
        with db.write() as connection:
            connection.execute(text("UPDATE run SET ended_at = '2026-11-24'"))
        with pytest.raises(StoppedError, match="taken this campaign over"):  # fenced off
            ask(exchanges, [], 2)

        (tmp_path / "mailer.db").rename(tmp_path / "elsewhere.db")
        with pytest.raises(StoppedError, match=r"mailer\.db was moved or removed"):
            ask(exchanges, [], 2)

        (tmp_path / "mailer.db").touch()
        with pytest.raises(StoppedError, match="in the place of"):
            ask(exchanges, [], 2)


@pytest.mark.usefixtures("at_once")
def test_a_file_that_another_program_holds_is_told_as_such(
    db: Database, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "BUSY_TIMEOUT_MS", 50)
    with exchanging(ledger, db) as exchanges:
        ask(exchanges, [], 1)
        with closing(sqlite3.connect(tmp_path / "mailer.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(BusyError, match="locked by another program") as caught:
                ask(exchanges, [], 1)
            assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
            other.execute("ROLLBACK")
        assert len(ask(exchanges, [], 1).claimed) == 1


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"])
def test_where_it_does_not_start_the_writer_does_the_work(
    db: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr("sys.executable", program)

    with exchanging(ledger, db) as exchanges:
        first = ask(exchanges, [], 5)
        second = ask(exchanges, outcomes(first), 20)

    assert [len(each.claimed) for each in (first, second)] == [5, 8]


@pytest.mark.usefixtures("at_once")
def test_it_imports_nothing_that_lies_in_the_current_folder(
    db: Database, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(tmp_path)

    with exchanging(ledger, db) as exchanges:
        assert len(ask(exchanges, [], 5).claimed) == 5
        assert exchanges.helper is not None
        os.kill(exchanges.helper, 0)
        assert exchanges._process is not None
        assert exchanges._process.ready


def test_it_loads_nothing_that_takes_long() -> None:
    heavy = {"asyncio", "psycopg", "pydantic", "sqlalchemy", "sqlmodel"}
    look = f"import sys, mailer.store.books; print(sorted({heavy!r} & set(sys.modules)))"

    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)

    assert found.stdout == "[]\n"


@pytest.mark.usefixtures("at_once")
def test_when_it_dies_between_two_exchanges_the_next_one_hears_of_it(
    db: Database, ledger: Ledger
) -> None:
    with exchanging(ledger, db) as exchanges:
        claimed = ask(exchanges, [], 2)
        assert exchanges.helper is not None
        os.kill(exchanges.helper, signal.SIGKILL)
        exchanges.loop.run_until_complete(asyncio.sleep(0.2))  # time to hear of it

        for _ in range(2):
            with pytest.raises(StoppedError, match="the ledger has ended"):
                ask(exchanges, outcomes(claimed), 2)


class UnreadableError(Exception):
    """Comes out of a pickle no more."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(one)


@pytest.mark.usefixtures("at_once")
def test_an_answer_that_cannot_be_read_is_an_error_and_no_wait_for_ever(
    db: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exchanging(ledger, db) as exchanges:
        ask(exchanges, [], 2)
        assert exchanges._process is not None
        broken = pickle.dumps(UnreadableError("a", "b"))
        monkeypatch.setattr(exchanges._process, "_hear", lambda: pickle.loads(broken))

        for _ in range(2):
            with pytest.raises(TypeError, match="missing 1 required"):
                ask(exchanges, [], 2)


HALF = """#!{python}
import os, sys, time
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[-1]))
pipe.recv()
pipe.send("ready")
pipe.recv()
os.write(pipe.fileno(), (5000).to_bytes(4, "big") + b"0123456789")
time.sleep(60)
"""


@pytest.mark.usefixtures("at_once")
def test_half_an_answer_does_not_stop_the_loop_for_ever(
    db: Database, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "half"
    program.write_text(HALF.format(python=sys.executable))
    program.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(program))
    monkeypatch.setattr(apart, "_PATIENCE", 1.0)

    with exchanging(ledger, db) as exchanges, pytest.raises(StoppedError, match="has ended"):
        ask(exchanges, [], 2)

"""The writer commits units in groups and answers each after its commit."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection, text

from mailer.errors import StoppedError
from mailer.store.database import Database


def _suppress(number: int) -> str:
    return f"INSERT INTO suppression (hash, reason, at) VALUES (:hash, 'r{number}', '2026-01-01')"


def _unit(number: int):  # type: ignore[no-untyped-def]  # a closure over a connection
    def work(connection: Connection) -> int:
        connection.execute(text(_suppress(number)), {"hash": bytes([number])})
        return number

    return work


def test_a_unit_is_durable_when_it_is_answered(db: Database) -> None:
    assert db.writer.submit(_unit(7)).result(timeout=10) == 7

    with db.read() as connection:
        assert connection.execute(text("SELECT reason FROM suppression")).scalars().all() == ["r7"]


def test_one_failing_unit_does_not_take_its_group_along(db: Database) -> None:
    hold = threading.Event()

    def wait(_: Connection) -> None:
        hold.wait(10)

    blocker = db.writer.submit(wait)  # so that the next three meet in one group
    first, second, third = (db.writer.submit(_unit(n)) for n in (1, 1, 2))
    hold.set()
    blocker.result(timeout=10)

    assert first.result(timeout=10) == 1
    with pytest.raises(Exception, match=r"(?i)unique"):
        second.result(timeout=10)
    assert third.result(timeout=10) == 2
    with db.read() as connection:
        rows = connection.execute(text("SELECT reason FROM suppression ORDER BY reason"))
        assert rows.scalars().all() == ["r1", "r2"]


def test_a_closed_writer_refuses_and_finishes_what_it_had(db: Database) -> None:
    answers = [db.writer.submit(_unit(n)) for n in range(20)]
    db.writer.close()

    assert [answer.result(timeout=0) for answer in answers] == list(range(20))
    with pytest.raises(StoppedError):
        db.writer.submit(_unit(21))

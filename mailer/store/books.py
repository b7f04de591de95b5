"""The ledger's process: does one run's exchanges for the sender, and holds nothing (``apart``).

It imports what the statements need and no more: each library takes its time at the start.
"""

from __future__ import annotations

import signal
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from types import SimpleNamespace
from typing import Any

from mailer.errors import StoppedError
from mailer.store.claims import Ledger
from mailer.store.lanes import Day
from mailer.store.ledger import Accepted, Settled, Settlements
from mailer.store.sqlite_file import SqliteFile, configure
from mailer.store.turn import Turn

READY = "ready"


class Books:
    """The file, a bare connection to it, and one run's ledger."""

    def __init__(self, path: str, ledger: Ledger, busy_timeout: int) -> None:
        self._path = path
        self._ledger = replace(ledger, alone=True)
        self._file = SqliteFile(path)
        self._driver = sqlite3.connect(path, timeout=busy_timeout / 1000)
        configure(self._driver)
        # SQLite checks a state by making a table of all states anew for each row, which takes as
        # long as the rest of an update. Only what ``allow`` lets pass is written here.
        self._driver.execute("PRAGMA ignore_check_constraints = ON")
        # What the statements need of a connection, without the library around it.
        self._bare: Any = SimpleNamespace(
            dialect=SimpleNamespace(name="sqlite"),
            connection=SimpleNamespace(dbapi_connection=self._driver),
        )
        self._turn = Turn(f"{path}-turn")

    def exchange(
        self,
        accepted: list[Accepted],
        others: list[Any],
        want: int,
        now: int,
        limits: Mapping[int, int],
        day: Day | None,
    ) -> tuple[Any, ...]:
        """One exchange, committed."""
        if self._file.replaced():
            raise StoppedError(f"Another database was put in the place of {self._path}.")
        settled = Settlements(accepted, [Settled(*row) for row in others])
        with self._turn, self._transaction():
            return self._ledger.exchange_plainly(
                self._bare, settled, want, now, limits=limits, day=day
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._driver.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._driver.execute("COMMIT")
        except BaseException:
            if self._driver.in_transaction:  # a full disk has rolled it back already
                self._driver.execute("ROLLBACK")
            raise


def serve(pipe: Pipe) -> None:
    """Does exchanges until the pipe ends."""
    books = Books(*pipe.recv())
    pipe.send(READY)
    while True:
        asked = pipe.recv()
        try:
            answer: Any = books.exchange(*asked)
        except Exception as error:  # raised again by whoever asked
            answer = error
        pipe.send(answer)


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # the sender hears them, and ends this by the pipe
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the sender has ended
        serve(Pipe(int(sys.argv[1])))

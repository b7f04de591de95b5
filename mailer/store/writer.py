"""The group-commit writer: one thread a process takes units of work and commits them together.

A commit that survives a power cut costs a sync of the disk, a hundred times a row's own price.
So everybody who writes in small pieces (a send, an unsubscribe, an event from a provider) hands its
piece in here, and is answered after the commit that made it durable.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import Connection

from mailer.errors import StoppedError
from mailer.store.trouble import translated

if TYPE_CHECKING:
    from mailer.store.database import Database

T = TypeVar("T")
GROUP = 256  # units of work in one commit, at most


class _Unit(Generic[T]):
    """One piece of work and the promise of its answer."""

    __slots__ = ("answer", "work")

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.answer: Future[T] = Future()


class _Failed:
    def __init__(self, error: Exception) -> None:
        self.error = error


class Writer:
    """Runs each unit inside the current group's transaction and answers after its commit.

    A unit that raises is rolled back alone (savepoint) and gets its own exception;
    a commit that fails fails the whole group, and every unit of it hears why.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._units: queue.SimpleQueue[_Unit[Any] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Hands in a unit of work. Its future is done when the result is durable."""
        unit = _Unit(work)
        with self._closing:
            if self._closed:
                raise StoppedError("The database was closed.")
            self._units.put(unit)
        return unit.answer

    def close(self) -> None:
        """Finishes what was handed in, then stops."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._units.put(None)
        self._thread.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            group, ending = self._gather()
            if group:
                self._commit(group)

    def _gather(self) -> tuple[list[_Unit[Any]], bool]:
        """Waits for one unit, then takes along whatever else has come in meanwhile."""
        group: list[_Unit[Any]] = []
        unit = self._units.get()
        while unit is not None:
            if unit.answer.set_running_or_notify_cancel():  # nobody waits for a cancelled one
                group.append(unit)
            if len(group) >= GROUP:
                return group, False
            try:
                unit = self._units.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Unit[Any]]) -> None:
        results: list[tuple[_Unit[Any], Any]] = []
        try:
            with self._database.turn, self._database.write() as connection:
                for unit in group:
                    results.append((unit, self._attempt(unit, connection, alone=len(group) == 1)))
        except BaseException as error:  # whatever it was, somebody waits for the answer
            for unit in group:
                unit.answer.set_exception(error)
            return
        for unit, result in results:
            if isinstance(result, _Failed):
                unit.answer.set_exception(result.error)
            else:
                unit.answer.set_result(result)

    def _attempt(self, unit: _Unit[Any], connection: Connection, *, alone: bool) -> Any:
        if alone:  # its failure is the transaction's failure
            return unit.work(connection)
        savepoint = connection.begin_nested()
        try:
            with translated(self._database.shown):
                result = unit.work(connection)
        except Exception as error:  # handed to the one who asked, below
            savepoint.rollback()
            return _Failed(error)
        savepoint.commit()
        return result

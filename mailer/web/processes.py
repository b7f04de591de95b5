"""Keeps several processes serving one listening socket, and replaces them without a gap.

SIGHUP is a reload: new processes start, with the settings, the certificate and the program of now;
when they take connections, the old ones finish what they are answering and end. SIGTERM and SIGINT
let all of them finish, within bounds. One that dies is replaced; while new ones can't start, the
old ones stay.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Protocol

from structlog.typing import FilteringBoundLogger

from mailer.errors import StoppedError

_START_WITHIN = 60.0  # seconds
_STOP_WITHIN = 15.0  # seconds; more than a server takes for answers that are being written
_LOOK = 0.5  # seconds between two looks at the children
_REST = 2.0  # seconds before one that died at once is started again


class Serve(Protocol):
    """What a child does: serves until SIGTERM, and says when it takes connections. Pickled."""

    def __call__(self, tell: Callable[[], None], parent_alive: Callable[[], bool]) -> None: ...


@dataclass(slots=True)
class _Child:
    process: Any
    said: Connection
    born: float
    ready: bool = False


class Processes:
    """So many children that each run ``serve``."""

    def __init__(self, serve: Serve, count: int, log: FilteringBoundLogger) -> None:
        self._serve = serve
        self._count = count
        self._log = log
        self._spawn = multiprocessing.get_context("spawn")  # a fork would keep the old program
        self._children: list[_Child] = []
        self._leaving: list[_Child] = []
        self._signals: list[int] = []
        self._not_before = 0.0

    def run(self, ready: Callable[[], None]) -> None:
        """Runs until SIGINT or SIGTERM; ``ready`` is called once when all take connections.

        Raises StoppedError when they do not start.
        """
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        earlier = {each: signal.signal(each, self._note) for each in _SIGNALS}
        earlier_wake = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        try:
            self._children = self._start(self._count)
            if not self._all_ready(self._children):
                raise StoppedError("The site did not start.", hint="The lines above say why.")
            ready()
            while not self._asked_to_stop():
                self._look(wake)
        finally:
            self._stop([*self._children, *self._leaving])
            signal.set_wakeup_fd(earlier_wake)
            for each, handler in earlier.items():
                signal.signal(each, handler)
            os.close(wake)
            os.close(woken)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _asked_to_stop(self) -> bool:
        return signal.SIGTERM in self._signals or signal.SIGINT in self._signals

    def _start(self, count: int) -> list[_Child]:
        children = []
        for _ in range(count):
            said, say = self._spawn.Pipe(duplex=False)
            process = self._spawn.Process(target=_child, args=(self._serve, say, os.getpid()))
            process.start()
            say.close()
            children.append(_Child(process, said, time.monotonic()))
        return children

    def _all_ready(self, children: list[_Child]) -> bool:
        give_up = time.monotonic() + _START_WITHIN
        while not all(child.ready for child in children):
            if time.monotonic() > give_up or self._asked_to_stop():
                return False
            if any(not child.process.is_alive() for child in children):
                return False
            self._listen(children, 0.1)
        return True

    def _listen(self, children: list[_Child], seconds: float, *more: int) -> None:
        """Hears that children are ready, or have ended; or that a signal came."""
        by_pipe = {child.said: child for child in children if not child.said.closed}
        for heard in pipes.wait([*by_pipe, *more], seconds):
            if isinstance(heard, int):
                os.read(heard, 4096)
                continue
            child = by_pipe[heard]  # type: ignore[index]
            try:
                child.said.recv()
            except (EOFError, OSError):
                child.said.close()
                continue
            child.ready = True

    def _look(self, wake: int) -> None:
        self._listen([*self._children, *self._leaving], _LOOK, wake)
        if signal.SIGHUP in self._signals:
            self._signals.remove(signal.SIGHUP)
            self._reload()
        for child in [each for each in self._leaving if not each.process.is_alive()]:
            self._leaving.remove(child)
            child.said.close()
        dead = [child for child in self._children if not child.process.is_alive()]
        now = time.monotonic()
        if dead and now >= self._not_before:
            for child in dead:
                self._log.error("died", pid=child.process.pid, status=child.process.exitcode)
                self._children.remove(child)
                child.said.close()
            self._not_before = now + _REST
            self._children += self._start(len(dead))

    def _reload(self) -> None:
        self._log.info("reloading")
        fresh = self._start(self._count)
        if not self._all_ready(fresh):
            self._log.error("not_reloaded", message="The new processes did not start.")
            self._stop(fresh)
            return
        old, self._children = self._children, fresh
        for child in old:
            child.process.terminate()
        self._leaving += old
        self._log.info("reloaded")

    def _stop(self, children: list[_Child]) -> None:
        for child in children:
            if child.process.is_alive():
                child.process.terminate()
        give_up = time.monotonic() + _STOP_WITHIN
        for child in children:
            child.process.join(max(0.0, give_up - time.monotonic()))
            if child.process.is_alive():
                child.process.kill()
                child.process.join()
            child.said.close()


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _child(serve: Serve, say: Connection, parent: int) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of a terminal that closes; the parent acts
    serve(lambda: say.send("ready"), lambda: os.getppid() == parent)

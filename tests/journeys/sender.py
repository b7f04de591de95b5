"""A sending process that may be killed, stopped and misled: `mailer campaigns send`, for real.

It is forked from a server that has imported everything, because importing takes longer than a
small send. What misleads it (another boot, another time, a disk that does not sync) is put into
that one process before the command line runs.

::

    python -m tests.journeys.sender FOLDER      # spawned instead of forked, for strace
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

# Imported here so that a forked process has them; the command line itself imports them late.
import mailer.usecases.send_campaign
import mailer.usecases.show_campaign
import mailer.wiring  # noqa: F401
from mailer.adapters.clock import SystemClock
from mailer.cli.main import run
from mailer.settings import without_environment
from mailer.store import apart, recorder
from mailer.store.database import Database

OVER = 240  # seconds: a sender that takes longer hangs, however busy the machine is
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Tricks:
    """What a sender is made to believe."""

    boot: str = ""  # another boot id than this machine's
    ahead: float = 0  # seconds by which its clock is ahead
    jump: float = 0  # seconds by which its clock then jumps
    jump_after: int = 0  # how often it has asked the time by then
    synchronous: str = ""  # what SQLite is told to do instead of FULL
    apart: bool = False  # the ledger's process, from the first exchange on

    def play(self) -> None:
        if self.boot:
            recorder.boot_id = lambda: self.boot
        if self.ahead or self.jump:
            self._bend_clock()
        if self.synchronous:
            self._bend_sync()
        if self.apart:
            _replace(apart, "WORTH_IT", 1)
            _replace(apart, "GRACE", 10.0)

    def _bend_clock(self) -> None:
        asked = 0
        now = SystemClock.now

        def bent(clock: SystemClock) -> datetime:
            nonlocal asked
            asked += 1
            jumped = self.jump if asked > self.jump_after else 0
            return now(clock) + timedelta(seconds=self.ahead + jumped)

        _replace(SystemClock, "now", bent)

    def _bend_sync(self) -> None:
        opened = Database.__init__

        def bent(database: Database, url: Any, **more: Any) -> None:
            opened(database, url, **more)

            @event.listens_for(database.engine, "connect")
            def configure(connection: Any, _record: object) -> None:
                connection.execute(f"PRAGMA synchronous = {self.synchronous}")

        _replace(Database, "__init__", bent)


def _replace(owner: object, name: str, other: object) -> None:
    setattr(owner, name, other)  # in this process only


class Sender:
    """A process that sends the campaign ``crowd`` of a workspace."""

    def __init__(self, folder: Path, tricks: Tricks | None = None) -> None:
        # Elsewhere than the workspace, whose disk may be full.
        self._said = tempfile.NamedTemporaryFile(prefix="mailer-said-")  # noqa: SIM115 - kept
        arguments = (folder, tricks or Tricks(), self._said.name)
        self._process = _server.Process(target=_send, args=arguments)
        self._process.start()

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def helpers(self) -> list[int]:
        """The processes that it has started."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        with suppress(OSError):  # it has ended
            return [int(each) for task in tasks for each in task.read_text().split()]
        return []

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit status; a signal's number below zero."""
        self._process.join(OVER)
        status = self._process.exitcode
        if status is None:
            self._process.kill()
            raise AssertionError(f"the sender did not end within {OVER} s: {self.said}")
        return status

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        return Path(self._said.name).read_text("utf-8", "replace")


def _send(folder: Path, tricks: Tricks, said: str = "") -> None:
    if said:
        out = os.open(said, os.O_WRONLY | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.setpgid(0, 0)  # an interrupt from the keyboard is for the one who started us
    tricks.play()
    words = ["-C", str(folder), "--quiet", "campaigns", "send", "crowd", "--yes"]
    with without_environment():
        sys.exit(run(words))


def wait_until(condition: Any, *, seconds: float = OVER) -> bool:
    """Looks again and again; says whether it came true in time."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.0005)
    return True


if __name__ == "__main__":
    workspace = Path(sys.argv[1])
    (workspace / "pid").write_text(str(os.getpid()))
    _send(workspace, Tricks(synchronous=sys.argv[2] if len(sys.argv) > 2 else ""))

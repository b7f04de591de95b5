"""The ledger's exchanges in a process of their own, beside the one that feeds the wire.

Both want the interpreter all the time: in one process they wait for each other at every call of
SQLite and of a socket, which costs a quarter of all time. The process, ``books``, holds nothing. It
is told each exchange, answers after its commit, and ends when the pipe does. When it dies, the rows
on their way are settled by the flight recorder at the next send, as when the sender itself dies.

SQLite alone has this: a database server works beside us as it is. Until the process is ready, and
where there is none, the group-commit writer does the same work.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from asyncio import AbstractEventLoop
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from socket import SO_RCVTIMEO, SOL_SOCKET, socketpair
from typing import TYPE_CHECKING, Any

from mailer.errors import StoppedError
from mailer.store import books
from mailer.store.claims import Exchange, Ledger
from mailer.store.lanes import Day
from mailer.store.ledger import Settled, Settlements
from mailer.store.sqlite_file import BUSY_TIMEOUT_MS
from mailer.store.trouble import in_our_words

if TYPE_CHECKING:
    from mailer.store.database import Database

WORTH_IT = 1_000  # people left to try: the process takes about a tenth of a second to start
GRACE = 0.0  # seconds that a first exchange waits for it; meanwhile the writer does the work
_PATIENCE = 10.0  # seconds for its end, and for the rest of an answer that has begun


class Exchanges:
    """Has one run's exchanges done, one at a time: here at first, in the process once it is ready.

    A future is done after the commit. Use it as a context manager: its end is the process's, too.
    """

    def __init__(
        self, ledger: Ledger, database: Database, *, left: int, loop: AbstractEventLoop
    ) -> None:
        """``left`` is how many people are left to try. All calls come from the loop's thread."""
        self.loop = loop
        self._ledger = ledger
        self._database = database
        self._process: _Process | None = None
        if database.on_sqlite and left >= WORTH_IT and _several_cores():
            with suppress(OSError):  # where none can be started, the writer goes on
                self._process = _Process(database, ledger, loop)

    @property
    def helper(self) -> int | None:
        """The process's number, when there is one."""
        return None if self._process is None else self._process.number

    def submit(
        self,
        settled: Settlements,
        want: int,
        now: int,
        *,
        limits: Mapping[int, int],
        day: Day | None,
    ) -> Future[Exchange]:
        """As ``Ledger.exchange``. The one before must be done."""
        if self._process is not None and self._process.ready:
            return self._process.submit(settled, want, now, limits, day)
        ledger = self._ledger
        return self._database.writer.submit(
            lambda connection: ledger.exchange(
                connection, settled, want, now, limits=limits, day=day
            )
        )

    def close(self) -> None:
        """Lets a running exchange end, and then the process."""
        if self._process is not None:
            self._process.close()

    def __enter__(self) -> Exchanges:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Process:
    """The sender's half: the process, and the pipe to it.

    Its answers are read on the event loop. A thread that waits for them would want the interpreter
    just when the loop needs it, which costs several microseconds a mail; and an answer comes in
    one piece, so that reading it holds nothing up.
    """

    def __init__(self, database: Database, ledger: Ledger, loop: AbstractEventLoop) -> None:
        """Raises OSError when it can't be started."""
        self._shown = database.shown
        self._loop = loop
        ours, theirs = socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603  # ourselves, and a number
                # "-P": what lies in the current folder is not ours to import.
                [sys.executable, "-P", "-m", books.__name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for the sender, which then ends it in order
            )
            # The loop must not wait for the rest of an answer for ever: then it heard no signal.
            ours.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack("ll", int(_PATIENCE), 0))
            self._pipe = Pipe(ours.detach())
        self._state: bool | None = None  # None: not heard of yet; False: it ended before
        self._asked: Future[Exchange] | None = None
        self._over: Exception | None = None  # why it is not asked any more
        self._tell((database.url.database or "", ledger, BUSY_TIMEOUT_MS))

    @property
    def number(self) -> int:
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it has said so. One that ended before has done nothing, and is not missed."""
        if self._state is None and self._pipe.poll(GRACE):
            try:
                self._state = self._hear() == books.READY
            except StoppedError:  # why is on standard error, which it shares
                self._state = False
            if self._state:
                self._loop.add_reader(self._pipe.fileno(), self._pass_on)
        return self._state is True

    def submit(
        self,
        settled: Settlements,
        want: int,
        now: int,
        limits: Mapping[int, int],
        day: Day | None,
    ) -> Future[Exchange]:
        """Has an exchange done there; what is asked is what ``Ledger.exchange`` is."""
        asked: Future[Exchange] = Future()
        asked.set_running_or_notify_cancel()  # it can't be taken back
        if self._over is not None:
            asked.set_exception(self._over)
            return asked
        self._asked = asked
        others = [_packed(row) for row in settled.others]
        self._tell((settled.accepted, others, want, now, dict(limits), day))
        return asked

    def close(self) -> None:
        self._loop.remove_reader(self._pipe.fileno())
        self._pipe.close()  # it ends by itself, after the exchange that it is at
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _pass_on(self) -> None:
        """Passes an answer on, or that the process has ended: to whoever waits, or asks next."""
        asked, self._asked = self._asked, None
        try:
            answer = self._hear()
        except (
            Exception
        ) as error:  # its end, or an answer that can't be read: nobody waits for ever
            self._loop.remove_reader(self._pipe.fileno())
            answer = self._over = error
        if asked is None:
            return
        if isinstance(answer, Exception):
            told = in_our_words(answer, self._shown)
            if told is not None:
                told.__cause__ = answer
            asked.set_exception(told or answer)
            return
        asked.set_result(Exchange.of(answer))

    def _tell(self, what: object) -> None:
        with suppress(OSError):  # it has ended, and that is what is heard next
            self._pipe.send(what)

    def _hear(self) -> Any:
        try:
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise StoppedError(
                "The process that writes the ledger has ended.",
                hint="Nothing is lost: `mailer campaigns send` continues from the ledger.",
            ) from error


def _several_cores() -> bool:
    return len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else True


def _packed(row: Settled) -> tuple[Any, ...]:
    """Plain, because a pickled object of ours takes ten times as long."""
    kept = None if row.state == "accepted" else row.message_hash
    return (
        *(row.position, row.attempt, row.state, row.cause),
        *(row.reason, row.reply, row.due_at, kept),
    )

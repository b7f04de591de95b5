"""Sends everything that a source yields over several connections, and loses count of nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from mailer.errors import WireError
from mailer.smtp.connection import Connection, Ended, Ending
from mailer.smtp.ears import Ears
from mailer.smtp.exchange import Observer, Outgoing, Source
from mailer.smtp.opening import OpeningError, open_connection
from mailer.smtp.route import Route, Timeouts

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before another try to connect


class Pool:
    """Several connections to one server.

    ``messages`` caps how many one connection carries (0: as many as the server takes), and
    ``lifetime`` for how many seconds it begins new ones (0: no limit).
    ``pauses`` are the waits between tries, once a connection has worked; after the last one the
    run ends with WireError. They also limit how many connections in a row may break without one
    answer.
    """

    def __init__(
        self,
        route: Route,
        *,
        connections: int = 2,
        messages: int = 0,
        lifetime: float = 0,
        timeouts: Timeouts | None = None,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        if connections < 1:
            raise ValueError("a pool needs a connection")
        self.route = route
        self.connections = connections
        self.messages = messages
        self.lifetime = lifetime
        self.timeouts = timeouts or Timeouts()
        self.pauses = tuple(pauses)

    async def run(self, source: Source, observer: Observer) -> None:
        """Sends until ``source.finished``; then every key has had exactly one final observation.

        Raises WireError when the server can't be reached, refuses greeting, TLS or AUTH, or
        breaks one connection after the other; and whatever the source or the observer raises.
        What is on the wire then is still waited for, but nothing more is taken. Cancelling does
        not wait: texts under way are ``lost``, envelopes are ``returned``.
        """
        if source.finished:
            return
        # Elsewhere the transports read, as they do under TLS.
        with Ears() if sys.platform == "linux" else nullcontext() as ears:
            await _Run(self, source, observer, ears).run()


class _Run:
    """One run of a pool. A lane is a task that keeps one connection open while there is work."""

    def __init__(self, pool: Pool, source: Source, observer: Observer, ears: Ears | None) -> None:
        self._pool = pool
        self._ears = ears
        self._source = source
        self._observer = observer
        self._lanes: set[asyncio.Task[None]] = set()
        self._open = 0  # connections that are ready for mail
        self._worked = False  # at least one has been
        self._fruitless = 0  # connections in a row that broke without one answer
        self._taken = 0
        self._dry = False  # the source had nothing when last asked
        self._error: BaseException | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._change: asyncio.Task[None] | None = None

    async def run(self) -> None:
        self._start_lane()
        try:
            while self._lanes:
                await asyncio.wait(self._lanes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = [*self._lanes, *([self._change] if self._change else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._error is not None:
            raise self._error

    # Lanes.

    def _start_lane(self) -> None:
        lane = asyncio.create_task(self._lane())
        self._lanes.add(lane)
        lane.add_done_callback(self._lane_done)

    def _lane_done(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        if not lane.cancelled() and (error := lane.exception()) is not None:
            self._error = self._error or error
            self._finish()

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _done(self) -> bool:
        if self._source.finished:
            self._finish()
        return self._over.done()

    async def _lane(self) -> None:
        while not self._done():
            if self._dry:
                await self._changed(None)
                continue
            connection = await self._ready()
            if connection is None:
                return
            self._open += 1
            try:
                ended = await self._carry(connection)
            finally:
                self._open -= 1
                connection.abort("the run was stopped")
            if connection.answered:
                self._fruitless = 0
            elif ended.fruitless and not await self._may_go_on(ended):
                return

    async def _carry(self, connection: Connection) -> Ended:
        """Sends over one connection until it ends, is full, or was idle for too long."""
        limits = [n for n in (self._pool.messages, connection.machine.features.mailmax) if n]
        limit = min(limits, default=-1)
        lifetime = self._pool.lifetime
        until = asyncio.get_running_loop().time() + lifetime if lifetime else 0.0
        while True:
            ended = await connection.exchange(
                self._take, self._observer, limit=limit, until=until, ears=self._ears
            )
            if ended.ending is not Ending.idle:
                break
            if self._done() or not await self._changed(self._pool.timeouts.idle):
                break
        await connection.quit()
        return ended

    async def _may_go_on(self, ended: Ended) -> bool:
        """Waits longer and longer for a server that breaks every connection, then gives up.

        False: the run goes on over the other connections.
        """
        self._fruitless += 1
        if self._fruitless <= len(self._pool.pauses):
            await self._pause(self._pool.pauses[self._fruitless - 1])
            return True
        if self._open:
            return False
        raise WireError(
            f"The mail server {self._pool.route} breaks off again and again and takes no mail: "
            f"{ended.why}.",
            hint="Run the same command again later; what was not sent is still to be sent.",
        )

    async def _ready(self) -> Connection | None:
        """Opens a connection. None: the run is over, or goes on over the other connections."""
        tries = 0
        while not self._over.done():
            try:
                connection = await self._opened()
            except OpeningError as error:
                hopeless = not (error.temporary and self._worked)
                if hopeless or tries >= len(self._pool.pauses):
                    if self._open:
                        return None
                    raise
            else:
                self._worked = True
                return connection
            await self._pause(self._pool.pauses[tries])
            tries += 1
        return None

    async def _opened(self) -> Connection | None:
        """Opens a connection, or gives up as soon as the run is over."""
        opening = asyncio.create_task(open_connection(self._pool.route, self._pool.timeouts))
        try:
            await self._first(opening)
            return opening.result() if opening.done() else None
        finally:
            if not opening.done():
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)

    # The source.

    def _take(self) -> Outgoing | None:
        if self._over.done():
            return None
        outgoing = self._source.take()
        self._dry = outgoing is None
        if outgoing is not None:
            self._taken += 1
            if self._taken == 2:  # more than one connection's work
                for _ in range(1, self._pool.connections):
                    self._start_lane()
        return outgoing

    async def _changed(self, seconds: float | None) -> bool:
        """Waits for the source, or for the end of the run; False when it took too long."""
        if self._change is None:
            self._change = asyncio.create_task(self._source.changed())
        change = self._change
        await self._first(change, seconds)
        if not change.done():
            return self._over.done()
        if self._change is change:
            self._change = None
            self._dry = False
        change.result()
        return True

    async def _pause(self, seconds: float) -> None:
        await asyncio.wait({self._over}, timeout=seconds)

    async def _first(self, task: asyncio.Task[Any], seconds: float | None = None) -> None:
        """Waits for a task, but not longer than the run lasts."""
        either: set[asyncio.Future[Any]] = {task, self._over}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

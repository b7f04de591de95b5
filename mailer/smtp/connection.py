"""Carries the protocol machine over a socket: one connection, from its first byte to its last."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TypeVar

from mailer.model.words import Stage
from mailer.smtp.ears import Ears
from mailer.smtp.envelope import Prepared, prepare
from mailer.smtp.events import Answered, Broken, Closing, End, Event, Lost, Replied, Returned
from mailer.smtp.exchange import Observer, Outgoing
from mailer.smtp.protocol import Machine
from mailer.smtp.route import Timeouts

_BUFFER = 16384  # replies are short; a read makes no larger buffer of its own
_TLS_OVERHEAD = 64  # header and tag of the record that holds a dot

_Told = TypeVar("_Told")


class Ending(StrEnum):
    """Why an exchange came to its end."""

    idle = "idle"  # nothing to send now; the connection is open
    full = "full"  # as many transactions, or as old, as it may be; the connection is open
    withdrawn = "withdrawn"  # a text was not to be sent after all, so we closed it
    closed = "closed"  # the server closed it, or is about to
    broken = "broken"  # it can't be trusted any more: garbage, silence, a network fault


@dataclass(frozen=True, slots=True)
class Ended:
    """How an exchange ended."""

    ending: Ending
    why: str = ""
    fruitless: bool = False  # envelopes went out, and the server answered for none of them


class Connection(asyncio.BufferedProtocol):
    """One SMTP connection.

    ``ask`` speaks single commands; ``exchange`` sends whatever there is. In an exchange all work
    is done in the loop's callbacks: no task, no future and no timer is made for a mail. A write
    follows nothing but a read, so what waits in the transport is at most one text and one
    envelope, and while the transport is full nothing is added.
    """

    def __init__(self, timeouts: Timeouts, *, deaf: bool = False) -> None:
        self.machine = Machine()
        self.timeouts = timeouts
        self.transport: asyncio.Transport | None = None
        self._limits = {stage: timeouts.of(stage) for stage in (*Stage, None)}
        self._loop = asyncio.get_running_loop()
        self._view = memoryview(bytearray(_BUFFER))
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._reply: asyncio.Future[Replied] | None = self._loop.create_future()
        self._exchange: asyncio.Future[Ended] | None = None
        self._ended: Ended | None = None
        self._take: Callable[[], Outgoing | None] | None = None
        self._observer: Observer | None = None
        self._held: Prepared | None = None  # taken, rendered, and not given to the machine yet
        self._deaf = deaf  # not a byte is read before TLS
        self._left = -1  # transactions that may still begin; negative: no limit
        self._ears: Ears | None = None  # hears for us while mail is sent
        self._socket = -1  # what they listen to
        self._sent = 0
        self._until = 0.0  # the loop's time after which no transaction begins; 0: no limit
        self.answered = False  # the server has answered for an envelope, by more than a 421
        self._paused = False
        self._unsent = 0
        self._overhead = 0  # bytes in the transport that may be TLS's own
        self._deadline = 0.0
        self._watch: asyncio.TimerHandle | None = None

    # Single commands.

    async def ask(self, stage: Stage, line: bytes) -> Replied:
        """Sends a command and waits for its answer.

        Raises TimeoutError, or ConnectionError when the connection ends or makes no sense.
        """
        if self._ended or self.transport is None:
            raise ConnectionError(self._ended.why if self._ended else "it is not open")
        if not self.machine.quiet:
            raise ConnectionError("it said more than it was asked")
        self._reply = self._loop.create_future()
        self.transport.write(self.machine.command(stage, line))
        return await self.answer(self.timeouts.of(stage))

    async def answer(self, seconds: float) -> Replied:
        """Waits for the answer that is awaited: after connecting, the greeting."""
        if self._reply is None:
            raise ValueError("nothing was asked")
        async with asyncio.timeout(seconds):
            return await self._reply

    async def quit(self) -> None:
        """Says goodbye if that is still possible, and closes the connection."""
        if self._ended is None and self.machine.quiet and not self.machine.closed:
            try:
                async with asyncio.timeout(self.timeouts.quit):
                    await self.ask(Stage.session, b"QUIT\r\n")
                    if self.transport is not None:
                        self.transport.close()
                    await self._gone
            except OSError:  # too late to matter: everything has its answer
                pass
        self.abort("it is closed")

    def abort(self, why: str) -> None:
        """Drops the connection at once. What is under way is reported as returned or lost."""
        self._end(Ended(Ending.broken, why))

    # Many messages.

    async def exchange(
        self,
        take: Callable[[], Outgoing | None],
        observer: Observer,
        *,
        limit: int = -1,
        until: float = 0.0,
        ears: Ears | None = None,
    ) -> Ended:
        """Sends what ``take`` yields, until it yields nothing or the connection ends.

        ``limit`` is how many transactions the connection may carry in its life, and ``until`` the
        loop's time after which it begins none but the first. Whatever was taken has had its final
        observation when this returns or raises. ``ears`` hear for it meanwhile, if it is in the
        clear.
        """
        if self._ended:
            return self._ended
        if limit >= 0:
            self._left = max(0, limit - self._sent)
        self._take, self._observer, self._until = take, observer, until
        self._exchange = self._loop.create_future()
        self._listen(ears)
        self._wait_for(self._limits[Stage.mail])
        self._guard(self._pump)
        if not self._exchange.done():
            self._look()
        try:
            return await self._exchange
        finally:
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None
            self._exchange = None
            self._hear_oneself()

    def _pump(self) -> None:
        """Writes what the machine wants: at most one write."""
        machine = self.machine
        if self._ended or self._paused or self._exchange is None or self._exchange.done():
            return
        if machine.wants_text:
            if machine.features.pipelining:
                self._held = self._next()
            # The last word before the text: after it, no answer means that nobody knows.
            if self._observer is None or not self._observer.started(machine.key):
                self._end(Ended(Ending.withdrawn, "its text is not to be sent"))
                return
            following, self._held = self._held, None
            out = machine.text(following)
        else:
            out = machine.due()
            if machine.free and (following := self._next()) is not None:
                out += machine.envelope(following)
        if out and self.transport is not None:
            self.transport.write(out)
        elif machine.quiet:
            self._exchange.set_result(Ended(Ending.idle if self._left else Ending.full))

    def _next(self) -> Prepared | None:
        """Takes and renders the next message; what can't be sent here is answered on the spot."""
        if self._until and self._sent and self._loop.time() >= self._until:
            self._left = 0
        if not self._left or self._take is None or self._observer is None:
            return None
        while (outgoing := self._take()) is not None:
            try:
                prepared = prepare(outgoing, self.machine.features)
            except BaseException:
                self._observer.returned(outgoing.key, Stage.mail, "it could not be rendered")
                raise
            if isinstance(prepared, Prepared):
                self._left -= 1
                self._sent += 1
                return prepared
            self._observer.answered(*prepared)
        return None

    def _hear(self, event: Event) -> None:
        if type(event) is Answered:
            self.answered = self.answered or event.reply.code != 421
            if self._observer is not None:
                self._observer.answered(*event)
        elif type(event) is Replied:
            if self._reply is not None and not self._reply.done():
                self._reply.set_result(event)
        elif type(event) is Closing:
            self._end(Ended(Ending.closed, f"it said {event.reply}"))
        elif type(event) is Broken:
            self._end(Ended(Ending.broken, event.why))

    # How it ends.

    def _end(self, ended: Ended) -> None:
        """Closes the connection without another byte and reports what was under way."""
        if self._ended:
            return
        ends = self.machine.close()
        if self._held is not None:
            ends.append(Returned(self._held.key, Stage.mail))
            self._held = None
        if self._sent and not self.answered and ended.ending is not Ending.withdrawn:
            ended = replace(ended, fruitless=True)
        self._ended = ended
        if self.transport is not None:
            self._hear_oneself()
            self.transport.abort()
        try:
            self._tell(partial(self._report, ended.why), ends)
        finally:
            if self._reply is not None and not self._reply.done():
                self._reply.set_exception(ConnectionError(ended.why))
                self._reply.exception()  # there need not be anybody who waits for it
        if self._exchange is not None and not self._exchange.done():
            self._exchange.set_result(ended)

    def _report(self, why: str, end: End) -> None:
        if self._observer is None:
            return
        if type(end) is Lost:
            self._observer.lost(end.key, why)
        elif type(end) is Returned:
            self._observer.returned(end.key, end.stage, why)

    @staticmethod
    def _tell(hear: Callable[[_Told], None], what: Sequence[_Told]) -> None:
        """Passes on all of it, even when one can't be taken; then raises what that one raised."""
        error: Exception | None = None
        for item in what:
            try:
                hear(item)
            except Exception as raised:  # the others must still have their observation
                error = error or raised
        if error is not None:
            raise error

    def _guard(self, work: Callable[[], None]) -> None:
        """Does our side's work; what a source or an observer raises ends the exchange with it."""
        try:
            work()
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Whatever it is, it belongs to whoever awaits the exchange."""
        exchange = self._exchange
        if exchange is None or exchange.done():
            raise error
        exchange.set_exception(error)
        self._end(Ended(Ending.broken, "our side failed"))

    # How long it may take.

    def _wait_for(self, seconds: float) -> None:
        """Moves the deadline. The timer moves along only to an earlier one: it looks again."""
        self._deadline = deadline = self._loop.time() + seconds
        if self._watch is not None and deadline < self._watch.when():
            self._watch.cancel()
            self._watch = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        """Looks if an answer is overdue. There is one timer, and none is made for a mail."""
        if self._paused and self.transport is not None:
            before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
            if self._unsent < before:
                self._wait_for(self.timeouts.block)
        if self._loop.time() < self._deadline:
            self._watch = self._loop.call_at(self._deadline, self._look)
            return
        stage = self.machine.awaiting or Stage.data
        what = "the text does not leave" if self._paused else f"it did not answer at {stage}"
        self._end(Ended(Ending.broken, f"{what} within the time for it"))

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        if self._ended:  # given up while it was being opened
            transport.abort()
            return
        if self._deaf:
            transport.pause_reading()
        self.adopt(transport)

    def adopt(self, transport: asyncio.Transport) -> None:
        """Goes on over this transport: the first one, or TLS over it."""
        self.transport = transport
        self._overhead = _TLS_OVERHEAD if transport.get_extra_info("ssl_object") else 0
        # Low enough that "paused" means: not everything has left. (Zero confuses TLS.)
        transport.set_write_buffer_limits(high=1, low=0)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        self._heard(bytes(self._view[:nbytes]))

    def _heard(self, data: bytes) -> None:
        try:
            unsent = self.transport.get_write_buffer_size() if self.transport else 0
            events = self.machine.receive(data, unsent - self._overhead)
            if len(events) == 1:
                self._hear(events[0])
            else:
                self._tell(self._hear, events)
            if self._exchange is not None:
                self._pump()
                if not self._paused:
                    self._wait_for(self._limits[self.machine.awaiting])
        except Exception as error:  # see ``_guard``: written out, because each mail comes here
            self._failed(error)

    def _listen(self, ears: Ears | None) -> None:
        """Lets them read instead of the transport, which could only do it at greater cost."""
        transport = self.transport
        if ears is None or transport is None or transport.is_closing():
            return
        if transport.get_extra_info("ssl_object") is not None:
            return
        transport.pause_reading()
        self._ears, self._socket = ears, transport.get_extra_info("socket").fileno()
        ears.listen(self._socket, self._read)

    def _hear_oneself(self) -> None:
        """Has the transport read again."""
        if self._ears is None or self.transport is None:
            return
        self._ears.leave(self._socket)
        self._ears = None
        self.transport.resume_reading()

    def _read(self) -> None:
        """One read of what waits. An end is the transport's to find and to tell."""
        data = b""
        try:
            if self.transport is not None and not self.transport.is_closing():
                data = os.read(self._socket, _BUFFER)
        except BlockingIOError:
            return
        except OSError as error:
            self._guard(partial(self._end, Ended(Ending.closed, f"the connection broke ({error})")))
            return
        if data:
            self._heard(data)
        else:
            self._hear_oneself()

    def pause_writing(self) -> None:
        self._paused = True
        self._unsent = self.transport.get_write_buffer_size() if self.transport else 0
        self._wait_for(self.timeouts.block)

    def resume_writing(self) -> None:
        self._paused = False
        self._wait_for(self._limits[self.machine.awaiting])
        self._guard(self._pump)

    def connection_lost(self, exc: Exception | None) -> None:
        why = f"the connection broke ({exc})" if exc else "it closed the connection"
        self._guard(partial(self._end, Ended(Ending.closed, why)))
        if not self._gone.done():
            self._gone.set_result(None)

"""One connection: one write a letter, marks before texts, and no byte while the way is full."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from mailer.model.words import Reply, Stage
from mailer.smtp.connection import Connection, Ended, Ending
from mailer.smtp.exchange import Outgoing
from mailer.smtp.replies import Features
from mailer.smtp.route import Timeouts
from tests.wire import PATIENT, Outbox, letter

AFTER_MAIL = b"250 a\r\n250 b\r\n354 c\r\n"
STEADY = b"250 taken\r\n" + AFTER_MAIL


class Wire(asyncio.Transport):
    """A transport that keeps what is written and holds it back when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.unsent = 0
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.aborted
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


class Bench:
    """A connection on a bench: the test plays the server, byte for byte."""

    def __init__(self, timeouts: Timeouts = PATIENT, *, pipelining: bool = True) -> None:
        self.wire = Wire()
        self.connection = Connection(timeouts)
        self.connection.connection_made(self.wire)
        self.say(b"220 hello\r\n")
        self.connection.machine.features = Features(pipelining=pipelining)

    def say(self, data: bytes) -> None:
        view = self.connection.get_buffer(-1)
        view[: len(data)] = data
        self.connection.buffer_updated(len(data))

    def send(self, outbox: Outbox, limit: int = -1) -> asyncio.Task[Ended]:
        exchange = self.connection.exchange(outbox.take, outbox, limit=limit)
        return asyncio.ensure_future(exchange)


def on_the_bench(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 20))

    run.__name__ = test.__name__
    return run


def sent(key: int) -> bytes:
    return letter(key) + b".\r\n"


def envelope(key: int) -> bytes:
    return b"MAIL FROM:<news@example.org>\r\nRCPT TO:<r%d@example.net>\r\nDATA\r\n" % key


@on_the_bench
async def test_each_letter_costs_one_write() -> None:
    bench, outbox = Bench(), Outbox(4)
    exchange = bench.send(outbox)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)
    for _ in range(3):
        bench.say(STEADY)
    bench.say(b"250 taken\r\n")

    assert await exchange == Ended(Ending.idle)
    assert bench.wire.writes == [
        envelope(1),
        sent(1) + envelope(2),
        sent(2) + envelope(3),
        sent(3) + envelope(4),
        sent(4),
    ]
    assert outbox.accepted == [1, 2, 3, 4]


@on_the_bench
async def test_a_mark_is_made_before_the_text_and_after_the_next_one_is_ready() -> None:
    bench, outbox = Bench(), Outbox(2)
    order: list[str] = []

    class Watching(Outbox):
        def take(self) -> Outgoing | None:
            taken = outbox.take()
            order.append(f"take {taken.key if taken else None}")
            return taken

        def started(self, key: int) -> bool:
            order.append(f"started {key}, written {len(bench.wire.writes)}")
            return outbox.started(key)

    watching = Watching()
    exchange = asyncio.ensure_future(bench.connection.exchange(watching.take, watching))
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)

    assert order == ["take 1", "take 2", "started 1, written 1"]
    assert len(bench.wire.writes) == 2
    exchange.cancel()


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_text_that_is_withheld_closes_the_connection_without_a_dot(pipelining: bool) -> None:
    async def run() -> None:
        bench, outbox = Bench(pipelining=pipelining), Outbox(2)
        outbox.withheld = {1}
        exchange = bench.send(outbox)
        await asyncio.sleep(0)
        for line in AFTER_MAIL.splitlines(keepends=True):
            bench.say(line)
        ended = await exchange

        assert ended.ending is Ending.withdrawn
        assert not ended.fruitless
        assert bench.wire.aborted
        assert b"".join(bench.wire.writes) == envelope(1)
        assert outbox.words(1) == "returned data"
        assert outbox.returns[1:] == ([(2, Stage.mail, ended.why)] if pipelining else [])

    asyncio.run(run())


@on_the_bench
async def test_no_envelope_runs_ahead_when_there_is_none() -> None:
    bench, outbox = Bench(), Outbox(1)
    outbox.open = True
    exchange = bench.send(outbox)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)

    assert bench.wire.writes[1] == sent(1)
    outbox.add([2])
    bench.say(b"250 taken\r\n")
    assert bench.wire.writes[2] == envelope(2)
    exchange.cancel()


@on_the_bench
async def test_no_more_letters_than_allowed() -> None:
    bench, outbox = Bench(), Outbox(3)
    exchange = bench.send(outbox, limit=2)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)
    bench.say(STEADY)

    assert bench.wire.writes[-1] == sent(2)
    bench.say(b"250 taken\r\n")
    assert await exchange == Ended(Ending.full)
    assert not bench.wire.aborted
    assert await bench.send(outbox, limit=2) == Ended(Ending.full)
    assert outbox.accepted == [1, 2]


@on_the_bench
async def test_nothing_is_added_while_the_way_is_full() -> None:
    bench, outbox = Bench(), Outbox(3)
    exchange = bench.send(outbox)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)
    bench.wire.unsent = len(envelope(2))
    bench.connection.pause_writing()
    bench.say(STEADY)

    assert len(bench.wire.writes) == 2
    bench.wire.unsent = 0
    bench.connection.resume_writing()
    assert bench.wire.writes[2] == sent(2) + envelope(3)
    exchange.cancel()


@on_the_bench
async def test_a_text_that_does_not_leave_breaks_the_connection() -> None:
    bench = Bench(replace(PATIENT, block=0.05))
    outbox = Outbox(1)
    exchange = bench.send(outbox)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)
    bench.wire.unsent = 500
    bench.connection.pause_writing()
    ended = await exchange

    assert ended.why == "the text does not leave within the time for it"
    assert outbox.words(1) == "lost"


@on_the_bench
async def test_a_text_that_leaves_slowly_has_all_the_time_it_needs() -> None:
    bench = Bench(replace(PATIENT, block=0.6, dot=0.6))
    outbox = Outbox(1)
    exchange = bench.send(outbox)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)
    bench.wire.unsent = 500
    bench.connection.pause_writing()
    for _ in range(30):
        await asyncio.sleep(0.03)
        bench.wire.unsent -= 10
    assert not exchange.done()
    bench.wire.unsent = 0
    bench.connection.resume_writing()
    bench.say(b"250 taken\r\n")

    assert (await exchange).ending is Ending.idle
    assert outbox.accepted == [1]


@on_the_bench
async def test_a_rendering_that_fails_gives_back_what_was_taken_and_raises() -> None:
    def body(key: int) -> bytes:
        if key == 2:
            raise LookupError("no such field")
        return letter(key)

    bench, outbox = Bench(), Outbox(3, body=body)
    exchange = bench.send(outbox)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)
    with pytest.raises(LookupError):
        await exchange

    assert outbox.words(1) == "returned data"
    assert outbox.words(2) == "returned mail"
    assert not outbox.in_hand
    assert bench.wire.aborted
    assert not outbox.starts


@on_the_bench
async def test_an_observer_that_fails_still_hears_of_all_others() -> None:
    class Failing(Outbox):
        def answered(self, key: int, stage: Stage, reply: Reply) -> None:
            super().answered(key, stage, reply)
            if key == 1:
                raise LookupError("the ledger is gone")

    bench, outbox = Bench(), Failing(3)
    exchange = bench.send(outbox)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)
    bench.say(b"250 taken\r\n550 not this one\r\n")
    with pytest.raises(LookupError):
        await exchange

    assert outbox.words(1) == "answered dot 250"
    assert outbox.words(2) == "answered mail 550"
    assert not outbox.in_hand


@on_the_bench
async def test_a_connection_that_is_cut_off_says_so() -> None:
    bench, outbox = Bench(), Outbox(3)
    exchange = bench.send(outbox)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)
    bench.connection.connection_lost(ConnectionResetError("reset by peer"))
    ended = await exchange

    assert ended == Ended(Ending.closed, "the connection broke (reset by peer)", fruitless=True)
    assert outbox.words(1) == "lost"
    assert outbox.words(2) == "returned mail"
    assert await bench.send(outbox) == ended
    with pytest.raises(ConnectionError, match="reset by peer"):
        await bench.connection.ask(Stage.session, b"NOOP\r\n")


@on_the_bench
async def test_a_cancelled_exchange_accounts_for_everything() -> None:
    bench, outbox = Bench(), Outbox(3)
    exchange = bench.send(outbox)
    await asyncio.sleep(0)
    bench.say(AFTER_MAIL)
    exchange.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exchange
    bench.connection.abort("stopped")

    assert outbox.words(1) == "lost"
    assert outbox.words(2) == "returned mail"


@on_the_bench
async def test_what_a_server_can_not_take_is_answered_without_a_byte() -> None:
    bench, outbox = Bench(), Outbox(3)
    bench.connection.machine.features = Features(pipelining=True, size=len(letter(1)))
    outbox.body = lambda key: letter(key, b"Long\r\n" * (9 if key != 3 else 1))
    exchange = bench.send(outbox)
    await asyncio.sleep(0)

    assert outbox.words(1) == outbox.words(2) == "answered mail 552"
    assert len(bench.wire.writes) == 1
    assert b"RCPT TO:<r3@example.net>" in bench.wire.writes[0]
    exchange.cancel()


@on_the_bench
async def test_a_server_that_says_more_than_it_was_asked_is_not_asked_again() -> None:
    bench = Bench()
    bench.say(b"250 and")
    with pytest.raises(ConnectionError, match="more than it was asked"):
        await bench.connection.ask(Stage.ehlo, b"EHLO x\r\n")


@on_the_bench
async def test_a_transport_that_comes_too_late_is_closed() -> None:
    connection, wire = Connection(PATIENT), Wire()
    connection.abort("not needed any more")
    connection.connection_made(wire)

    assert wire.aborted
    assert connection.transport is None

"""A pool sends everything, opens no more connections than it needs, and ends for a said reason."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from mailer.errors import WireError
from mailer.model.words import Reply, Stage
from mailer.smtp.exchange import Outgoing
from mailer.smtp.pool import Pool
from mailer.smtp.route import Route, Security, Timeouts
from tests.smtpd import Smtpd, drop, say, stall
from tests.wire import PATIENT, Outbox, letter

PAUSES = (0.01,) * 4


def pool(
    server: Smtpd,
    *,
    connections: int = 1,
    messages: int = 0,
    timeouts: Timeouts = PATIENT,
    pauses: Sequence[float] = PAUSES,
) -> Pool:
    route = Route(server.host, server.port, Security.none)
    return Pool(route, connections=connections, messages=messages, timeouts=timeouts, pauses=pauses)


def send(wire: Pool, outbox: Outbox) -> None:
    asyncio.run(asyncio.wait_for(wire.run(outbox, outbox), 30))


async def until(seen: Callable[[], bool]) -> None:
    """Waits for what a server in another thread, or the run itself, will have done."""
    for _ in range(4000):
        if seen():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never happened")


def everybody(count: int) -> list[str]:
    return sorted(f"r{key}@example.net" for key in range(1, count + 1))


# Sending.


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("connections", [1, 5])
def test_everything_arrives_once_and_byte_for_byte(connections: int, pipelining: bool) -> None:
    outbox = Outbox(300, body=lambda key: letter(key, b".\r\n..\r\n.x\r\n" * (key % 3)))
    with Smtpd(pipelining=pipelining) as server:
        send(pool(server, connections=connections), outbox)

    assert outbox.accepted == list(range(1, 301))
    assert sorted(server.recipients) == everybody(300)
    got = {mail.recipients[0]: mail.data for mail in server.accepted}
    assert got == {outbox.recipients[key]: outbox.body(key) for key in outbox.accepted}
    assert server.connections == connections
    assert len(server.lines("QUIT")) == connections


def test_a_large_text_passes_through_a_full_buffer() -> None:
    body = letter(1, b"." * 70 + b"\r\n") + b"x" * 70 + b"\r\n"
    large = body * 40_000
    outbox = Outbox(2, body=lambda key: large)
    with Smtpd() as server:
        send(pool(server), outbox)

    assert [mail.data == large for mail in server.accepted] == [True, True]


def test_one_letter_opens_one_connection() -> None:
    outbox = Outbox(1)
    outbox.open = True

    async def run(wire: Pool, server: Smtpd) -> None:
        running = asyncio.ensure_future(wire.run(outbox, outbox))
        await until(lambda: len(outbox.finals) == 1)
        await asyncio.sleep(0.1)
        assert server.connections == 1
        outbox.close()
        await running

    with Smtpd() as server:
        asyncio.run(asyncio.wait_for(run(pool(server, connections=8), server), 20))

    assert outbox.accepted == [1]


def test_nothing_to_send_opens_none() -> None:
    with Smtpd() as server:
        send(pool(server), Outbox(0))

    assert server.connections == 0


def test_what_comes_late_is_sent_over_the_open_connections() -> None:
    outbox = Outbox(3)
    outbox.open = True

    async def run(wire: Pool) -> None:
        running = asyncio.ensure_future(wire.run(outbox, outbox))
        await until(lambda: len(outbox.finals) == 3)
        outbox.add([4, 5])
        await until(lambda: len(outbox.finals) == 5)
        assert not running.done()
        outbox.close()
        await running

    with Smtpd() as server:
        asyncio.run(asyncio.wait_for(run(pool(server, connections=2)), 20))

    assert outbox.accepted == [1, 2, 3, 4, 5]
    assert server.connections <= 2


def test_an_idle_connection_is_closed_and_opened_again_when_needed() -> None:
    outbox = Outbox(1)
    outbox.open = True

    async def run(wire: Pool, server: Smtpd) -> None:
        running = asyncio.ensure_future(wire.run(outbox, outbox))
        await until(lambda: bool(server.lines("QUIT")))
        await asyncio.sleep(0.2)
        assert server.connections == 1
        outbox.add([2])
        outbox.close()
        await running

    with Smtpd() as server:
        wire = pool(server, timeouts=replace(PATIENT, idle=0.05))
        asyncio.run(asyncio.wait_for(run(wire, server), 20))

    assert outbox.accepted == [1, 2]
    assert server.connections == 2


def test_a_cap_on_messages_is_kept() -> None:
    outbox = Outbox(7)
    with Smtpd() as server:
        send(pool(server, messages=3), outbox)

    assert outbox.accepted == list(range(1, 8))
    assert [mail.connection for mail in server.accepted] == [1, 1, 1, 2, 2, 2, 3]
    assert not outbox.returns


def test_the_server_s_own_cap_is_kept() -> None:
    outbox = Outbox(5)
    with Smtpd(offers=["LIMITS MAILMAX=2 RCPTMAX=1"]) as server:
        send(pool(server, messages=4), outbox)

    assert [mail.connection for mail in server.accepted] == [1, 1, 2, 2, 3]


# Connections that end.


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("goodbye", [(), ("421 4.7.0 Enough for one connection",)])
def test_a_server_that_closes_between_letters_is_met_again(
    goodbye: tuple[str, ...], pipelining: bool
) -> None:
    outbox = Outbox(7, again=True)
    with Smtpd(pipelining=pipelining) as server:
        for nth in (2, 4):
            server.at("dot", drop("250 2.0.0 Taken", *goodbye, takes=True), nth=nth)
        send(pool(server), outbox)

    # An envelope that ran ahead has the 421 for its answer, because replies go by order.
    told = [key for key in outbox.finals if outbox.words(key) == "answered mail 421"]
    assert told == ([3, 6] if goodbye and pipelining else [])
    assert outbox.accepted == [key for key in range(1, 8) if key not in told]
    assert len(server.recipients) == len(set(server.recipients)) == len(outbox.accepted)
    assert server.connections == 3
    assert {stage for _, stage, _ in outbox.returns} <= {Stage.mail}


def test_a_server_that_always_breaks_off_ends_the_run() -> None:
    outbox = Outbox(50, again=True)
    message = r"breaks off again and again.*it closed"
    with Smtpd().at("mail", drop()) as server, pytest.raises(WireError, match=message) as raised:
        send(pool(server), outbox)

    assert raised.value.hint
    assert raised.value.exit_status == 75
    assert not outbox.in_hand
    assert not outbox.finals
    assert server.connections == len(PAUSES) + 1


def test_a_server_that_takes_a_mail_now_and_then_is_borne_with() -> None:
    outbox = Outbox(3, again=True)
    with Smtpd().at("dot", drop("250 2.0.0 Taken", takes=True)) as server:
        for nth in (1, 2, 4, 5, 7, 8):
            server.at("mail", drop(), nth=nth)
        send(pool(server, pauses=(0.01, 0.01)), outbox)

    assert outbox.accepted == [1, 2, 3]
    assert server.connections == 9


def test_a_server_that_swallows_every_text_loses_a_few_and_not_a_list() -> None:
    outbox = Outbox(50, again=True)
    with Smtpd().at("dot", drop()) as server, pytest.raises(WireError):
        send(pool(server), outbox)

    assert [final.what for final in outbox.finals.values()] == ["lost"] * (len(PAUSES) + 1)
    assert not server.accepted


def test_421_for_everybody_ends_the_run_with_the_server_s_sentence() -> None:
    outbox = Outbox(50, again=True)
    with (
        Smtpd().at("mail", drop("421 4.7.28 Too fast")) as server,
        pytest.raises(WireError, match=r"421 4\.7\.28 Too fast"),
    ):
        send(pool(server), outbox)

    assert {outbox.words(key) for key in outbox.finals} == {"answered mail 421"}
    assert len(outbox.finals) == len(PAUSES) + 1
    assert server.connections == len(PAUSES) + 1


def test_one_connection_in_trouble_does_not_hold_the_others() -> None:
    outbox = Outbox(40, again=True)
    with Smtpd().at("dot", stall(), nth=1) as server:
        send(pool(server, connections=3, timeouts=replace(PATIENT, dot=1.5)), outbox)

    lost = [key for key in outbox.finals if outbox.words(key) == "lost"]
    assert len(lost) == 1
    assert len(outbox.accepted) == 39
    assert len(server.recipients) == 39


def test_a_connection_that_always_breaks_does_not_end_what_another_one_does() -> None:
    outbox = Outbox(40, again=True)
    with Smtpd().at("mail", drop(), beyond=1) as server:
        send(pool(server, connections=3, pauses=(0.001,)), outbox)

    assert outbox.accepted == list(range(1, 41))
    assert {mail.connection for mail in server.accepted} == {1}


def test_fewer_connections_than_asked_for_are_enough() -> None:
    outbox = Outbox(60)
    refusal = drop("421 4.7.0 Too many connections from you")
    with Smtpd().at("greeting", say("220 smtpd.test"), nth=1).at("greeting", refusal) as server:
        send(pool(server, connections=4, pauses=(0.001,)), outbox)

    assert outbox.accepted == list(range(1, 61))
    assert {mail.connection for mail in server.accepted} == {1}


def test_a_server_that_comes_back_is_met_again() -> None:
    outbox = Outbox(4, again=True)
    away = drop("421 4.3.2 Restarting")
    with Smtpd() as server:
        server.at("dot", drop("250 2.0.0 Taken", takes=True), nth=2)
        server.at("greeting", away, nth=2).at("greeting", drop(), nth=3)
        send(pool(server), outbox)

    assert outbox.accepted == [1, 2, 3, 4]
    assert server.connections == 4


def test_a_server_that_stays_away_ends_the_run() -> None:
    outbox = Outbox(10)
    with Smtpd() as server:
        server.at("dot", drop("250 2.0.0 Taken", takes=True), nth=2)
        server.at("greeting", say("220 smtpd.test"), nth=1)
        server.at("greeting", drop("421 4.3.2 Down for today"))
        with pytest.raises(WireError, match="Down for today"):
            send(pool(server), outbox)

    assert outbox.accepted == [1, 2]
    assert not outbox.in_hand
    assert server.connections == 2 + len(PAUSES)


def test_a_server_that_is_not_there_ends_the_run_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    outbox = Outbox(3)
    wire = Pool(Route("127.0.0.1", port, Security.none), connections=3, pauses=(60.0,))
    with pytest.raises(WireError, match=rf"127\.0\.0\.1:{port}: nothing listens there"):
        send(wire, outbox)

    assert not outbox.finals
    assert not outbox.in_hand


def test_a_host_that_does_not_exist_is_said_so() -> None:
    outbox = Outbox(1)
    with pytest.raises(WireError, match="there is no host of that name"):
        send(Pool(Route("mail.invalid", 25, Security.none)), outbox)

    assert not outbox.finals


# Runs that end early.


def test_a_cancelled_run_accounts_for_everything() -> None:
    outbox = Outbox(100)

    async def run(wire: Pool, server: Smtpd) -> None:
        running = asyncio.ensure_future(wire.run(outbox, outbox))
        await until(lambda: len(server.texts) >= 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with Smtpd().at("dot", stall(), nth=8) as server:
        server.at("dot", stall(), nth=10)
        asyncio.run(asyncio.wait_for(run(pool(server, connections=3), server), 20))

    assert not outbox.in_hand
    whats = [final.what for final in outbox.finals.values()]
    assert 2 <= whats.count("lost") <= 3
    assert whats.count("returned") <= 3
    assert set(outbox.accepted) <= {int(mail.recipients[0][1:-12]) for mail in server.accepted}


class Broken(Outbox):
    """An outbox in which something raises."""

    def __init__(self, count: int, where: str) -> None:
        self.where = where
        super().__init__(count)

    def trip(self, where: str, key: int) -> None:
        if where == self.where and key == 5:
            raise LookupError(where)

    def take(self) -> Outgoing | None:
        outgoing = super().take()
        if outgoing is not None and self.where == "take" and outgoing.key == 5:
            self.in_hand.discard(5)  # it never got out
            raise LookupError("take")
        return outgoing

    def started(self, key: int) -> bool:
        self.trip("started", key)
        return super().started(key)

    def answered(self, key: int, stage: Stage, reply: Reply) -> None:
        super().answered(key, stage, reply)
        self.trip("answered", key)

    async def changed(self) -> None:
        if self.where == "changed":
            raise LookupError("changed")
        await super().changed()


@pytest.mark.parametrize("where", ["take", "render", "started", "answered", "changed"])
def test_an_error_of_ours_ends_the_run_when_what_is_on_the_wire_is_answered(where: str) -> None:
    outbox = Broken(400, where)
    if where == "render":
        outbox.body = lambda key: letter(key) if key != 5 else b"%d" % [][key]
    if where == "changed":
        outbox.open = True
    with Smtpd() as server, pytest.raises((LookupError, IndexError)):
        send(pool(server, connections=2), outbox)

    assert not outbox.in_hand
    # Only the connection where it happened may have had a text under way.
    assert sum(final.what == "lost" for final in outbox.finals.values()) <= 1
    assert outbox.left > 300 or where == "changed"
    assert len(server.recipients) >= len(outbox.accepted)


def test_an_error_does_not_wait_for_connections_that_are_still_opening() -> None:
    outbox = Broken(40, "answered")
    server = Smtpd().at("greeting", say("220 smtpd.test"), nth=1).at("greeting", stall())
    with server, pytest.raises(LookupError):
        send(pool(server, connections=3), outbox)

    assert not outbox.in_hand


def test_a_stop_of_the_source_ends_the_run() -> None:
    class Stopping(Outbox):
        def started(self, key: int) -> bool:
            super().started(key)
            if key >= 5:  # paused from elsewhere: nothing more, and not this one either
                self._queue.clear()
                return False
            return True

    outbox = Stopping(30)
    with Smtpd() as server:
        send(pool(server), outbox)

    assert outbox.accepted == [1, 2, 3, 4]
    assert outbox.words(5) == "returned data"
    assert outbox.words(6) == "returned mail"
    assert server.texts == [letter(key) for key in (1, 2, 3, 4)]


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_connection_that_is_old_begins_nothing_more(pipelining: bool) -> None:
    """With a lifetime that is over at once each connection carries one letter."""
    for lifetime, connections in ((1e-9, 4), (600, 1), (0, 1)):
        outbox = Outbox(4)
        with Smtpd(pipelining=pipelining) as server:
            wire = pool(server)
            wire.lifetime = lifetime
            send(wire, outbox)

        assert outbox.accepted == [1, 2, 3, 4]
        assert server.connections == connections
        assert len(server.lines("QUIT")) == connections

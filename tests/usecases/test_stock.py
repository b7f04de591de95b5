"""Letters are made a few together, also while the wire waits for a server far away."""

from __future__ import annotations

import asyncio
from collections import deque

from mailer.model.words import DeliveryState
from mailer.ports import Outgoing
from mailer.store.claims import Claimed
from mailer.usecases.render_ahead import AHEAD, Flight, Letter, Stock

_PLANNED = DeliveryState.planned


class Press:
    """Makes letters and notes whose."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def make(self, row: Claimed) -> Letter:
        self.made.append(row.position)
        text = b"To: reader\r\n"
        return Letter(Outgoing(row.position, "", row.address, lambda: text), bytes(16))


def queue(people: int) -> deque[Flight]:
    return deque(
        Flight(Claimed(n, 1, _PLANNED, n, 1, f"p{n}@example.org", "{}", 0, None), n, 0.0)
        for n in range(people)
    )


async def told(waiting: deque[Flight], press: Press, *, takes: int, pause: float) -> list[int]:
    """Who had a letter when so many were taken and the wire then waited."""
    loop = asyncio.get_running_loop()
    stock = Stock(press, lambda most: list(waiting)[:most], loop)
    for _ in range(takes):
        flight = waiting.popleft()
        letter = stock.take(flight)
        assert isinstance(letter, Letter)
        assert letter.outgoing.key == flight.row.position
    await asyncio.sleep(pause)
    stock.close()
    return [flight.row.position for flight in waiting if flight.rendered is not None]


def test_the_next_ones_are_made_while_the_wire_waits() -> None:
    waiting, press = queue(60), Press()

    ready = asyncio.run(told(waiting, press, takes=15, pause=0.05))

    assert ready == list(range(15, 15 + AHEAD))
    assert press.made == list(range(15 + AHEAD))  # each once, in their order


def test_fewer_than_half_are_not_worth_it() -> None:
    waiting, press = queue(40), Press()

    ready = asyncio.run(told(waiting, press, takes=3, pause=0.05))

    assert ready == list(range(3, 1 + AHEAD))


def test_at_the_end_nothing_is_made_unasked() -> None:
    waiting, press = queue(40), Press()

    asyncio.run(told(waiting, press, takes=10, pause=0.0))

    assert press.made == list(range(1 + AHEAD))

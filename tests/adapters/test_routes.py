"""Several routes carry each mail once, in their shares, and take over from one that dies."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.adapters.routes import RoutesTransport, Way
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.errors import WireError
from mailer.model.words import Reply, Stage
from mailer.ports import Observer, Source
from tests.smtpd import Smtpd, say
from tests.wire import PATIENT, Outbox

QUICK = (0.01, 0.02)
TAKEN = Reply(250, "2.0.0 Taken", "2.0.0")


class FakeRoute:
    """Carries mail without a server; each run ends with a WireError after so many, or never."""

    def __init__(self, *lives: int, seed: int = 0) -> None:
        self.lives = list(lives)  # mails before each death; when used up, it lives
        self.carried: list[int] = []
        self.runs = 0
        self._chance = random.Random(seed)

    async def run(self, source: Source, observer: Observer) -> None:
        self.runs += 1
        life = self.lives.pop(0) if self.lives else -1
        while not source.finished:
            if life == 0:
                raise WireError(f"dead after {len(self.carried)}.")
            outgoing = source.take()
            if outgoing is None:
                await source.changed()
                continue
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:  # the run is over: nothing stays in hand, as with SMTP
                observer.returned(outgoing.key, Stage.session, "stopped")
                raise
            life -= 1
            if life == 0 and self._chance.random() < 0.5:
                if self._chance.random() < 0.5:
                    observer.lost(outgoing.key, "dead")
                else:
                    observer.returned(outgoing.key, Stage.mail, "dead")
                raise WireError("dead in the midst.")
            self.carried.append(outgoing.key)
            observer.started(outgoing.key)
            observer.answered(outgoing.key, Stage.dot, TAKEN)


def send(ways: Sequence[Way], outbox: Outbox, notes: list[str] | None = None) -> None:
    heard = notes if notes is not None else []
    routes = RoutesTransport(ways, heard.append, QUICK)
    asyncio.run(asyncio.wait_for(routes.run(outbox, outbox), 30))


def way(name: str, port: int, **more: object) -> Way:
    transport = SmtpTransport("127.0.0.1", port, security="none", timeouts=PATIENT)
    return Way(name, transport, **more)  # type: ignore[arg-type]  # of the fields of Way


@settings(max_examples=60, deadline=None)
@given(
    lives=st.lists(st.lists(st.integers(0, 20), max_size=4), min_size=1, max_size=4),
    weights=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    backups=st.lists(st.booleans(), min_size=4, max_size=4),
    people=st.integers(0, 60),
)
def test_each_mail_has_one_end_whoever_dies(
    lives: list[list[int]], weights: list[int], backups: list[bool], people: int
) -> None:
    routes = [FakeRoute(*each, seed=number) for number, each in enumerate(lives)]
    outbox = Outbox(people, again=True)
    ways = [
        Way(f"r{number}", route, weight=weights[number], backup=backups[number])
        for number, route in enumerate(routes)
    ]
    transport = RoutesTransport(ways, pauses=(0.0,))
    stopped = False
    try:
        asyncio.run(asyncio.wait_for(transport.run(outbox, outbox), 20))
    except WireError as error:
        stopped = "No route is left" in error.message

    assert not outbox.in_hand
    carried = Counter(key for route in routes for key in route.carried)
    assert carried == Counter(outbox.accepted)
    assert stopped or len(outbox.finals) == people


def test_mails_are_shared_by_weight() -> None:
    one, two = FakeRoute(), FakeRoute()
    send([Way("one", one, weight=3), Way("two", two, weight=1)], Outbox(400))

    assert len(one.carried) + len(two.carried) == 400
    assert 280 <= len(one.carried) <= 320


def test_a_backup_carries_nothing_while_it_is_not_needed() -> None:
    first, backup = FakeRoute(), FakeRoute()
    send([Way("first", first), Way("backup", backup, backup=True)], Outbox(50))
    assert (len(first.carried), backup.runs) == (50, 0)

    first, backup = FakeRoute(20, 0, 0, 0, 0, 0, 0), FakeRoute()
    outbox = Outbox(50, again=True)
    send([Way("first", first), Way("backup", backup, backup=True)], outbox)
    assert len(backup.carried) >= 20
    assert len(outbox.accepted) + len([f for f in outbox.finals.values() if f.what == "lost"]) == 50


def test_a_sender_s_domain_chooses_its_routes() -> None:
    one, two = FakeRoute(), FakeRoute()
    ways = [
        Way("one", one, senders=frozenset({"other.example"})),
        Way("two", two, senders=frozenset({"example.org"})),
    ]
    outbox = Outbox(100, sender="News@Example.ORG")
    send(ways, outbox)
    assert (one.carried, sorted(two.carried)) == ([], list(range(1, 101)))

    outbox = Outbox(3, sender="news@third.example")
    with pytest.raises(WireError, match=r"carries mail from third\.example"):
        send(ways, outbox)
    assert not outbox.in_hand
    assert not outbox.accepted


def test_a_route_s_rate_is_its_own() -> None:
    """Within a second and a half, 20 a second make far fewer than the other does."""
    slow, fast = FakeRoute(), FakeRoute()
    outbox = Outbox(2000)
    send([Way("slow", slow, rate=20), Way("fast", fast)], outbox)

    assert len(outbox.accepted) == 2000
    assert len(slow.carried) < 200


def test_a_server_that_dies_leaves_its_mails_to_the_other() -> None:
    outbox = Outbox(600, again=True)
    notes: list[str] = []
    with Smtpd() as one, Smtpd() as two:

        class Dying(Outbox):
            def answered(self, key: int, stage: Stage, reply: Reply) -> None:
                super().answered(key, stage, reply)
                if len(self.finals) == 200:
                    two.stop()

        outbox = Dying(600, again=True)
        send([way("one", one.port), way("two", two.port)], outbox, notes)
        accepted = sorted(one.recipients + two.recipients)

    lost = [key for key, final in outbox.finals.items() if final.what == "lost"]
    assert len(outbox.finals) == 600
    assert len(lost) <= 2  # a text on each connection of the one that died
    assert len(set(accepted)) == len(accepted)
    assert {f"r{key}@example.net" for key in outbox.accepted} <= set(accepted)
    assert one.recipients
    assert two.recipients
    assert [note.partition(":")[0] for note in notes] == ["Route two is left out for now"]


def test_a_server_that_is_not_there_at_first_is_tried_again() -> None:
    notes: list[str] = []
    with Smtpd() as one, Smtpd().at("greeting", say("421 4.3.2 Not yet"), nth=1) as two:
        outbox = Outbox(300, again=True)
        one.at("dot", say("250 2.0.0 Taken"))
        send([way("one", one.port), way("two", two.port, weight=1)], outbox, notes)

    assert len(outbox.accepted) == 300
    assert "Not yet" in notes[0]


def test_when_none_is_left_each_trouble_is_told() -> None:
    outbox = Outbox(3)
    with Smtpd().at("greeting", say("554 5.7.1 Not you")) as one, pytest.raises(WireError) as told:
        send([way("one", one.port), way("two", 1)], outbox)

    assert not outbox.in_hand
    assert "one: " in told.value.message
    assert "Not you" in told.value.message
    assert "two: Can't reach" in told.value.message

"""Several mail servers side by side: the wish ``ports.Transport`` over others that fulfil it.

All of them draw from one source, each as fast as it can or in its share. One that fails is left
out and tried again later; its mails, whose text had not begun, go back and out by the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailer.errors import WireError
from mailer.model.words import Reply, Stage
from mailer.ports import Transport
from mailer.smtp.exchange import Observer, Outgoing, Source
from mailer.smtp.opening import OpeningError
from mailer.smtp.pace import Throttle

PAUSES = (15.0, 30.0, 60.0, 120.0, 300.0)  # seconds before a route is tried again; the last repeats
_SLACK = 10  # mails by which a route may be ahead of its share
_BUSY = 1.0  # seconds without asking, after which a route is not waited for
_HELD = 8  # mails that wait for the one route that may carry them


class Quota(Protocol):
    """How many messages a route may have: ``take`` is False when the day's are used up."""

    def take(self) -> bool: ...

    def back(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Way:
    """One route. ``weight`` 0: as much as it can. ``rate``: messages a second, 0: no limit.

    ``senders`` are the domains of return paths that it carries, none: all; a ``backup`` carries
    mail only while no other route that may do so works. One whose ``quota`` is used up is left out
    until the next day.
    """

    name: str
    transport: Transport
    weight: int = 0
    rate: float = 0.0
    senders: frozenset[str] = frozenset()
    backup: bool = False
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class RoutesTransport:
    """Sends over every way that works. ``note`` hears in a sentence when one fails or is back."""

    ways: Sequence[Way]
    note: Callable[[str], None] = lambda sentence: None
    pauses: Sequence[float] = PAUSES

    async def run(self, source: Source, observer: Observer) -> None:
        """Sends until ``source.finished``; see ``ports.Transport``.

        Raises WireError, naming each route's trouble, when every one has failed since the last
        answer of any, or when none carries mail of a sender.
        """
        if not source.finished:
            await _Run(self, source, observer).run()


class _Run:
    """One run: who works, who has failed, and whose turn it is."""

    def __init__(self, routes: RoutesTransport, source: Source, observer: Observer) -> None:
        self.routes = routes
        self.source = source
        self.observer = observer
        self.lanes = [_Lane(self, way) for way in routes.ways]
        self.failed: dict[str, str] = {}  # since the last answer of any
        self.unroutable = ""
        self.used_up = False  # every route that works has had its messages of the day
        self._watch: asyncio.Task[None] | None = None

    async def run(self) -> None:
        tasks = {asyncio.create_task(lane.drive()): lane for lane in self.lanes}
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del tasks[task]
                    task.result()
                self.wake()
                if all(lane.idle for lane in tasks.values()):
                    break  # the others have finished: nobody waits for who does not answer
            if self.used_up:
                raise OpeningError(self.unroutable, stage=Stage.session, temporary=True)
            if self.unroutable:
                raise WireError(self.unroutable, hint="Mend [[routes]] in mailer.toml.")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._watch is not None:
                self._watch.cancel()
                await asyncio.gather(self._watch, return_exceptions=True)
            for lane in self.lanes:
                lane.give_back("the run was stopped")
                if lane.way.quota is not None:
                    lane.way.quota.close()

    def wake(self) -> None:
        for lane in self.lanes:
            lane.event.set()

    def note_used_up(self, lane: _Lane) -> None:
        """A route has had its messages of the day; without another one, the run is over."""
        self.routes.note(f"Route {lane.way.name} has had its messages of the day.")
        if all(each.spent or each.down for each in self.lanes):
            self.used_up = True
            self.unroutable = (
                "Every route that works has had its messages of the day (per_day in mailer.toml)."
            )
        self.wake()

    def watch(self) -> None:
        """Lets every lane know when the source has something again."""
        self.check_watch()
        if self._watch is None:
            self._watch = asyncio.create_task(self.source.changed())
            self._watch.add_done_callback(lambda _: self.wake())

    def check_watch(self) -> None:
        """Raises what the source has raised."""
        if self._watch is not None and self._watch.done():
            watch, self._watch = self._watch, None
            watch.result()

    def working(self, domain: str) -> list[_Lane]:
        """The lanes that may carry mail from there; backups only where there are no others."""
        lanes = [lane for lane in self.lanes if lane.carries(domain) and not lane.out]
        return [lane for lane in lanes if not lane.way.backup] or lanes


@dataclass(slots=True)
class _Lane:
    """Fulfils ``ports.Source`` and ``ports.Observer`` for one way."""

    owner: _Run
    way: Way
    event: asyncio.Event = field(default_factory=asyncio.Event)
    down: bool = False
    spent: bool = False  # its messages of the day are used up
    _answered: bool = False  # since it was last left out
    _in_hand: int = 0
    _dry: bool = False  # the source had nothing when last asked
    _share: float = 0.0  # mails taken, by weight
    _asked: float = float("-inf")  # when it last wanted one
    _held: deque[Outgoing] = field(default_factory=deque)
    _throttle: Throttle = field(init=False)
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self._throttle = Throttle(self.way.rate)

    @property
    def out(self) -> bool:
        """Whether others must take over."""
        return self.down or self.spent

    def carries(self, domain: str) -> bool:
        return not self.way.senders or domain in self.way.senders

    # Its life.

    @property
    def idle(self) -> bool:
        """Whether ending it now would cost nothing."""
        return not self._in_hand and not self._answered

    async def drive(self) -> None:
        """Runs the way, and after a failure again, until the source is finished."""
        owner, tries = self.owner, 0
        while True:
            while self._spared():
                if self.finished:
                    return
                self.event.clear()
                await self.event.wait()
            try:
                await self.way.transport.run(self, self)
            except WireError as error:
                self.give_back(error.message)
                tries = 0 if self._answered else tries + 1
                self._failed(error)
                owner.wake()  # the others take over; who is left out is tried again if none works
                await self._pause(owner.routes.pauses[min(tries, len(owner.routes.pauses) - 1)])
            else:
                return

    def _failed(self, error: WireError) -> None:
        owner = self.owner
        advice = error.advice if isinstance(error, OpeningError) else ""
        why = f"{error.message} {advice}".rstrip()
        owner.failed[self.way.name] = why
        if not self.down:
            owner.routes.note(f"Route {self.way.name} is left out for now: {why}")
        self.down, self._answered = True, False
        if len(owner.failed) == len(owner.lanes):
            told = " ".join(f"{name}: {why}" for name, why in owner.failed.items())
            raise WireError(
                f"No route is left. {told}",
                hint="Nothing is lost: run the same command again later.",
            ) from error

    async def _pause(self, seconds: float) -> None:
        """Waits; not as long as this when no other route works."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            others = [lane for lane in self.owner.lanes if lane is not self]
            alone = all(lane.down for lane in others)
            if alone and self.way.name not in self.owner.failed:
                return
            self.event.clear()
            try:
                async with asyncio.timeout(min(left, 1.0) if alone else left):
                    await self.event.wait()
            except TimeoutError:
                if alone:
                    return

    def give_back(self, why: str) -> None:
        while self._held:
            self.owner.observer.returned(self._held.popleft().key, Stage.session, why)

    # As a source.

    def take(self) -> Outgoing | None:
        if not self._has_room():
            self.event.clear()
            return None
        outgoing = self._take()
        if outgoing is None and self.way.quota is not None:
            self.way.quota.back()
        if outgoing is None:
            self.event.clear()  # whatever changes from now on is heard of by ``changed``
        else:
            self._in_hand += 1
            self._throttle.took(asyncio.get_running_loop().time())
            if self.way.weight:
                self._share += 1 / self.way.weight
            self.owner.wake()  # one that had been ahead of its share may go on
        return outgoing

    def _has_room(self) -> bool:
        """Takes one message of the day's, when they are counted; what waits here goes to others."""
        if self.way.quota is None:
            return True
        spent = not self.way.quota.take()
        if spent and not self.spent:
            self.spent = True
            self.give_back("the route's messages of the day are used up")
            self.owner.note_used_up(self)
        self.spent = spent
        return not spent

    def _take(self) -> Outgoing | None:
        self._dry = False
        if self.owner.unroutable or not (self._allowed() or self.owner.source.finished):
            return None
        if self._held:
            return self._held.popleft()
        if self._spared():
            return None
        while not any(len(lane._held) >= _HELD for lane in self.owner.lanes):
            outgoing = self.owner.source.take()
            if outgoing is None:
                self._dry = True
                return None
            domain = outgoing.sender.rpartition("@")[2].lower()
            lanes = self.owner.working(domain)
            if self in lanes or (self.down and self.carries(domain)):
                return outgoing
            if not lanes:
                why = f"No route that works carries mail from {domain}."
                self.owner.unroutable = why
                self.owner.observer.returned(outgoing.key, Stage.session, why)
                self.owner.wake()
                return None
            lane = min(lanes, key=lambda each: len(each._held))
            lane._held.append(outgoing)
            lane.event.set()
        return None

    def _allowed(self) -> bool:
        """Whether its rate and its share let it take one now; if not, it is woken in time."""
        now = asyncio.get_running_loop().time()
        asked, self._asked = self._asked, now
        if (opens := self._throttle.opens_at(now)) > now:
            self._wake_at(opens)
            return False
        if not self.way.weight:
            return True
        # Who has not asked for a while is busy with something else, and holds nobody up.
        others = [
            lane._share
            for lane in self.owner.lanes
            if lane is not self and lane.way.weight and now - lane._asked < _BUSY and not lane.out
        ]
        least = min(others, default=0.0)
        if now - asked >= _BUSY:  # from here on, not from the beginning
            self._share = max(self._share, least)
        if not others or self._share <= least + _SLACK / self.way.weight:
            return True
        self._wake_at(now + _BUSY)
        return False

    def _wake_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(moment, self.event.set)

    def _spared(self) -> bool:
        """Whether it is a backup that nobody needs now."""
        lanes = self.owner.lanes
        return self.way.backup and any(not (lane.out or lane.way.backup) for lane in lanes)

    @property
    def finished(self) -> bool:
        if self.owner.unroutable:
            return not self._held
        return self.owner.source.finished and not self._held

    async def changed(self) -> None:
        if self._dry and not self.event.is_set():
            self.owner.watch()
        await self.event.wait()
        self.owner.check_watch()

    # As an observer.

    def started(self, key: int) -> bool:
        return self.owner.observer.started(key)

    def answered(self, key: int, stage: Stage, reply: Reply) -> None:
        self._in_hand -= 1
        self._answered = True
        self.owner.failed.clear()
        if self.down:
            self.down = False
            self.owner.routes.note(f"Route {self.way.name} works again.")
        self.owner.observer.answered(key, stage, reply)

    def returned(self, key: int, stage: Stage, why: str) -> None:
        self._in_hand -= 1
        if self.way.quota is not None:
            self.way.quota.back()
        self.owner.observer.returned(key, stage, why)

    def lost(self, key: int, why: str) -> None:
        self._in_hand -= 1
        self.owner.observer.lost(key, why)

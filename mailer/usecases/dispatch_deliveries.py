"""Dispatches claimed deliveries to the wire and hands what the wire tells to the ledger.

::

    ledger ──claimed──▶ ready ──take()──▶ wire ──started / answered / returned / lost──▶ back
       ▲                                                                                  │
       └────────────── exchange: one group commit settles and claims ◀────────────────────┘

Runs on the event loop's thread; only the ledger's exchange runs elsewhere: ``store.apart``.
Pace, the freshness of a claim and the last word of a stop all come before the envelope.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from random import Random

from mailer.errors import StoppedError
from mailer.message.fingerprint import same
from mailer.message.replies import ACCEPTED, classify
from mailer.model.words import (
    Blame,
    CampaignState,
    Cause,
    Counts,
    DeliveryState,
    Outcome,
    Reply,
    Stage,
)
from mailer.ports import Clock, Outgoing
from mailer.smtp.breaker import Breaker
from mailer.smtp.flow import Flow, Stretch
from mailer.smtp.pace import STALE_SECONDS, Pace, Window
from mailer.store.apart import Exchanges
from mailer.store.claims import Claimed, Exchange
from mailer.store.lanes import Day, Lane, suspend
from mailer.store.ledger import Settled, Settlements
from mailer.store.recorder import Recorder
from mailer.store.writer import Writer
from mailer.usecases.render_ahead import (
    BATCH,
    Flight,
    Letter,
    Maker,
    RenderAhead,
    Rendered,
    Stock,
)

_ENVELOPE = (Stage.mail, Stage.rcpt, Stage.data)
# Every mail asks for it: a member of an enumeration takes four times as long to find.
_DOT = Stage.dot


@dataclass(slots=True)
class Dispatch:
    """Fulfils ``ports.Source`` and ``ports.Observer`` for one run of one campaign."""

    campaign_id: int
    exchanges: Exchanges
    writer: Writer
    recorder: Recorder
    pace: Pace
    retry_after: tuple[int, ...]  # seconds
    max_wait: float  # seconds to wait for a deferred row before the run ends
    clock: Clock
    lanes: Sequence[Lane]
    letters: Maker
    progress: Callable[[Counts, int | None], None]
    ahead: RenderAhead | None = None  # signs on other threads; without it letters are made here
    stop_reason: str = ""
    troubles: Mapping[tuple[str, str], int] = field(init=False)  # (provider, reason) → times
    suspensions: list[str] = field(default_factory=list)  # sentences for people
    state: CampaignState = CampaignState.sending
    counts: Counts = field(default_factory=Counts)
    next_due: int | None = None
    closed_until: int | None = None  # ms: the hours of delivery, or the day's cap
    answers: int = 0
    wire_seconds: float = 0.0  # from a first command to the last reply, without waits
    _spell: float | None = None  # when the present spell of sending began
    _flights: dict[int, Flight] = field(default_factory=dict)
    _flow: Flow[Flight] = field(init=False)
    _stock: Stock = field(init=False)
    _window: Window = field(init=False)
    _settled: Settlements = field(default_factory=Settlements)
    _exchanging: list[int] | None = None  # positions that the running exchange settles
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _pacing: asyncio.TimerHandle | None = None
    _committing: asyncio.TimerHandle | None = None
    _ticking: asyncio.TimerHandle | None = None
    _breaker: Breaker = field(default_factory=Breaker)
    _behind: int = 0  # claimed, and being rendered on other threads
    _dry: bool = False  # the last claim brought nothing, and nothing is due soon
    _draining: bool = False
    _fault: BaseException | None = None
    _jitter: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        ahead = self._loop.time() - self.clock.now().timestamp()
        stretches = [
            Stretch(lane.name, lane.last, (lane.resume_at or 0) / 1000 + ahead, lane.why)
            for lane in self.lanes
        ]
        self._flow = Flow(self.pace, stretches)
        self._stock = Stock(self.letters, self._flow.next_ones, self._loop)
        self.troubles = self._flow.troubles
        self._window = Window(self.pace)

    # ---- ports.Source ------------------------------------------------------------------

    def take(self) -> Outgoing | None:
        """The next envelope, when the pace allows one."""
        now = self._loop.time()
        if self.stopping:
            return None
        while (popped := self._flow.pop(now)) is not None:
            lane, flight = popped
            if now - flight.claimed_at > STALE_SECONDS:
                self._release(flight, "claimed afresh")
                continue
            outgoing = self._letter(flight)
            if outgoing is None:
                continue
            self._flow.went(lane, now)
            if self._spell is None:
                self._spell = now
            return outgoing
        if (opens := self._flow.opens_at(now)) is not None:
            self._wake_at(opens)
        elif self._settled:  # the wire has run dry: what is not a group yet goes now
            self._wake_ledger()
        return None

    @property
    def finished(self) -> bool:
        """True when nothing will be taken any more."""
        return self.stopping or (self._dry and self._exchanging is None)

    async def changed(self) -> None:
        self._changed.clear()
        if self.finished or self._flow.open_now:
            return
        await self._changed.wait()

    # ---- ports.Observer ----------------------------------------------------------------

    def started(self, key: int) -> bool:
        """Marks the text as started, unless a stop has been asked for meanwhile."""
        if self.stopping:
            return False
        flight = self._flights[key]
        self.recorder.started(flight.slot, flight.message_hash or b"\0" * 16)
        return True

    def answered(self, key: int, stage: Stage, reply: Reply) -> None:
        flight = self._flights[key]
        self.recorder.answered(flight.slot, stage, reply)
        self.answers += 1
        if stage is _DOT and 200 <= reply.code < 300 and not self._flow.backing_off:
            self._breaker.accepted += 1  # nearly everybody, so nothing is asked here
            row = flight.row
            self._settled.accepted.append((row.position, row.attempt, str(reply)))
            self._noted()
            return
        outcome = classify(stage, reply)
        whole = outcome.blame is Blame.message and outcome.stops_run
        if whole and not flight.row.address.isascii():
            # Its headers alone hold UTF-8: what the server dislikes is this one letter.
            outcome = Outcome(DeliveryState.refused, "eai_unsupported", Blame.message)
        now = self._loop.time()
        if outcome is ACCEPTED:
            self._flow.accepted(key, now)
        else:
            outcome, rest = self._flow.troubled(key, outcome, reply, now)
            if rest:
                self._suspend(self._flow.lane(key), rest, reply)
        if outcome.stops_run:
            self._release(flight, outcome.reason)
            self.stop(f"The mail server refused for everybody, not for one person: {reply}")
            return
        if why := self._breaker.heard(stage, outcome, reply):
            self.stop(why)
        deferred = outcome.state is DeliveryState.deferred
        due = self._due(flight.row) if deferred else None
        reason = "" if outcome.state is DeliveryState.accepted else outcome.reason
        self._settle(flight, outcome.state, Cause.answered, reason, str(reply), due)

    def returned(self, key: int, stage: Stage, why: str) -> None:
        """Nothing of its text was sent.

        When the server hangs up on one person's envelope again and again, that person is deferred:
        they must neither hold up the others nor be tried for ever.
        """
        flight = self._flights[key]
        if stage not in _ENVELOPE or self.stopping:
            self._release(flight, why)
            return
        wait = self._breaker.hung_up(key)
        if wait is None:
            due, state = self._due(flight.row), DeliveryState.deferred
            self._settle(flight, state, Cause.answered, "connection_dropped", why, due)
        else:
            due = self._milliseconds(wait)
            self._settle(flight, flight.row.was, Cause.released, why[:120], "", due)

    def lost(self, key: int, why: str) -> None:
        self._settle(self._flights[key], DeliveryState.unknown, Cause.lost, why[:120], "", None)
        if why := self._breaker.lost(self.answers):
            self.stop(why)

    # ---- the run -----------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        return bool(self.stop_reason) or self._fault is not None

    def stop(self, why: str) -> None:
        """Takes nothing more. Started texts are finished; what is not started is released."""
        if not self.stop_reason:
            self.stop_reason = why
        self._changed.set()

    def begin(self) -> None:
        """Claims the first rows, and from now on looks at the ledger at least once a second."""
        self._tick()

    async def drain(self) -> None:
        """After the wire has ended: releases what was not sent and settles the rest durably.

        Raises whatever broke the ledger, if something did.
        """
        self._draining = True
        self._end_spell()
        self._stock.close()
        for timer in (self._pacing, self._committing, self._ticking):
            if timer is not None:
                timer.cancel()
        while self._exchanging is not None or self._behind:
            self._changed.clear()
            await self._changed.wait()
        for flight in self._flow.withdraw():
            self._release(flight, "stopped")
        if self._fault is not None:
            raise self._fault
        settled, self._settled = self._settled, Settlements()
        if settled:
            await asyncio.wrap_future(self._submit(settled, 0))
            self._free(settled.positions)
        if self._flights:
            raise StoppedError(f"The wire did not answer for all: {len(self._flights)} left.")

    def _settle(
        self,
        flight: Flight,
        state: DeliveryState,
        cause: Cause,
        reason: str,
        reply: str,
        due_at: int | None,
    ) -> None:
        row, hashed = flight.row, flight.message_hash
        self._settled.others.append(
            Settled(row.position, row.attempt, state, cause, reason, reply, due_at, hashed)
        )
        self._noted()

    def _noted(self) -> None:
        settled = self._settled
        many = len(settled.accepted) + len(settled.others) >= self._window.group
        if many or self._committing is None:
            self._wake_ledger()

    def _release(self, flight: Flight, why: str) -> None:
        self._settle(flight, flight.row.was, Cause.released, why[:120], "", None)

    def _letter(self, flight: Flight) -> Outgoing | None:
        """One person's letter, or None when it must not be sent: the row is settled then.

        Plan has tried every value, so a fault here is rare, and it is one person's: the run goes
        on. A second attempt must have the very bytes of the first.
        """
        letter = self._stock.take(flight)
        if not isinstance(letter, Letter):
            fault = str(letter)
            reply = Reply(554, fault, "5.6.0")
            self._settle(flight, DeliveryState.refused, Cause.answered, "unsendable", fault, None)
            outcome = Outcome(DeliveryState.refused, "unsendable", Blame.message)
            if why := self._breaker.heard(Stage.rcpt, outcome, reply):
                self.stop(why)
            return None
        outgoing, flight.message_hash = letter
        known = flight.row.message_hash
        if known is not None and not same(bytes.fromhex(known), letter.hash, outgoing.render()):
            self._release(flight, "other bytes than at the first attempt")
            self.stop(
                f"The mail to person {flight.row.position} is not what the first attempt sent"
                " any more; nobody is sent such a mail."
            )
            return None
        return outgoing

    def _suspend(self, lane: int, seconds: int, reply: Reply) -> None:
        """Gives back what is claimed for a lane, and writes down how long it is left alone."""
        for flight in self._flow.withdraw(lane):
            self._release(flight, "suspended")
        until = self._milliseconds(seconds)
        self.suspensions.append(
            f"{self._flow.name(lane)} wants to be left alone for {seconds // 60} min: {reply}"
        )
        campaign_id, number = self.campaign_id, self.lanes[lane].lane
        written = self.writer.submit(
            lambda connection: suspend(connection, campaign_id, number, until, str(reply))
        )
        written.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._note_fault, done.exception())
        )

    def _note_fault(self, error: BaseException | None) -> None:
        if error is not None:
            self._fault = error
            self._changed.set()

    def _due(self, row: Claimed) -> int:
        """When to try again, in ms: the schedule's delay for this attempt, give or take a tenth.

        Not before the end of a suspension.
        """
        delay = self.retry_after[min(row.attempt, len(self.retry_after)) - 1]
        wait = delay * self._jitter.uniform(1.0, 1.1)
        left = self._flow.left_alone(self._flow.lane(row.position), self._loop.time())
        return self._milliseconds(max(wait, left))

    def _milliseconds(self, seconds: float) -> int:
        """So many seconds from now, as the ledger has it."""
        return int((self.clock.now().timestamp() + seconds) * 1000)

    def _wake_at(self, when: float) -> None:
        """Lets the wire ask again then; an earlier time moves the timer."""
        if self._pacing is not None:
            if self._pacing.when() <= when:
                return
            self._pacing.cancel()

        def allow() -> None:
            self._pacing = None
            self._changed.set()

        self._pacing = self._loop.call_at(when, allow)

    # ---- the ledger's exchange ---------------------------------------------------------

    def _tick(self) -> None:
        """Once a second: a heartbeat, a look at the campaign's state, and whatever is due."""
        self._ticking = self._loop.call_later(1.0, self._tick)
        self._exchange(even_if_idle=True)

    def _wake_ledger(self) -> None:
        """Commits when a group is full or the wire is about to run dry; else in a moment."""
        if self._exchanging is not None or self._draining:
            return
        if len(self._settled) >= self._window.group or not (self._flow or self._behind):
            self._exchange()
        elif self._committing is None:
            self._committing = self._loop.call_later(0.05, self._exchange)

    def _exchange(self, *, even_if_idle: bool = False) -> None:
        if self._exchanging is not None or self._fault is not None or self._draining:
            return
        if self._committing is not None:
            self._committing.cancel()
            self._committing = None
        settled, self._settled = self._settled, Settlements()
        self._window.committing(self.answers, self._loop.time())
        # What waits for a slow lane takes no room from the others.
        room = min(self._window.rows + self._flow.held, self.pace.rows)
        want = room - len(self._flights) + len(settled)
        if self.stopping or self._outside_hours():
            want = 0
        if not settled and want <= 0 and not even_if_idle:
            return
        self._exchanging = settled.positions
        self._submit(settled, max(want, 0)).add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._exchanged, done)
        )

    def _submit(self, settled: Settlements, want: int) -> Future[Exchange]:
        moment = self.clock.now()
        now = int(moment.timestamp() * 1000)
        limits = self._flow.room(self._loop.time())
        cap = self.pace.timetable.cap(moment)
        day = None if cap is None else Day(self.pace.timetable.day(moment).isoformat(), cap)
        return self.exchanges.submit(settled, want, now, limits=limits, day=day)

    def _outside_hours(self) -> bool:
        moment = self.clock.now()
        opens = self.pace.timetable.opens_at(moment)
        self.closed_until = int(opens.timestamp() * 1000) if opens > moment else None
        return opens > moment

    def _exchanged(self, done: Future[Exchange]) -> None:
        positions, self._exchanging = self._exchanging or [], None
        error = done.exception()
        if error is not None:
            self._fault = error
            self._changed.set()
            return
        result = done.result()
        self._free(positions)
        now = self._loop.time()
        self._window.committed(now)
        flights = [
            Flight(row, self.recorder.claim(row.position, row.attempt), now)
            for row in result.claimed
        ]
        for flight in flights:
            self._flights[flight.row.position] = flight
        self._get_ready(flights)
        self.counts, self.state = result.counts, result.campaign_state
        self._flow.keep_to(result.counts.left, self.clock.now())
        self.next_due = self._next_due(result, now)
        if result.campaign_state is not CampaignState.sending:
            self.stop(f"The campaign was {result.campaign_state}.")
        idle = not self._flights and not self._settled
        if idle:
            self._end_spell()
        # A claim may bring nobody although rows are left: all it looked at were skipped.
        go_on = result.looked_at > 0 and not result.claimed
        self._dry = idle and not go_on and not self._due_soon()
        self.progress(result.counts, self.next_due if idle else None)
        self._changed.set()
        if (
            len(self._settled) >= self._window.group
            or (self._settled and not (self._flow or self._behind))
            or go_on
        ):
            self._exchange()

    def _queue(self, flights: list[Flight]) -> None:
        """Lines them up; what was being claimed or signed when its lane was suspended goes back."""
        now = self._loop.time()
        for flight in flights:
            if not self._flow.add(flight.row.position, flight, now):
                self._release(flight, "suspended")

    def _get_ready(self, flights: list[Flight]) -> None:
        """Has letters signed on other threads first, when they are to be signed."""
        if self.ahead is None:
            self._queue(flights)
            return
        for number in range(0, len(flights), BATCH):
            some = flights[number : number + BATCH]
            self._behind += len(some)
            job = self.ahead.submit([flight.row for flight in some])
            job.add_done_callback(partial(self._hand_back, some))

    def _hand_back(self, flights: list[Flight], done: Future[list[Rendered]]) -> None:
        self._loop.call_soon_threadsafe(self._signed, flights, done)

    def _signed(self, flights: list[Flight], done: Future[list[Rendered]]) -> None:
        self._behind -= len(flights)
        error = done.exception()
        if error is not None:
            self._fault = self._fault or error
        else:
            for flight, rendered in zip(flights, done.result(), strict=True):
                flight.rendered = rendered
        self._queue(flights)
        self._changed.set()

    def _next_due(self, result: Exchange, now: float) -> int | None:
        """When there is something to send again (ms): a row, a lane, the hours, the next day."""
        due = [] if result.next_due is None else [result.next_due]
        due += [self._milliseconds(self._flow.left_alone(lane, now)) for lane in result.held]
        if result.full:
            tomorrow = self.pace.timetable.tomorrow(self.clock.now())
            self.closed_until = int(tomorrow.timestamp() * 1000)
        if self.closed_until is not None and result.counts.left > len(self._flights):
            return max(self.closed_until, min(due, default=0))
        return min(due, default=None)

    def _free(self, positions: list[int]) -> None:
        for position in positions:
            self.recorder.free(self._flights.pop(position).slot)

    def _end_spell(self) -> None:
        if self._spell is not None:
            self.wire_seconds += self._loop.time() - self._spell
            self._spell = None

    def _due_soon(self) -> bool:
        """Whether a deferred row comes due within the wait; the tick claims it then."""
        if self.next_due is None:
            return False
        return self.next_due / 1000 - self.clock.now().timestamp() <= self.max_wait

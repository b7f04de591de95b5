"""Dispatches claimed deliveries to the wire and hands what the wire tells to the ledger.

::

    ledger ──claimed──▶ ready ──take()──▶ wire ──started / answered / returned / lost──▶ back
       ▲                                                                                  │
       └────────────── exchange: one group commit settles and claims ◀────────────────────┘

Runs on the event loop's thread; only the ledger's exchange runs elsewhere, on the writer's thread.
Pace, the freshness of a claim and the last word of a stop all come before the envelope.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from random import Random

from sqlalchemy import Connection

from mailer.errors import StoppedError
from mailer.message.mailbox import HeaderError
from mailer.message.replies import classify
from mailer.message.values import MergeError
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
from mailer.store.claims import Claimed, Exchange, Ledger
from mailer.store.ledger import Settled
from mailer.store.recorder import Recorder
from mailer.store.writer import Writer
from mailer.usecases.render_ahead import BATCH, RenderAhead, Rendered, fingerprint

_STALE_SECONDS = 2.0  # a claim older than this is released: is the person still to be mailed?
_ENVELOPE = (Stage.mail, Stage.rcpt, Stage.data)
_HANG_UPS = 3  # on one person's envelope, in one run, before that person is deferred
_HANG_UP_WAIT = 8.0  # seconds, after the second
_MOST_LOST = 10  # texts without an answer in one run, if that is more than one in twenty
_SAME_REFUSALS = 10  # in a row, with one status: it is about us, not about ten people


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rows may be in doubt, how many go into one commit, and how fast."""

    window: int = 200
    group: int = 100
    rate: float = 0.0  # messages a second; 0: as fast as the wire
    connections: int = 2
    signing_threads: int = 2

    @property
    def rows(self) -> int:
        """At most what the pace sends in two seconds, never fewer than the connections."""
        if not self.rate:
            return max(self.window, self.connections)
        return max(self.connections, min(self.window, int(self.rate * _STALE_SECONDS)))


@dataclass(slots=True)
class _Flight:
    """A claimed row on its way."""

    row: Claimed
    slot: int
    claimed_at: float
    message_hash: bytes | None = None
    rendered: Rendered | None = None  # ahead of the wire


@dataclass(slots=True)
class Dispatch:
    """Fulfils ``ports.Source`` and ``ports.Observer`` for one run of one campaign."""

    ledger: Ledger
    writer: Writer
    recorder: Recorder
    pace: Pace
    retry_after: tuple[int, ...]  # seconds
    max_wait: float  # seconds to wait for a deferred row before the run ends
    clock: Clock
    envelope: Callable[[Claimed], tuple[str, bool, str]]  # MAIL FROM, SMTPUTF8 needed, ENVID
    render: Callable[[Claimed], bytes]
    progress: Callable[[Counts, int | None], None]
    ahead: RenderAhead | None = None  # signs on other threads; without it letters are made here
    stop_reason: str = ""
    state: CampaignState = CampaignState.sending
    counts: Counts = field(default_factory=Counts)
    next_due: int | None = None
    answers: int = 0
    wire_seconds: float = 0.0  # from a first command to the last reply, without waits
    _spell: float | None = None  # when the present spell of sending began
    _flights: dict[int, _Flight] = field(default_factory=dict)
    _ready: deque[_Flight] = field(default_factory=deque)
    _settled: list[Settled] = field(default_factory=list)
    _exchanging: list[int] | None = None  # positions that the running exchange settles
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _pacing: asyncio.TimerHandle | None = None
    _committing: asyncio.TimerHandle | None = None
    _ticking: asyncio.TimerHandle | None = None
    _next_take: float = 0.0
    _hung_up: dict[int, int] = field(default_factory=dict)
    _lost: int = 0
    _behind: int = 0  # claimed, and being rendered on other threads
    _dry: bool = False  # the last claim brought nothing, and nothing is due soon
    _draining: bool = False
    _same: tuple[str, int] = ("", 0)
    _fault: BaseException | None = None
    _jitter: Random = field(default_factory=Random)

    # ---- ports.Source ------------------------------------------------------------------

    def take(self) -> Outgoing | None:
        """The next envelope, when the pace allows one."""
        now = self._loop.time()
        if self.stopping or (self.pace.rate and not self._paced(now)):
            return None
        while self._ready:
            flight = self._ready.popleft()
            if now - flight.claimed_at > _STALE_SECONDS:
                self._release(flight, "claimed afresh")
                continue
            message = self._render(flight)
            if message is None:
                continue
            if self.pace.rate:
                self._next_take = max(self._next_take, now - 0.05) + 1 / self.pace.rate
            if self._spell is None:
                self._spell = now
            sender, smtputf8, envelope_id = self.envelope(flight.row)
            return Outgoing(
                flight.row.position,
                sender,
                flight.row.address,
                partial(bytes, message),
                smtputf8,
                envelope_id,
            )
        return None

    @property
    def finished(self) -> bool:
        """True when nothing will be taken any more."""
        return self.stopping or (self._dry and self._exchanging is None)

    async def changed(self) -> None:
        self._changed.clear()
        if self.finished or (self._ready and not self.pace.rate):
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
        outcome = classify(stage, reply)
        if (
            outcome.blame is Blame.message
            and outcome.stops_run
            and not flight.row.address.isascii()
        ):
            # Its headers alone hold UTF-8: what the server dislikes is this one letter.
            outcome = Outcome(DeliveryState.refused, "eai_unsupported", Blame.message)
        self.recorder.answered(flight.slot, stage, reply)
        self.answers += 1
        if outcome.stops_run:
            self._release(flight, outcome.reason)
            self.stop(f"The mail server refused for everybody, not for one person: {reply}")
            return
        self._watch(stage, outcome, reply)
        due = self._due(flight.row.attempt) if outcome.state is DeliveryState.deferred else None
        self._settle(
            flight,
            outcome.state,
            Cause.answered,
            "" if outcome.state is DeliveryState.accepted else outcome.reason,
            str(reply),
            due,
        )

    def returned(self, key: int, stage: Stage, why: str) -> None:
        """Nothing of its text was sent.

        When the server hangs up on one person's envelope again and again, that person is deferred:
        they must neither hold up the others nor be tried for ever.
        """
        flight = self._flights[key]
        if stage not in _ENVELOPE or self.stopping:
            self._release(flight, why)
            return
        times = self._hung_up[key] = self._hung_up.get(key, 0) + 1
        if times < _HANG_UPS:
            wait = 0 if times == 1 else _HANG_UP_WAIT
            due = int((self.clock.now().timestamp() + wait) * 1000)
            self._settle(flight, flight.row.was, Cause.released, why[:120], "", due)
        else:
            due = self._due(flight.row.attempt)
            state = DeliveryState.deferred
            self._settle(flight, state, Cause.answered, "connection_dropped", why, due)

    def lost(self, key: int, why: str) -> None:
        self._settle(self._flights[key], DeliveryState.unknown, Cause.lost, why[:120], "", None)
        self._lost += 1
        if self._lost >= _MOST_LOST and self._lost * 20 > self.answers:
            self.stop(
                f"The server broke off after the text of {self._lost} mails;"
                " nobody knows whether they were taken."
            )

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
        for timer in (self._pacing, self._committing, self._ticking):
            if timer is not None:
                timer.cancel()
        while self._exchanging is not None or self._behind:
            self._changed.clear()
            await self._changed.wait()
        while self._ready:
            self._release(self._ready.popleft(), "stopped")
        if self._fault is not None:
            raise self._fault
        settled, self._settled = self._settled, []
        if settled:
            await asyncio.wrap_future(self._submit(settled, 0))
            self._free([row.position for row in settled])
        if self._flights:
            raise StoppedError(f"{len(self._flights)} rows were not answered for by the wire.")

    def _settle(
        self,
        flight: _Flight,
        state: DeliveryState,
        cause: Cause,
        reason: str,
        reply: str,
        due_at: int | None,
    ) -> None:
        row = flight.row
        self._settled.append(
            Settled(
                row.position, row.attempt, state, cause, reason, reply, due_at, flight.message_hash
            )
        )
        self._wake_ledger()

    def _release(self, flight: _Flight, why: str) -> None:
        self._settle(flight, flight.row.was, Cause.released, why[:120], "", None)

    def _render(self, flight: _Flight) -> bytes | None:
        """One person's bytes, or None when they must not be sent: the row is settled then.

        Plan has tried every value, so a fault here is rare, and it is one person's: the run goes
        on. A second attempt must have the very bytes of the first.
        """
        rendered, flight.rendered = flight.rendered, None
        try:
            if rendered is None:
                message = self.render(flight.row)
                flight.message_hash = fingerprint(message)
            else:
                message, flight.message_hash = rendered.taken()
        except (MergeError, HeaderError) as error:
            reply = Reply(554, str(error), "5.6.0")
            self._settle(
                flight, DeliveryState.refused, Cause.answered, "unsendable", str(error), None
            )
            outcome = Outcome(DeliveryState.refused, "unsendable", Blame.message)
            self._watch(Stage.rcpt, outcome, reply)
            return None
        if flight.row.message_hash not in (None, flight.message_hash):
            self._release(flight, "other bytes than at the first attempt")
            self.stop(
                f"The mail to person {flight.row.position} is not what the first attempt sent"
                " any more; nobody is sent such a mail."
            )
            return None
        return message

    def _watch(self, stage: Stage, outcome: Outcome, reply: Reply) -> None:
        """Stops the run when ten people in a row hear one and the same permanent refusal."""
        if outcome.state is DeliveryState.accepted:
            self._same = ("", 0)
        known = outcome.blame is Blame.recipient and outcome.reason != "rejected"
        about_one = known or reply.enhanced.startswith(("5.1.", "5.2."))
        if stage not in (Stage.rcpt, Stage.dot) or reply.code < 500 or about_one:
            return
        status = f"{reply.code} {reply.enhanced}"
        self._same = (status, self._same[1] + 1 if self._same[0] == status else 1)
        if self._same[1] >= _SAME_REFUSALS:
            self.stop(
                f"{_SAME_REFUSALS} people in a row were refused with the same status;"
                f" the last: {reply}"
            )

    def _due(self, attempt: int) -> int:
        """When to try again, in ms: the schedule's delay for this attempt, give or take a tenth."""
        delay = self.retry_after[min(attempt, len(self.retry_after)) - 1]
        wait = delay * self._jitter.uniform(1.0, 1.1)
        return int((self.clock.now().timestamp() + wait) * 1000)

    def _paced(self, now: float) -> bool:
        if now >= self._next_take:
            return True
        if self._pacing is None:

            def allow() -> None:
                self._pacing = None
                self._changed.set()

            self._pacing = self._loop.call_at(self._next_take, allow)
        return False

    # ---- the ledger's exchange ---------------------------------------------------------

    def _tick(self) -> None:
        """Once a second: a heartbeat, a look at the campaign's state, and whatever is due."""
        self._ticking = self._loop.call_later(1.0, self._tick)
        self._exchange(even_if_idle=True)

    def _wake_ledger(self) -> None:
        """Commits when a group is full or the wire is about to run dry; else in a moment."""
        if self._exchanging is not None or self._draining:
            return
        if len(self._settled) >= min(self.pace.group, self.pace.rows) or not (
            self._ready or self._behind
        ):
            self._exchange()
        elif self._committing is None:
            self._committing = self._loop.call_later(0.05, self._exchange)

    def _exchange(self, *, even_if_idle: bool = False) -> None:
        if self._exchanging is not None or self._fault is not None or self._draining:
            return
        if self._committing is not None:
            self._committing.cancel()
            self._committing = None
        settled, self._settled = self._settled, []
        want = 0 if self.stopping else self.pace.rows - len(self._flights) + len(settled)
        if not settled and want <= 0 and not even_if_idle:
            return
        self._exchanging = [row.position for row in settled]
        self._submit(settled, max(want, 0)).add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._exchanged, done)
        )

    def _submit(self, settled: list[Settled], want: int) -> Future[Exchange]:
        now = int(self.clock.now().timestamp() * 1000)

        def work(connection: Connection) -> Exchange:
            return self.ledger.exchange(connection, settled, want, now)

        return self.writer.submit(work)

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
        flights = [
            _Flight(row, self.recorder.claim(row.position, row.attempt), now)
            for row in result.claimed
        ]
        for flight in flights:
            self._flights[flight.row.position] = flight
        self._get_ready(flights)
        self.counts, self.next_due, self.state = (
            result.counts,
            result.next_due,
            result.campaign_state,
        )
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
            len(self._settled) >= self.pace.group
            or (self._settled and not (self._ready or self._behind))
            or go_on
        ):
            self._exchange()

    def _get_ready(self, flights: list[_Flight]) -> None:
        """Has letters signed on other threads first, when they are to be signed."""
        if self.ahead is None:
            self._ready.extend(flights)
            return
        for number in range(0, len(flights), BATCH):
            some = flights[number : number + BATCH]
            self._behind += len(some)
            job = self.ahead.submit([flight.row for flight in some])
            job.add_done_callback(partial(self._hand_back, some))

    def _hand_back(self, flights: list[_Flight], done: Future[list[Rendered]]) -> None:
        """On a signing thread."""
        self._loop.call_soon_threadsafe(self._signed, flights, done)

    def _signed(self, flights: list[_Flight], done: Future[list[Rendered]]) -> None:
        self._behind -= len(flights)
        error = done.exception()
        if error is not None:
            self._fault = self._fault or error
        else:
            for flight, rendered in zip(flights, done.result(), strict=True):
                flight.rendered = rendered
        self._ready.extend(flights)
        self._changed.set()

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

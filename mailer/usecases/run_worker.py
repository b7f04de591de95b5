"""Sees to what waits: starts scheduled campaigns, finishes interrupted ones and deferred people.

Everything that a worker knows lies in the database. It sends by the same use case as a person does,
so it may be killed at any moment: another worker, or `send`, goes on from the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from mailer.errors import BusyError, InputError, StoppedError
from mailer.model.shown import counted
from mailer.model.words import CampaignState
from mailer.ports import Clock, Observer, Source, Transport
from mailer.smtp.opening import OpeningError
from mailer.store import campaigns, runs, schedule, workers
from mailer.store.database import Database
from mailer.store.ledger import campaign_state
from mailer.store.schedule import Open
from mailer.usecases.schedule_campaign import LATE
from mailer.usecases.send_campaign import Schedule, SendReport

STOPPED = "The worker was stopped; the next one goes on."
BY_ITSELF = ("", STOPPED)  # reasons of a pause that nobody asked for
_BEAT = 5.0  # seconds
_LOOK = 1.0  # seconds between two looks at what waits
_BUSY = 5_000  # ms until a campaign is looked at again that somebody else has
_SOON = 1_000  # ms between two runs of one campaign
_NOTHING_DUE = 60_000  # ms: people are left and nobody is due, as outside of the hours of delivery
_PAUSES = (60_000, 120_000, 300_000, 900_000)  # ms, while the mail server can't be reached
_LATE_MS = int(LATE.total_seconds() * 1000)
_DAY_MS = 26 * 3_600_000  # a daily cap stops a campaign for so long at most


class Sender(Protocol):
    """Sends one campaign as the worker asks for it.

    Returns the report, and whether the mail server could not be reached.
    """

    def __call__(
        self, campaign_id: int, only_from: CampaignState, stop: asyncio.Event
    ) -> Awaitable[tuple[SendReport, bool]]: ...


class Reached:
    """A transport that remembers whether the mail server could be reached."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.reached = True

    async def run(self, source: Source, observer: Observer) -> None:
        try:
            await self._transport.run(source, observer)
        except OpeningError as error:  # what is wrong for good, such as a password, is not tried
            self.reached = not error.temporary
            raise


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a worker did or noticed."""

    event: str  # started, sent, asked, busy, trouble
    campaign: str
    words: str
    report: SendReport | None = None


@dataclass(slots=True)
class Worker:
    """One process that sees to what waits, one campaign at a time."""

    db: Database
    clock: Clock
    folder: Path  # where flight recorders lie
    retry_after: tuple[int, ...]
    send: Sender
    require_approval: Callable[[str], None]
    tell: Callable[[Told], None]
    _again_at: dict[int, int] = field(default_factory=dict)  # campaign → ms, not before
    _unreached: dict[int, int] = field(default_factory=dict)  # campaign → how often in a row
    _trouble: dict[str, None] = field(default_factory=dict)  # reasons of pauses to try again after

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set; what is on the wire then is finished."""
        with self.db.write() as connection:
            number = workers.sign_on(connection, self.clock.now())
        beating = asyncio.create_task(self._beat(number))
        try:
            while not stop.is_set():
                try:
                    job = self._next()
                    if job is not None:
                        await self._see_to(job, stop)
                        continue
                except StoppedError as error:  # the database, perhaps
                    self.tell(Told("trouble", "", str(error)))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _LOOK)
        finally:
            beating.cancel()
            with suppress(StoppedError), self.db.write() as connection:
                workers.sign_off(connection, number)

    async def _beat(self, number: int) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            beat = partial(workers.beat, worker=number, now_ms=self._now())
            with suppress(StoppedError):  # the database is busy: the next beat will do
                await asyncio.wrap_future(self.db.writer.submit(beat))

    # ---- what is next -------------------------------------------------------------------

    def _next(self) -> Open | None:
        """The first campaign that is to be seen to now."""
        now = self._now()
        with self.db.read() as connection:
            words = (*BY_ITSELF, *self._trouble)
            for job in schedule.open_campaigns(connection, self.clock.now(), words):
                if self._again_at.get(job.id, 0) > now:
                    continue
                if job.because in self._trouble and job.id not in self._unreached:
                    continue  # another campaign's trouble in the same words
                if self._ready(connection, job, now):
                    return job
        return None

    def _ready(self, connection: Connection, job: Open, now: int) -> bool:
        if job.state is CampaignState.sending:
            return runs.alive(connection, job.id, self.folder, self.clock.now()) is None
        if job.state is CampaignState.scheduled or job.because == STOPPED:
            return True
        due = campaigns.next_due(connection, job.id)
        if due is None:  # people are left, outside of the hours of delivery perhaps
            due = (job.touched_at or 0) + _NOTHING_DUE
        return due <= now or job.id in self._unreached

    def _why_ask(self, job: Open) -> str:
        """Why a person is to decide, or nothing: what is late is never sent unasked."""
        now = self._now()
        if job.state is CampaignState.scheduled:
            if job.not_after is not None and now > job.not_after:
                return "Its time has passed while no worker was there to send it."
            return ""
        idle = now - (job.touched_at or now)
        if job.state is CampaignState.paused and job.because == "":
            late = job.planned > 0 and idle > _DAY_MS
        else:
            late = idle > _LATE_MS or (job.not_after is not None and now > job.not_after)
        return "It was interrupted, and too long ago to go on unasked." if late else ""

    # ---- doing it -----------------------------------------------------------------------

    async def _see_to(self, job: Open, stop: asyncio.Event) -> None:
        why = self._why_ask(job)
        if not why:
            try:
                self.require_approval(job.slug)
                await self._send(job, stop)
            except BusyError:
                self._again_at[job.id] = self._now() + _BUSY
            except InputError as error:
                why = str(error)
        if why:
            self._put_aside(job, why)

    async def _send(self, job: Open, stop: asyncio.Event) -> None:
        words = f"{counted(job.left, 'person is', 'people are')} to be tried."
        self.tell(Told("started", job.slug, words))
        report, unreached = await self.send(job.id, job.state, stop)
        self.tell(Told("sent", job.slug, report.because, report))
        now = self._now()
        self._again_at.pop(job.id, None)
        tries = self._unreached.pop(job.id, 0)
        if unreached and report.state is CampaignState.paused:
            self._unreached[job.id] = tries + 1
            self._trouble[report.because[:500]] = None
            self._again_at[job.id] = now + _PAUSES[min(tries, len(_PAUSES) - 1)]
        elif report.counts.left:
            if report.closed_until is not None:
                self._again_at[job.id] = report.closed_until
            elif report.next_due is None:
                self._again_at[job.id] = now + _NOTHING_DUE
            else:  # due by now, perhaps; but never round and round
                self._again_at[job.id] = now + _SOON

    def _put_aside(self, job: Open, why: str) -> None:
        """Leaves a campaign to a person, with the reason; somebody else's move stays."""
        now = self.clock.now()
        judge = Schedule(self.retry_after, self.clock).judge
        found = runs.Recovered()
        with self.db.write() as connection:
            runs.lock_campaign(connection, self.db.dialect, job.id)
            if campaign_state(connection, job.id) is not job.state:
                return
            if job.state is CampaignState.sending:
                try:
                    found = runs.recover(
                        connection,
                        job.id,
                        folder=self.folder,
                        now=now,
                        judge=judge,
                    )
                except BusyError:
                    return
            fresh = job.state is CampaignState.scheduled and job.touched_at is None
            target = CampaignState.planned if fresh else CampaignState.paused
            runs.move_campaign(connection, job.id, target, now=now)
            schedule.explain_stop(connection, job.id, why)
            campaigns.note_event(
                connection, kind="put_aside", actor="worker", campaign_id=job.id, at=now, detail=why
            )
        found.forget()
        self._unreached.pop(job.id, None)
        self.tell(
            Told("asked", job.slug, f"{why} `mailer campaigns send {job.slug}` sends it now.")
        )

    def _now(self) -> int:
        return runs.milliseconds(self.clock.now())

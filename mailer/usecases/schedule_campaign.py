"""Has a campaign start later: at a time that a worker keeps, or after a moment to think again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.errors import InputError
from mailer.model.words import CampaignState
from mailer.ports import Clock
from mailer.store import campaigns, runs, schedule, workers
from mailer.store.database import Database
from mailer.store.ledger import campaign_state

LATE = timedelta(hours=1)  # later than this after its time a campaign is not sent unasked
_FROM = (
    CampaignState.planned,
    CampaignState.paused,
    CampaignState.scheduled,
    CampaignState.held,
)


def schedule_campaign(
    name: str | int,
    *,
    start_at: datetime,
    not_after: datetime | None,
    db: Database,
    clock: Clock,
) -> datetime:
    """Has a worker send it at ``start_at``, and not after ``not_after``; returns the latter.

    Raises InputError when that time has passed, when no worker is alive to see to it, and when the
    campaign is under way or over.
    """
    now = clock.now()
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        latest = _latest(connection, start_at, not_after, now)
        _require_waiting(campaign_state(connection, campaign.id), campaign.slug)
        runs.move_campaign(connection, campaign.id, CampaignState.scheduled, now=now)
        schedule.write(connection, campaign.id, start_at=start_at, not_after=latest)
        schedule.explain_stop(connection, campaign.id, "")
        schedule.note_destination(connection, campaign.id, "")
        campaigns.note_event(
            connection,
            kind="scheduled",
            actor=db.operator,
            campaign_id=campaign.id,
            at=now,
            detail=f"for {_shown(start_at)}, not after {_shown(latest)}",
        )
    return latest


def require_schedule(
    start_at: datetime, not_after: datetime | None, *, db: Database, clock: Clock
) -> None:
    """Raises InputError as ``schedule_campaign`` would for any campaign that waits."""
    with db.read() as connection:
        _latest(connection, start_at, not_after, clock.now())


def _latest(
    connection: Connection, start_at: datetime, not_after: datetime | None, now: datetime
) -> datetime:
    latest = start_at + LATE if not_after is None else not_after
    if start_at <= now:
        raise InputError(f"{_shown(start_at)} has passed.", hint="Leave --at out to send now.")
    if latest < start_at:
        raise InputError("--not-after is before --at.")
    if not workers.alive(connection, runs.milliseconds(now)):
        raise InputError(
            "No worker is alive to send it then.",
            hint="Start `mailer worker`, let it run, and schedule again.",
        )
    return latest


def hold_campaign(name: str | int, seconds: int, *, db: Database, clock: Clock) -> datetime:
    """Holds a campaign for so long, so that a mistake can be called back; returns until when."""
    now = clock.now()
    until = now + timedelta(seconds=seconds)
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        _require_waiting(campaign_state(connection, campaign.id), campaign.slug)
        runs.move_campaign(connection, campaign.id, CampaignState.held, now=now)
        schedule.write(connection, campaign.id, start_at=until, not_after=None)
    return until


async def wait_out(
    name: str | int,
    until: datetime,
    *,
    db: Database,
    clock: Clock,
    stop: asyncio.Event,
    progress: Callable[[int], None] = lambda seconds: None,
) -> bool:
    """Waits for the end of a hold; False when the campaign was called back, or ``stop`` was set.

    A stop by a signal puts the campaign back to where it was; what somebody else did stays.
    """
    while (left := (until - clock.now()).total_seconds()) > 0:
        with db.read() as connection:
            if campaigns.find(connection, name).state != CampaignState.held:
                return False
        if stop.is_set():
            call_back(name, db=db, clock=clock)
            return False
        progress(int(left) + 1)
        await asyncio.sleep(min(left, 0.25))
    return not stop.is_set()


def note_destination(name: str | int, into: str, *, db: Database) -> None:
    """Writes down whether a send goes into files: no worker then goes on with it by itself."""
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        schedule.note_destination(connection, campaign.id, into)


def call_back(name: str | int, *, db: Database, clock: Clock) -> None:
    """Takes a schedule or hold off a campaign: it waits for a person again."""
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        if campaign_state(connection, campaign.id) in (CampaignState.held, CampaignState.scheduled):
            back = CampaignState.paused if campaign.started_at else CampaignState.planned
            runs.move_campaign(connection, campaign.id, back, now=clock.now())


def _require_waiting(state: CampaignState, slug: str) -> None:
    if state not in _FROM:
        raise InputError(f"The campaign “{slug}” is {state} already.")


def _shown(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %z")

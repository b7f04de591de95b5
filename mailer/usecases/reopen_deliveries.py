"""Decides about people whom nobody knows to have got it, and retries refusals that may be cured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from mailer.errors import InputError
from mailer.model.shown import counted, headcount
from mailer.model.words import CampaignState, DeliveryState
from mailer.ports import Clock
from mailer.store import campaigns, runs, schedule
from mailer.store.database import Database
from mailer.store.ledger import campaign_state
from mailer.usecases.send_campaign import Schedule


def resend_unknown(
    name: str | int, *, db: Database, clock: Clock, folder: Path, retry_after: tuple[int, ...]
) -> int:
    """Puts unknown people back to ``planned``: they may get a second copy. Returns how many."""

    def move(connection: Connection, campaign_id: int, now: int) -> int:
        return campaigns.decide_unknown(connection, campaign_id, DeliveryState.planned, now)

    return _reopen(name, "unknown_resent", move, db, clock, folder, retry_after)


def skip_unknown(
    name: str | int, *, db: Database, clock: Clock, folder: Path, retry_after: tuple[int, ...]
) -> int:
    """Leaves unknown people as they are: they may have got none. Returns how many."""

    def move(connection: Connection, campaign_id: int, now: int) -> int:
        return campaigns.decide_unknown(connection, campaign_id, DeliveryState.skipped, now)

    return _reopen(name, "unknown_skipped", move, db, clock, folder, retry_after)


def retry_refused(
    name: str | int, *, db: Database, clock: Clock, folder: Path, retry_after: tuple[int, ...]
) -> int:
    """Puts people whose refusal may be cured back to ``planned``. Returns how many."""
    return _reopen(name, "refused_retried", campaigns.retry_refused, db, clock, folder, retry_after)


def _reopen(
    name: str | int,
    kind: str,
    move: Callable[[Connection, int, int], int],
    db: Database,
    clock: Clock,
    folder: Path,
    retry_after: tuple[int, ...],
) -> int:
    """Moves rows of a campaign that nobody is sending. Raises BusyError when somebody is."""
    now = clock.now()
    judge = Schedule(retry_after, clock).judge
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        found = runs.recover(connection, campaign.id, folder=folder, now=now, judge=judge)
        if campaign.state == CampaignState.cancelled and kind != "unknown_skipped":
            raise InputError(
                f"The campaign “{campaign.slug}” is cancelled: nobody is sent it any more.",
                hint=f"`mailer campaigns unknown {campaign.slug} --skip` closes the doubtful ones.",
            )
        people = move(connection, campaign.id, runs.milliseconds(now))
        if people and kind != "unknown_skipped":
            back = counted(people, "person was", "people were")
            why = f"{back} put back to planned. They wait for a send."
            schedule.explain_stop(connection, campaign.id, why)
        finished = campaign_state(connection, campaign.id) is CampaignState.finished
        if finished and runs.left_to_try(connection, campaign.id):
            runs.move_campaign(connection, campaign.id, CampaignState.paused, now=now)
        campaigns.note_event(
            connection,
            kind=kind,
            actor=db.operator,
            campaign_id=campaign.id,
            at=now,
            detail=headcount(people),
        )
    found.forget()
    return people

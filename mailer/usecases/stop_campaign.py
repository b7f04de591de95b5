"""Pauses a campaign, or cancels what is left of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from mailer.errors import BusyError, InputError
from mailer.model.words import CampaignState
from mailer.ports import Clock
from mailer.store import campaigns, runs, schedule
from mailer.store.database import Database
from mailer.usecases.send_campaign import Schedule


@dataclass(frozen=True, slots=True)
class Stopped:
    """A campaign that was stopped.

    ``skipped``: how many it will not be sent to, for good. ``sending``: a process has more in hand,
    and skips what of it has not begun.
    """

    campaign: int
    slug: str
    skipped: int = 0
    sending: bool = False


def require_unfinished(name: str | int, *, db: Database) -> str:
    """The slug of a campaign that may be cancelled, before anybody is asked. Raises InputError."""
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
    _refuse(campaign, CampaignState.finished)
    return str(campaign.slug)


def pause_campaign(name: str | int, *, db: Database, clock: Clock) -> Stopped:
    """Tells whoever sends it to stop: within a second it takes nothing more.

    What is on the wire is finished; the rest goes back to ``planned`` and waits for ``resume``.
    Raises InputError when it is over.
    """
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        campaign = campaigns.find(connection, campaign.id)  # what it is by now, and stays
        _refuse(campaign, CampaignState.finished, CampaignState.cancelled)
        runs.move_campaign(connection, campaign.id, CampaignState.paused, now=clock.now())
        schedule.explain_stop(connection, campaign.id, "It was paused.")
        campaigns.note_event(
            connection, kind="paused", actor=db.operator, campaign_id=campaign.id, at=clock.now()
        )
    return Stopped(campaign.id, campaign.slug)


def cancel_campaign(
    name: str | int, *, db: Database, clock: Clock, folder: Path, retry_after: tuple[int, ...]
) -> Stopped:
    """Turns whoever has not been sent it yet into skipped, for good.

    While another process sends it, that one skips the rest when it stops, within a second.
    Cancelled again, it settles what that process left if it died. Raises InputError when the
    campaign is finished.
    """
    now = clock.now()
    judge = Schedule(retry_after, clock).judge
    found = runs.Recovered()
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        try:
            found = runs.recover(connection, campaign.id, folder=folder, now=now, judge=judge)
        except BusyError:
            sent_elsewhere = True  # the state below reaches it with its next group
        else:
            sent_elsewhere = False
        _refuse(campaigns.find(connection, campaign.id), CampaignState.finished)
        runs.move_campaign(connection, campaign.id, CampaignState.cancelled, now=now)
        skipped = campaigns.skip_rest(connection, campaign.id, "cancelled", runs.milliseconds(now))
        campaigns.note_event(
            connection,
            kind="cancelled",
            actor=db.operator,
            campaign_id=campaign.id,
            at=now,
            detail="while it was being sent" if sent_elsewhere else "",
        )
    found.forget()
    return Stopped(campaign.id, campaign.slug, skipped, sent_elsewhere)


def _refuse(campaign: Row[Any], *states: CampaignState) -> None:
    if campaign.state in states:
        raise InputError(
            f"The campaign “{campaign.slug}” is {campaign.state} already.",
            hint=f"`mailer campaigns show {campaign.slug}` tells what became of everybody.",
        )

"""Pauses a campaign, or cancels what is left of it."""

from __future__ import annotations

from pathlib import Path

from mailer.errors import BusyError, InputError
from mailer.model.words import CampaignState
from mailer.ports import Clock
from mailer.store import campaigns, runs, schedule
from mailer.store.database import Database
from mailer.usecases.send_campaign import Schedule


def pause_campaign(name: str | int, *, db: Database, clock: Clock) -> int:
    """Tells whoever sends it to stop: within a second it takes nothing more. Returns its number.

    What is on the wire is finished; the rest goes back to ``planned`` and waits for ``resume``.
    """
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        if campaign.state in (CampaignState.finished, CampaignState.cancelled):
            raise InputError(f"The campaign “{campaign.slug}” is {campaign.state} already.")
        runs.move_campaign(connection, campaign.id, CampaignState.paused, now=clock.now())
        schedule.explain_stop(connection, campaign.id, "It was paused.")
        campaigns.note_event(
            connection, kind="paused", actor=db.operator, campaign_id=campaign.id, at=clock.now()
        )
    return int(campaign.id)


def cancel_campaign(
    name: str | int, *, db: Database, clock: Clock, folder: Path, retry_after: tuple[int, ...]
) -> int:
    """Turns whoever has not been sent it yet into skipped, for good. Returns how many.

    While another process sends it, that one skips the rest when it stops, within a second.
    """
    now = clock.now()
    judge = Schedule(retry_after, clock).judge
    found = runs.Recovered()
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        try:
            found = runs.recover(
                connection, db.dialect, campaign.id, folder=folder, now=now, judge=judge
            )
        except BusyError:
            sent_elsewhere = True  # the state below reaches it with its next group
        else:
            sent_elsewhere = False
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
    return skipped

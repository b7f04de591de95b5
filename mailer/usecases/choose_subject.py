"""Gives the rest of a campaign one of two subjects, by somebody's word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Row

from mailer.errors import InputError
from mailer.model.words import CampaignState
from mailer.ports import Clock
from mailer.store import campaigns, runs, splits
from mailer.store.database import Database
from mailer.usecases.decide_subject import MANUAL, Choice, choose, chosen_already
from mailer.usecases.send_campaign import Schedule


def choose_subject(
    name: str | int,
    version: str,
    *,
    db: Database,
    clock: Clock,
    folder: Path,
    retry_after: tuple[int, ...],
) -> Choice:
    """Gives the rest the subject ``a`` or ``b``, as somebody says.

    Choosing the same again does no harm, and completes a choice that was broken off. Raises
    InputError where nothing is to be chosen, BusyError while a process sends the campaign.
    """
    now = clock.now()
    judge = Schedule(retry_after, clock).judge
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        campaign = campaigns.find(connection, campaign.id)
        _require_choice(campaign, version)
        found = runs.recover(connection, campaign.id, folder=folder, now=now, judge=judge)
    found.forget()
    return choose(campaign, version, MANUAL, {}, db=db, clock=clock)


def _require_choice(campaign: Row[Any], version: str) -> None:
    if version not in splits.VERSIONS:
        raise InputError(f"“{version[:20]}” is no subject of two.", hint="Say a or b.")
    if campaign.frozen.get("split") is None:
        raise InputError(
            f"The campaign “{campaign.slug}” has one subject.",
            hint="`mailer campaigns plan PATH --list NAME --split 20%` tests two.",
        )
    if campaign.chosen and campaign.chosen != version:
        raise chosen_already(campaign, campaign.chosen)
    if campaign.state == CampaignState.cancelled:
        raise InputError(f"The campaign “{campaign.slug}” is cancelled.")
    if campaign.started_at is None:
        raise InputError(
            "Nobody has got either subject yet.",
            hint=f"`mailer campaigns send {campaign.slug}` sends the test.",
        )

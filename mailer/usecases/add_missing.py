"""Takes into a campaign's audience who is on its list by now and is not in its ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from mailer.compose.languages import Offered, choose
from mailer.errors import InputError
from mailer.message.compiled import CompiledMessage
from mailer.model.measuring import by_person
from mailer.model.shown import headcount
from mailer.model.words import CampaignState
from mailer.ports import Clock
from mailer.store import campaigns, missing, runs, splits
from mailer.store.audience import IN_AUDIENCE, Selection
from mailer.store.crowd import gathered
from mailer.store.database import Database
from mailer.usecases.freeze_audience import Frozen, freeze_audience
from mailer.usecases.select_audience import select_again
from mailer.usecases.send_campaign import Schedule


@dataclass(frozen=True, slots=True)
class Added:
    """How many came in. ``excluded`` are the others of the list: reason → people."""

    campaign: int
    slug: str
    added: int
    excluded: Mapping[str, int]


def count_missing(name: str | int, *, db: Database, clock: Clock) -> Added:
    """Who would be added; nothing is written. Raises as ``add_missing`` does."""
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        _require_open(connection, campaign)
        selection = select_again(connection, campaign, clock.now())
    with gathered(db, selection, (), {}) as crowd:
        return Added(campaign.id, campaign.slug, crowd.size, _without_own(crowd.excluded))


def add_missing(
    name: str | int,
    *,
    db: Database,
    clock: Clock,
    folder: Path,
    retry_after: tuple[int, ...],
    lane_of: Mapping[str, str],
) -> Added:
    """Adds them with the content, rules, caps and exclusions that the plan froze.

    1. Refuse a campaign that is over for good, or that is being sent; settle what a dead run left.
    2. Choose anew from the list, without whoever has a row in the ledger, in whatever state: who
       was skipped because they had left is not brought back by this.
    3. Evaluate each slot for each of them, in their language, and write them in slices.

    Twice adds nobody twice. The audience grows, so an approval is void. Raises InputError when it
    is refused or somebody lacks a value that the mail needs, BusyError when a process sends it.
    """
    now = clock.now()
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        _require_open(connection, campaign)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        judge = Schedule(retry_after, clock).judge
        found = runs.recover(
            connection, db.dialect, campaign.id, folder=folder, now=now, judge=judge
        )
    found.forget()
    with db.read() as connection:
        selection = select_again(connection, campaign, now)
        version = campaign.chosen or splits.A
        variants = [
            row for row in campaigns.variants(connection, campaign.id) if row.version == version
        ]
        behind = missing.last_position(connection, campaign.id)
    frozen = _freeze(campaign, variants, selection, behind, db=db, clock=clock, lane_of=lane_of)
    if frozen.audience:
        with db.write() as connection:
            campaigns.note_event(
                connection,
                kind="missing_added",
                actor=db.operator,
                campaign_id=campaign.id,
                at=now,
                detail=headcount(frozen.audience),
            )
    return Added(campaign.id, campaign.slug, frozen.audience, _without_own(frozen.excluded))


def _freeze(
    campaign: Row[Any],
    variants: Any,
    selection: Selection,
    behind: int,
    *,
    db: Database,
    clock: Clock,
    lane_of: Mapping[str, str],
) -> Frozen:
    offered = [
        Offered(each["language"], tuple(each.get("also_for", ())))
        for each in campaign.frozen["variants"]
    ]
    return freeze_audience(
        campaign.id,
        [row.id for row in variants],
        [CompiledMessage.load(row.compiled) for row in variants],
        lambda language: choose(language, offered),
        db=db,
        selection=selection,
        lane_of=lane_of,
        site_url=campaign.frozen["site_url"],
        behind=behind,
        joining=missing.Extension(db.dialect, campaign.id, behind, clock.now()).joining,
        measured=[CompiledMessage.load(row.measured or row.compiled) for row in variants],
        by_person=by_person(campaign.frozen),
    )


def _require_open(connection: Connection, campaign: Row[Any]) -> None:
    mailing_list = campaigns.list_of(connection, campaign.list_id)
    if campaign.state == CampaignState.cancelled:
        raise InputError(
            f"The campaign “{campaign.slug}” is cancelled: nobody is added to it.",
            hint="Plan the issue again; whoever got it is left out.",
        )
    if campaign.state not in missing.OPEN:
        raise InputError(
            f"The campaign “{campaign.slug}” is {campaign.state}.",
            hint=f"Call it back with `mailer campaigns pause {campaign.slug}` first.",
        )
    if splits.waits(connection, campaign.id):
        raise InputError(
            "The rest of the audience waits for a choice between two subjects.",
            hint=f"`mailer campaigns choose {campaign.slug} a|b` first.",
        )
    if mailing_list.archived_at is not None:
        raise InputError(
            f"The list “{mailing_list.name}” is archived.",
            hint=f"`mailer lists archive {mailing_list.name} --back` takes it back into use.",
        )


def _without_own(excluded: Mapping[str, int]) -> dict[str, int]:
    return {why: people for why, people in excluded.items() if why != IN_AUDIENCE}

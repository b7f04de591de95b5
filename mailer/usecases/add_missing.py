"""Takes into a campaign's audience who is on its list by now and is not in its ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from mailer.compose.languages import Offered, choose
from mailer.errors import Fault, InputError
from mailer.message.compiled import CompiledMessage
from mailer.model.measuring import by_person
from mailer.model.shown import headcount
from mailer.model.words import CampaignState
from mailer.ports import Clock
from mailer.store import campaigns, missing, runs, splits
from mailer.store.audience import IN_AUDIENCE, Selection
from mailer.store.crowd import gathered
from mailer.store.database import Database
from mailer.usecases.freeze_audience import (
    Frozen,
    Longest,
    examine,
    freeze_audience,
    names_in,
)
from mailer.usecases.select_audience import select_again
from mailer.usecases.send_campaign import Schedule


@dataclass(frozen=True, slots=True)
class Added:
    """How many came in. ``excluded`` are the others of the list: reason → people.

    ``warnings`` are about letters that come close to what Gmail shows.
    """

    campaign: int
    slug: str
    added: int
    excluded: Mapping[str, int]
    warnings: Sequence[Fault] = ()


def count_missing(name: str | int, *, db: Database, clock: Clock) -> Added:
    """Who would be added, and how their letters are; nothing is written. Raises as ``add_missing``
    does.
    """
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        _require_open(connection, campaign)
        selection = select_again(connection, campaign, clock.now())
        content = _Content.of(connection, campaign)
    names, by_people = names_in(content.letters), by_person(campaign.frozen)
    with gathered(db, selection, names, {}, measured=by_people) as crowd:
        longest = examine(
            crowd.values(),
            content.letters,
            {language: content.choose(language) for language in crowd.languages},
            measured=content.measured,
            site_url=campaign.frozen["site_url"],
        )
        content.allow(longest)
        found = _without_own(crowd.excluded)
        return Added(campaign.id, campaign.slug, crowd.size, found, content.warnings(longest))


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
    3. Evaluate each slot for each of them, in their language, measure the longest letters, and
       write them in slices.

    Twice adds nobody twice. The audience grows, so an approval is void. Raises InputError when it
    is refused, or somebody lacks a value that the mail needs or would get more than Gmail shows,
    and nobody is added then; BusyError when a process sends it.
    """
    now = clock.now()
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        _require_open(connection, campaign)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        judge = Schedule(retry_after, clock).judge
        found = runs.recover(connection, campaign.id, folder=folder, now=now, judge=judge)
    found.forget()
    with db.read() as connection:
        selection = select_again(connection, campaign, now)
        content = _Content.of(connection, campaign)
        behind = missing.last_position(connection, campaign.id)
    frozen = _freeze(campaign, content, selection, behind, db=db, clock=clock, lane_of=lane_of)
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
    excluded = _without_own(frozen.excluded)
    warnings = content.warnings(frozen.longest)
    return Added(campaign.id, campaign.slug, frozen.audience, excluded, warnings)


@dataclass(frozen=True, slots=True)
class _Content:
    """What newcomers get: the letters of the plan, under the subject that was chosen, if any."""

    variants: Sequence[int]  # rows' ids
    letters: Sequence[CompiledMessage]
    measured: Sequence[CompiledMessage]
    offered: Sequence[Offered]
    any_size: Sequence[bool]  # the author silenced the rule about what Gmail hides

    @classmethod
    def of(cls, connection: Connection, campaign: Row[Any]) -> _Content:
        version = campaign.chosen or splits.A
        rows = [
            row for row in campaigns.variants(connection, campaign.id) if row.version == version
        ]
        languages = campaign.frozen["variants"]
        return cls(
            [row.id for row in rows],
            [CompiledMessage.load(row.compiled) for row in rows],
            [CompiledMessage.load(row.measured or row.compiled) for row in rows],
            [Offered(each["language"], tuple(each.get("also_for", ()))) for each in languages],
            # Of a campaign that was planned before this was kept, nobody can tell any more.
            [each.get("any_size", True) for each in languages],
        )

    def choose(self, language: str | None) -> int:
        return choose(language, self.offered)

    def allow(self, longest: Sequence[Longest | None]) -> None:
        """Raises InputError when somebody would get a letter of which Gmail hides the end."""
        faults = [fault for each, fault in self._faults(longest) if each.is_cut]
        if faults:
            raise InputError(faults)

    def warnings(self, longest: Sequence[Longest | None]) -> Sequence[Fault]:
        return [fault for each, fault in self._faults(longest) if not each.is_cut]

    def _faults(self, longest: Sequence[Longest | None]) -> Iterator[tuple[Longest, Fault]]:
        for each, any_size in zip(longest, self.any_size, strict=True):
            fault = each.fault() if each is not None and not any_size else None
            if each is not None and fault is not None:
                yield each, replace(fault, hint="Shorten the values that it shows for them.")


def _freeze(
    campaign: Row[Any],
    content: _Content,
    selection: Selection,
    behind: int,
    *,
    db: Database,
    clock: Clock,
    lane_of: Mapping[str, str],
) -> Frozen:
    return freeze_audience(
        campaign.id,
        content.variants,
        content.letters,
        content.choose,
        db=db,
        selection=selection,
        lane_of=lane_of,
        site_url=campaign.frozen["site_url"],
        behind=behind,
        joining=missing.Extension(db.dialect, campaign.id, behind, clock.now()).joining,
        measured=content.measured,
        by_person=by_person(campaign.frozen),
        allow=content.allow,
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

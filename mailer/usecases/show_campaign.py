"""Tells how a campaign stands: counts that add up, reasons with how many each, and what is next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from mailer.model.measuring import ClickMode, LoadMode
from mailer.model.words import CampaignState, Counts, DeliveryState
from mailer.ports import Clock
from mailer.store import campaigns, runs, splits, workers
from mailer.store.database import Database
from mailer.store.ledger import counts
from mailer.store.splits import Measured
from mailer.usecases.decide_subject import RULES


@dataclass(frozen=True, slots=True)
class VariantReport:
    """How the readers of one language stand."""

    language: str
    subject: str
    web_url: str
    counts: Counts
    version: str = "a"  # which of two subjects


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """One campaign as it stands. ``sender`` is "pid on host" of the process sending it now."""

    campaign: int
    slug: str
    issue: str
    subject: str
    sender_address: str
    list_name: str
    state: CampaignState
    counts: Counts
    excluded: Mapping[str, int]
    reasons: Mapping[DeliveryState, Mapping[str, int]]
    replies: Mapping[str, str]
    planned_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float
    per_second: float
    because: str
    next_due: int | None
    sender: str
    web_url: str
    selection: Mapping[str, Any]  # the segment, lists and cap that it was planned with; or nothing
    signed_as: str = ""  # by DKIM: domain and selector; empty when the mails are not signed here
    approved: Mapping[str, str] = field(default_factory=dict)  # by whom and when, or nothing
    start_at: datetime | None = None  # of a schedule or a hold
    not_after: datetime | None = None
    late: bool = False  # it is scheduled, and the latest time for it has passed
    spread_until: datetime | None = None  # sent evenly until then
    added: int = 0  # of the audience, since the plan
    worker: bool = False  # whether one is alive that would see to it
    withdrawn: str = ""  # why; empty: it is not
    in_archive: bool = True
    clicks: ClickMode = ClickMode.off  # what is measured of its links
    image_loads: LoadMode = LoadMode.off  # and of its picture
    variants: Sequence[VariantReport] = ()  # of one campaign with several, the default first
    split: SplitReport | None = None


@dataclass(frozen=True, slots=True)
class SplitReport:
    """A test between two subjects; ``measured``: what each rule counts of each, so far."""

    a: str
    b: str
    share: float  # of the audience, both together
    winner: str  # the rule's name
    rule: str  # in words
    waits: bool  # the rest waits
    decide_at: int | None  # ms: when the rule chooses
    chosen: str  # a, b, or nothing yet
    measured: Mapping[str, Mapping[str, Measured]]


def _signed_as(dkim: Mapping[str, Any] | None) -> str:
    return f"{dkim['domain']}, selector {dkim['selector']}" if dkim else ""


def show_campaign(name: str | int, *, db: Database, clock: Clock, folder: Path) -> CampaignReport:
    """One campaign, by number or slug. Raises NotFoundError."""
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        report = _report(connection, campaign, clock, folder)
        return replace(
            report,
            variants=_variants(connection, campaign),
            split=_split(connection, campaign),
        )


def show_campaigns(*, db: Database, clock: Clock, folder: Path) -> Sequence[CampaignReport]:
    """The newest campaigns first."""
    with db.read() as connection:
        rows = campaigns.recent(connection)
        return [_report(connection, row, clock, folder) for row in rows]


def _report(
    connection: Connection, campaign: Row[Any], clock: Clock, folder: Path
) -> CampaignReport:
    stand = counts(connection, campaign.id)
    run = runs.alive(connection, campaign.id, folder, clock.now())
    answered = stand.accepted + stand.refused
    seconds = float(campaign.wire_seconds)
    return CampaignReport(
        campaign=campaign.id,
        slug=campaign.slug,
        issue=campaign.issue,
        subject=campaign.subject,
        sender_address=campaign.frozen["from"],
        list_name=campaigns.list_of(connection, campaign.list_id).name,
        state=CampaignState(campaign.state),
        counts=stand,
        excluded=campaigns.exclusions(connection, campaign.id),
        reasons=campaigns.reasons(connection, campaign.id),
        replies=campaigns.sample_replies(connection, campaign.id),
        planned_at=campaign.planned_at,
        started_at=campaign.started_at,
        finished_at=campaign.finished_at,
        seconds=round(seconds, 3),
        per_second=round(answered / seconds, 1) if seconds else 0.0,
        because=campaign.stopped_because,
        next_due=campaigns.next_due(connection, campaign.id),
        sender=f"{run.pid} on {run.host}" if run is not None else "",
        web_url=f"{campaign.frozen['site_url']}/w/{campaign.web_key}",
        signed_as=_signed_as(campaign.frozen.get("dkim")),
        selection=campaign.frozen.get("selection", {}),
        withdrawn=campaign.withdrawn_because,
        in_archive=bool(campaign.in_archive),
        clicks=ClickMode(campaign.frozen.get("clicks", ClickMode.off)),
        image_loads=LoadMode(campaign.frozen.get("image_loads", LoadMode.off)),
        start_at=campaign.start_at,
        not_after=campaign.not_after,
        late=campaign.state == CampaignState.scheduled
        and campaign.not_after is not None
        and clock.now() > campaign.not_after,
        added=campaign.added,
        spread_until=campaign.spread_until,
        worker=bool(workers.alive(connection, runs.milliseconds(clock.now()))),
        approved={name: campaign.approval[name] for name in ("by", "at")}
        if campaign.approval
        else {},
    )


def _variants(connection: Connection, campaign: Row[Any]) -> Sequence[VariantReport]:
    """Counted over the ledger, and only when there are several: one variant has all the counts."""
    variants = campaigns.variants(connection, campaign.id)
    if len(variants) < 2:
        return ()
    counted = campaigns.variant_counts(connection, campaign.id)
    home = f"{campaign.frozen['site_url']}/w/{campaign.web_key}"
    told = {("a", each["language"]): each["subject"] for each in campaign.frozen["variants"]}
    for each in campaign.frozen.get("split", {}).get("subjects", ()):
        told["b", each["language"]] = each["subject"]
    found = []
    for variant in variants:
        stand = counted.get(variant.id, {})
        people = Counts(audience=sum(stand.values()), **stand)
        web_url = f"{home}/{variant.language}"
        subject = told[variant.version, variant.language]
        found.append(VariantReport(variant.language, subject, web_url, people, variant.version))
    return found


def _split(connection: Connection, campaign: Row[Any]) -> SplitReport | None:
    split = campaign.frozen.get("split")
    if split is None:
        return None
    rule = RULES[split["winner"]]
    return SplitReport(
        a=campaign.subject,
        b=split["subjects"][0]["subject"],
        share=split["share"],
        winner=split["winner"],
        rule=rule.says,
        waits=splits.waits(connection, campaign.id),
        decide_at=splits.decides_at(connection, campaign.id),
        chosen=campaign.chosen,
        measured={
            name: each.measure(connection, campaign.id)
            for name, each in RULES.items()
            if each.measure and each.counts_in(campaign.frozen)
        },
    )

"""Reports how often the links of a campaign were followed, with machines and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.model.measuring import ClickMode, Measured
from mailer.store import campaigns, clicks
from mailer.store.clicks import LinkCount
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class ClicksReport(Measured):
    """What was counted of a campaign's links, and of each of them."""

    links: Sequence[LinkCount] = ()


def report_clicks(name: str | int, *, db: Database, rules_dated: str) -> ClicksReport:
    """The links of one campaign. Raises NotFoundError."""
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        mode = ClickMode(campaign.frozen.get("clicks", ClickMode.off))
        if mode is ClickMode.off:
            return ClicksReport(mode)
        links = clicks.counts(connection, campaign.id)
        by_person = mode is ClickMode.people
        return ClicksReport(
            mode,
            raw=sum(each.raw for each in links),
            filtered=sum(each.filtered for each in links),
            people=clicks.people(connection, campaign.id) if by_person else None,
            measured=clicks.measured_people(connection, campaign.id) if by_person else None,
            left_out=clicks.verdicts(connection, campaign.id),
            links=links,
            rules_dated=rules_dated,
        )

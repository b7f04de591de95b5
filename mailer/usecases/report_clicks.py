"""Reports how often the links of a campaign were followed, with machines and without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mailer.model.measuring import ClickMode
from mailer.store import campaigns, clicks
from mailer.store.clicks import LinkCount
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class ClicksReport:
    """``raw`` is every click, ``filtered`` what is left without what the rules take for machines.

    ``people`` are different readers among the filtered, and ``measured`` how many of the audience
    say yes to being measured now; both are None where nobody is named.
    """

    mode: ClickMode
    raw: int = 0
    filtered: int = 0
    people: int | None = None
    measured: int | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)  # verdict → clicks
    links: Sequence[LinkCount] = ()
    rules_dated: str = ""


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

"""Reports how often a campaign's picture was loaded: machines apart, and never as people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailer.model.measuring import LoadMode
from mailer.store import campaigns, clicks
from mailer.store.clicks import Log
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class LoadsReport:
    """``raw`` is every load, ``filtered`` what is left without what the rules take for machines.

    ``people`` are different readers from whose mails the filtered came, and ``measured`` how many
    of the audience say yes to being measured now; both are None where nobody is named.
    """

    mode: LoadMode
    raw: int = 0
    filtered: int = 0
    people: int | None = None
    measured: int | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)  # verdict → loads
    rules_dated: str = ""


def report_image_loads(name: str | int, *, db: Database, rules_dated: str) -> LoadsReport:
    """The loads of one campaign's picture. Raises NotFoundError."""
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        mode = LoadMode(campaign.frozen.get("image_loads", LoadMode.off))
        if mode is LoadMode.off:
            return LoadsReport(mode)
        count = clicks.load_count(connection, campaign.id)
        named = mode is LoadMode.people
        return LoadsReport(
            mode,
            raw=count.raw,
            filtered=count.filtered,
            people=clicks.people(connection, campaign.id, Log.loads) if named else None,
            measured=clicks.measured_people(connection, campaign.id) if named else None,
            left_out=clicks.verdicts(connection, campaign.id, Log.loads),
            rules_dated=rules_dated,
        )

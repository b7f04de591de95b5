"""Reports how often a campaign's picture was loaded: machines apart, and never as people."""

from __future__ import annotations

from mailer.model.measuring import LoadMode, Measured
from mailer.store import campaigns, clicks
from mailer.store.clicks import Log
from mailer.store.database import Database


def report_image_loads(name: str | int, *, db: Database, rules_dated: str) -> Measured:
    """The loads of one campaign's picture. Raises NotFoundError."""
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        mode = LoadMode(campaign.frozen.get("image_loads", LoadMode.off))
        if mode is LoadMode.off:
            return Measured(mode)
        count = clicks.load_count(connection, campaign.id)
        named = mode is LoadMode.people
        return Measured(
            mode,
            raw=count.raw,
            filtered=count.filtered,
            people=clicks.people(connection, campaign.id, Log.loads) if named else None,
            measured=clicks.measured_people(connection, campaign.id) if named else None,
            left_out=clicks.verdicts(connection, campaign.id, Log.loads),
            rules_dated=rules_dated,
        )

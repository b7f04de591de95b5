"""Tells how far a campaign is with each mailbox provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.store.database import Database
from mailer.store.lanes import lanes_of


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider's people: so many were taken up by now; ``resting_until`` is in ms."""

    name: str
    taken: int
    people: int
    resting_until: int | None = None


def show_providers(campaign_id: int, *, db: Database, now_ms: int) -> Sequence[Provider]:
    """Each provider of a campaign, the largest first; who waits for a choice is not among them."""
    found: dict[str, Provider] = {}
    with db.read() as connection:
        for lane in lanes_of(connection, campaign_id):
            before = found.get(lane.name, Provider(lane.name, 0, 0))
            rests = lane.resume_at if (lane.resume_at or 0) > now_ms else before.resting_until
            found[lane.name] = Provider(
                lane.name,
                before.taken + lane.cursor - lane.first + 1,
                before.people + lane.last - lane.first + 1,
                rests,
            )
    return sorted(found.values(), key=lambda each: (-each.people, each.name))

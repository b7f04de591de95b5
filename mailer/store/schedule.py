"""When campaigns are to start, and which of them a worker has to see to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, text, update
from sqlmodel import col
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.model.campaigns import Campaign
from mailer.model.words import CampaignState


@dataclass(frozen=True, slots=True)
class Open:
    """A campaign that a worker may have to see to; instants are ms."""

    id: int
    slug: str
    state: CampaignState
    start_at: int | None
    not_after: int | None
    planned: int
    left: int  # to be tried, those under way among them
    touched_at: int | None  # when a run of it was last seen
    because: str


def write(
    connection: Connection,
    campaign_id: int,
    *,
    start_at: datetime | None,
    not_after: datetime | None,
) -> None:
    connection.execute(
        update(Campaign)
        .where(col(Campaign.id) == campaign_id)
        .values(start_at=start_at, not_after=not_after)
    )


def spread(connection: Connection, campaign_id: int, until: datetime | None) -> None:
    """Until when a campaign is sent evenly; None: as fast as may be."""
    connection.execute(
        update(Campaign).where(col(Campaign.id) == campaign_id).values(spread_until=until)
    )


def note_destination(connection: Connection, campaign_id: int, into: str) -> None:
    """Where a campaign goes: files, or the mail server (empty)."""
    connection.execute(
        update(Campaign).where(col(Campaign.id) == campaign_id).values(destination=into)
    )


def explain_stop(connection: Connection, campaign_id: int, because: str) -> None:
    """Writes down why nobody is sending a campaign that has people left."""
    connection.execute(
        update(Campaign)
        .where(col(Campaign.id) == campaign_id)
        .values(stopped_because=because[:500])
    )


def open_campaigns(
    connection: Connection, now: datetime, stopped_by_itself: Collection[str]
) -> list[Open]:
    """What is scheduled for now or earlier, was interrupted, or stopped with no reason of its own.

    ``stopped_by_itself`` are the words of a pause that nobody asked for.
    """
    rows = connection.execute(
        text(
            "SELECT c.id, c.slug, c.state, c.start_at, c.not_after, c.stopped_because, t.planned,"
            ' t.planned + t.sending + t."deferred" AS people,'
            " (SELECT max(r.heartbeat_at) FROM run r WHERE r.campaign_id = c.id) AS touched_at"
            " FROM campaign c JOIN tally t ON t.campaign_id = c.id"
            " WHERE c.destination = '' AND (c.state = 'sending'"
            " OR (c.state = 'scheduled' AND c.start_at <= :now)"
            " OR (c.state = 'paused' AND c.stopped_because IN :words"
            '     AND t.planned + t.sending + t."deferred" > 0))'
            " ORDER BY c.start_at, c.id"
        )
        .bindparams(
            bindparam("now", now, UTCDateTime()),
            bindparam("words", list(stopped_by_itself), expanding=True),
        )
        .columns(start_at=UTCDateTime(), not_after=UTCDateTime())
    )
    return [
        Open(
            row.id,
            row.slug,
            CampaignState(row.state),
            _ms(row.start_at),
            _ms(row.not_after),
            row.planned,
            row.people,
            row.touched_at,
            row.stopped_because,
        )
        for row in rows
    ]


def schedule_of(connection: Connection, campaign_id: int) -> tuple[Any, Any]:
    """When it is to start and the latest time for that; None where nothing was said."""
    row = connection.execute(
        select(col(Campaign.start_at), col(Campaign.not_after)).where(
            col(Campaign.id) == campaign_id
        )
    ).one()
    return row[0], row[1]


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)

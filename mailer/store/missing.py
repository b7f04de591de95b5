"""Takes people into the audience of a campaign that is planned already.

Each slice is one transaction: its deliveries, their places in lanes and the counts. So the counts
balance at every instant, and what a killed process had not written is simply still missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from mailer.errors import BusyError
from mailer.model.words import CampaignState
from mailer.store import runs, schedule
from mailer.store.crowd import Joining
from mailer.store.ledger import campaign_state

OPEN = (
    CampaignState.planned,
    CampaignState.scheduled,
    CampaignState.sending,  # whose process is dead
    CampaignState.paused,
    CampaignState.finished,
)


def last_position(connection: Connection, campaign_id: int) -> int:
    """The last place of an audience, 0 where nobody is in it."""
    return int(
        connection.execute(
            text("SELECT coalesce(max(position), 0) FROM delivery WHERE campaign_id = :campaign"),
            {"campaign": campaign_id},
        ).scalar_one()
    )


@dataclass(frozen=True, slots=True)
class Extension:
    """People who come into a campaign's audience behind its last position."""

    dialect: str
    campaign_id: int
    behind: int
    now: datetime

    def joining(self, lanes: Sequence[tuple[str, int]]) -> Joining:
        """What belongs to each slice: ``lanes`` are names with people, in the order of places."""

        def join(connection: Connection, first: int, last: int) -> None:
            self._hold(connection, first)
            begin = 1
            number = self._next_lane(connection)
            for name, people in lanes:
                end = begin + people - 1
                lo, hi = max(begin, first), min(end, last)
                if lo == begin and lo <= hi:
                    self._open_lane(connection, number, name, lo, hi)
                    number += 1
                elif lo <= hi:
                    self._lengthen(connection, number - 1, hi)
                begin = end + 1
            self._count(connection, last - first + 1)

        return join

    def _hold(self, connection: Connection, first: int) -> None:
        """Raises BusyError when somebody else has moved the campaign meanwhile."""
        runs.lock_campaign(connection, self.dialect, self.campaign_id)
        state = campaign_state(connection, self.campaign_id)
        moved = last_position(connection, self.campaign_id) != self.behind + first - 1
        under_way = connection.execute(
            text("SELECT 1 FROM run WHERE campaign_id = :campaign AND ended_at IS NULL"),
            {"campaign": self.campaign_id},
        ).first()
        if moved or under_way or state not in OPEN:
            raise BusyError(
                "Somebody else has moved the campaign meanwhile.",
                hint="Run the same command again: nobody is added twice.",
            )

    def _next_lane(self, connection: Connection) -> int:
        return int(
            connection.execute(
                text("SELECT coalesce(max(lane), -1) + 1 FROM lane WHERE campaign_id = :campaign"),
                {"campaign": self.campaign_id},
            ).scalar_one()
        )

    def _open_lane(
        self, connection: Connection, number: int, name: str, first: int, last: int
    ) -> None:
        connection.execute(
            text(
                "INSERT INTO lane (campaign_id, lane, name, first, last, cursor, resume_at, why)"
                " VALUES (:campaign, :lane, :name, :first, :last, :cursor, (SELECT max(resume_at)"
                " FROM lane WHERE campaign_id = :campaign AND name = :known), '')"
            ),
            {
                "campaign": self.campaign_id,
                "lane": number,
                "name": name,
                "known": name,
                "first": self.behind + first,
                "last": self.behind + last,
                "cursor": self.behind + first - 1,
            },
        )

    def _lengthen(self, connection: Connection, number: int, last: int) -> None:
        connection.execute(
            text("UPDATE lane SET last = :last WHERE campaign_id = :campaign AND lane = :lane"),
            {"campaign": self.campaign_id, "lane": number, "last": self.behind + last},
        )

    def _count(self, connection: Connection, people: int) -> None:
        """In the counts; a finished campaign is open again, and waits for a send."""
        values = {"campaign": self.campaign_id, "people": people}
        for statement in (
            "UPDATE tally SET audience = audience + :people, planned = planned + :people"
            " WHERE campaign_id = :campaign",
            "UPDATE campaign SET added = added + :people WHERE id = :campaign",
        ):
            connection.execute(text(statement), values)
        if campaign_state(connection, self.campaign_id) is CampaignState.finished:
            runs.move_campaign(connection, self.campaign_id, CampaignState.paused, now=self.now)
            why = "People were added since the plan, and wait for a send."
            schedule.explain_stop(connection, self.campaign_id, why)

"""Lanes: each mailbox provider has a range of positions of its own in a campaign.

Beside them the count of a day's messages, of all campaigns, for the owner's daily cap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mailer.store.dialect import for_update, run

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Lane(NamedTuple):
    """The positions ``first`` to ``last``, looked at up to ``cursor``.

    ``resume_at`` (ms) and ``why`` say that its provider wants to be left alone until then.
    """

    lane: int
    name: str
    first: int
    cursor: int
    last: int
    resume_at: int | None
    why: str

    @property
    def left(self) -> int:
        """How many were not looked at yet."""
        return self.last - self.cursor


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the owner's calendar, and how many messages may go on it."""

    name: str  # ISO
    cap: int


def lanes_of(connection: Connection, campaign_id: int) -> list[Lane]:
    """A campaign's lanes in the order of their positions, but for those whose people wait."""
    found = run(
        connection,
        "SELECT lane, name, first, cursor, last, resume_at, why FROM lane"
        " WHERE campaign_id = :campaign AND held = 0 ORDER BY lane",
        {"campaign": campaign_id},
    )
    return [Lane(*row) for row in found.fetchall()]


def held_back(
    connection: Connection, campaign_id: int, limits: Mapping[int, int]
) -> tuple[frozenset[int], int | None]:
    """Lanes with the limit 0 that have rows left, and when a row of another lane is due (ms)."""
    held = set()
    due: list[int] = []
    for lane in lanes_of(connection, campaign_id):
        earliest = earliest_due(connection, campaign_id, lane)
        if limits.get(lane.lane) != 0:
            due += [] if earliest is None else [earliest]
        elif earliest is not None or lane.left:
            held.add(lane.lane)
    return frozenset(held), min(due, default=None)


def earliest_due(connection: Connection, campaign_id: int, lane: Lane) -> int | None:
    """When the first released or deferred row of a lane is due, in ms."""
    (due,) = run(
        connection,
        "SELECT min(due_at) FROM waiting WHERE campaign_id = :campaign"
        " AND position BETWEEN :first AND :last",
        {"campaign": campaign_id, "first": lane.first, "last": lane.last},
    ).fetchone()
    return None if due is None else int(due)


def suspend(connection: Connection, campaign_id: int, lane: int, until: int, why: str) -> None:
    """Writes down that a lane's provider wants to be left alone until then (ms)."""
    run(
        connection,
        "UPDATE lane SET resume_at = :until, why = :why WHERE campaign_id = :campaign AND name ="
        " (SELECT name FROM lane WHERE campaign_id = :campaign AND lane = :lane)",
        {"until": until, "why": why[:300], "campaign": campaign_id, "lane": lane},
    )


def left_today(connection: Connection, dialect: str, day: Day, back: int = 0) -> int:
    """How many messages may still go on a day, when so many of the claimed ones came ``back``.

    Other processes that count wait until we commit.
    """
    run(
        connection,
        "INSERT INTO sent_day (day, messages) VALUES (:day, 0) ON CONFLICT (day) DO NOTHING",
        {"day": day.name},
    )
    (messages,) = run(
        connection,
        f"SELECT messages FROM sent_day WHERE day = :day{for_update(dialect)}",
        {"day": day.name},
    ).fetchone()
    returned = min(back, int(messages))  # claimed before midnight, they make no room after it
    count_today(connection, day, -returned)
    return max(day.cap - int(messages) + returned, 0)


def sent_on(connection: Connection, day: str) -> int:
    """How many messages were counted on a day (ISO)."""
    found = run(connection, "SELECT messages FROM sent_day WHERE day = :day", {"day": day})
    row = found.fetchone()
    return int(row[0]) if row else 0


def count_today(
    connection: Connection, day: Day, messages: int, *, run_id: int | None = None
) -> None:
    """Counts claimed messages; less than none when some were released again.

    The run keeps the day in mind, for whoever settles what it leaves behind.
    """
    if messages and run_id is not None:
        run(
            connection,
            "UPDATE run SET counted_day = :day WHERE id = :run AND counted_day <> :day",
            {"day": day.name, "run": run_id},
        )
    if messages:
        run(
            connection,
            "UPDATE sent_day SET messages = messages + :more WHERE day = :day",
            {"more": messages, "day": day.name},
        )


def reserve(connection: Connection, dialect: str, day: str, route: str, cap: int, want: int) -> int:
    """Puts messages of a route's day aside, up to its cap; returns how many."""
    values = {"day": day, "route": route}
    run(
        connection,
        "INSERT INTO route_day (day, route, messages) VALUES (:day, :route, 0)"
        " ON CONFLICT (day, route) DO NOTHING",
        values,
    )
    (messages,) = run(
        connection,
        f"SELECT messages FROM route_day WHERE day = :day AND route = :route{for_update(dialect)}",
        values,
    ).fetchone()
    granted = max(min(cap - int(messages), want), 0)
    hand_back(connection, day, route, -granted)
    return granted


def hand_back(connection: Connection, day: str, route: str, messages: int) -> None:
    """Messages that were put aside and did not go."""
    if messages:
        run(
            connection,
            "UPDATE route_day SET messages = messages - :messages"
            " WHERE day = :day AND route = :route",
            {"day": day, "route": route, "messages": messages},
        )


def give_back(connection: Connection, run_id: int, messages: int) -> None:
    """What a dead run had claimed and not begun makes room on the day that counted it."""
    run(
        connection,
        "UPDATE sent_day SET messages = CASE WHEN messages > :back THEN messages - :back ELSE 0 END"
        " WHERE day = (SELECT counted_day FROM run WHERE id = :run)",
        {"back": messages, "run": run_id},
    )

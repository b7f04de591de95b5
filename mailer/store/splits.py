"""Two subjects in one campaign: how the test went, and how the rest gets the winner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, text

from mailer.store.clicks import SAYS_YES
from mailer.store.database import Database

A, B = VERSIONS = ("a", "b")
SLICE = 8_000  # people in one write transaction: some 50 ms
_OF_VERSION = (
    " FROM delivery d JOIN variant v ON v.id = d.variant_id"
    " JOIN lane l ON l.campaign_id = d.campaign_id AND d.position BETWEEN l.first AND l.last"
    " WHERE d.campaign_id = :campaign AND l.held = 0"
)


class Measured(NamedTuple):
    """So many of so many."""

    counted: int
    of: int

    @property
    def rate(self) -> float:
        return self.counted / self.of if self.of else 0.0


def departures(connection: Connection, campaign_id: int) -> Mapping[str, Measured]:
    """Of those whose mail was accepted, who left by a link of this campaign; by version."""
    return _measured(
        connection,
        campaign_id,
        "SELECT v.version, count(*) AS people, sum(CASE WHEN EXISTS (SELECT 1 FROM event e"
        " WHERE e.campaign_id = d.campaign_id AND e.subscriber_id = d.subscriber_id"
        " AND e.kind = 'unsubscribed') THEN 1 ELSE 0 END) AS counted"
        f"{_OF_VERSION} AND d.state = 'accepted' GROUP BY v.version",
    )


def refusals(connection: Connection, campaign_id: int) -> Mapping[str, Measured]:
    """Of those whose mail was accepted or refused, the refused; by version."""
    return _measured(
        connection,
        campaign_id,
        "SELECT v.version, count(*) AS people,"
        " sum(CASE WHEN d.state = 'refused' THEN 1 ELSE 0 END) AS counted"
        f"{_OF_VERSION} AND d.state IN ('accepted', 'refused') GROUP BY v.version",
    )


def followers(connection: Connection, campaign_id: int) -> Mapping[str, Measured]:
    """Of those whose mail was accepted and who say yes to being measured, who followed a link,
    machines left out; by version.
    """
    return _measured(
        connection,
        campaign_id,
        "SELECT v.version, count(*) AS people, sum(CASE WHEN EXISTS (SELECT 1 FROM link_click k"
        " WHERE k.campaign_id = d.campaign_id AND k.subscriber_id = d.subscriber_id"
        " AND k.verdict = '') THEN 1 ELSE 0 END) AS counted"
        f"{_OF_VERSION} AND d.state = 'accepted'"
        f" AND {SAYS_YES.replace('p.id', 'd.subscriber_id')} GROUP BY v.version",
    )


def _measured(connection: Connection, campaign_id: int, query: str) -> dict[str, Measured]:
    found = {version: Measured(0, 0) for version in VERSIONS}
    for row in connection.execute(text(query), {"campaign": campaign_id}):
        found[row.version] = Measured(int(row.counted), int(row.people))
    return found


def waits(connection: Connection, campaign_id: int) -> bool:
    """Whether somebody waits for a choice between two subjects."""
    query = "SELECT 1 FROM lane WHERE campaign_id = :campaign AND held = 1 LIMIT 1"
    return connection.execute(text(query), {"campaign": campaign_id}).first() is not None


def people_waiting(connection: Connection, campaign_id: int) -> int:
    """How many wait for a choice between two subjects: no send reaches them before."""
    query = (  # who was erased meanwhile is in the range of a lane, too, and waits for nothing
        "SELECT count(*) FROM lane l JOIN delivery d ON d.campaign_id = l.campaign_id"
        " AND d.position BETWEEN l.first AND l.last"
        " WHERE l.campaign_id = :campaign AND l.held = 1 AND d.state = 'planned'"
    )
    return int(connection.execute(text(query), {"campaign": campaign_id}).scalar_one())


def decides_at(connection: Connection, campaign_id: int) -> int | None:
    """When a rule may choose (ms); None before the test is over, or when a person chooses."""
    query = "SELECT min(resume_at) FROM lane WHERE campaign_id = :campaign AND held = 1"
    due = connection.execute(text(query), {"campaign": campaign_id}).scalar()
    return None if due is None else int(due)


def test_is_over(connection: Connection, campaign_id: int) -> bool:
    """Whether everybody of the test was tried at least once."""
    query = (
        "SELECT 1 FROM lane WHERE campaign_id = :campaign AND held = 0 AND cursor < last LIMIT 1"
    )
    return connection.execute(text(query), {"campaign": campaign_id}).first() is None


def decide_at(connection: Connection, campaign_id: int, when: int) -> None:
    """Writes down when a rule may choose, unless that is known already."""
    connection.execute(
        text(
            "UPDATE lane SET resume_at = :at WHERE campaign_id = :campaign AND held = 1"
            " AND resume_at IS NULL"
        ),
        {"campaign": campaign_id, "at": when},
    )


def note_choice(connection: Connection, campaign_id: int, version: str) -> None:
    connection.execute(
        text("UPDATE campaign SET chosen = :version WHERE id = :campaign"),
        {"campaign": campaign_id, "version": version},
    )


def give_second(db: Database, campaign_id: int) -> None:
    """Gives those who wait the second subject, each in their language, slice by slice."""
    with db.read() as connection:
        first, last = connection.execute(
            text("SELECT min(first), max(last) FROM lane WHERE campaign_id = :c AND held = 1"),
            {"c": campaign_id},
        ).one()
    if first is None:
        return
    for begin in range(int(first), int(last) + 1, SLICE):
        with db.write() as connection:
            connection.execute(
                text(
                    "UPDATE delivery SET variant_id = (SELECT b.id FROM variant a JOIN variant b"
                    " ON b.campaign_id = a.campaign_id AND b.language = a.language"
                    " AND b.version = 'b' WHERE a.id = delivery.variant_id)"
                    " WHERE campaign_id = :campaign AND position BETWEEN :first AND :last"
                ),
                {"campaign": campaign_id, "first": begin, "last": min(begin + SLICE - 1, last)},
            )


def let_go(connection: Connection, campaign_id: int) -> None:
    """From now on the rest is claimed like everybody."""
    connection.execute(
        text("UPDATE lane SET held = 0, resume_at = NULL WHERE campaign_id = :c AND held = 1"),
        {"c": campaign_id},
    )

"""Keeps the measured links of campaigns, and the logs of clicks and image loads; counts them.

A row of ``link_click`` or ``image_load`` changes nothing but itself: no person, subscription or
delivery is written here. Each row has a verdict: why it is no reader's, or nothing. What needs
other rows to be judged (``burst``, ``crowd``) is judged when they come in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Connection, bindparam, insert, text
from sqlmodel import col, select

from mailer.message.click_rules import Seen
from mailer.model.campaigns import Campaign, CampaignLink, ImageLoad, LinkClick
from mailer.model.words import CampaignState
from mailer.store.database import Database

# Among the values of a mail: its reader said yes to being measured. No field has such a name.
CONSENTED = "@clicks"
_LOCK = 0x6C696E6B  # "link": which of our advisory locks
# Of a person p. What was said last counts.
SAYS_YES = (
    "'yes' = (SELECT t.answer FROM tracking_consent t WHERE t.subscriber_id = p.id"
    " ORDER BY t.id DESC LIMIT 1)"
)


class Log(StrEnum):
    """The two logs, which are alike but for the number of a link; the values are their tables."""

    clicks = "link_click"
    loads = "image_load"


@dataclass(frozen=True, slots=True)
class Row:
    """One click or load as it is kept; a load has the number 0.

    ``at`` is in ms; ``verdict`` is empty for a reader's.
    """

    campaign: int
    number: int
    at: int
    subscriber: int | None
    network: bytes | None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class LinkCount:
    """One link of a campaign: every time it was followed, and what is left without machines."""

    number: int
    url: str
    raw: int
    filtered: int
    people: int  # different ones among the filtered; 0 in a campaign that names nobody


@dataclass(frozen=True, slots=True)
class LoadCount:
    """The loads of a campaign's picture: each, and what is left without machines."""

    raw: int
    filtered: int


@dataclass(frozen=True, slots=True)
class OwnLoad:
    """A load of the picture in a mail of one person."""

    at: datetime
    campaign: str
    verdict: str


@dataclass(frozen=True, slots=True)
class OwnClick:
    """A link that one person followed."""

    at: datetime
    campaign: str
    url: str
    verdict: str


def keep(
    db: Database, campaign_id: int, measured: Mapping[int, str], numbers: Mapping[str, int]
) -> None:
    """Keeps the measured letters (variant → compiled) and the list of links."""
    with db.write() as connection:
        for variant, compiled in measured.items():
            connection.execute(
                text("UPDATE variant SET measured = :compiled WHERE id = :variant"),
                {"compiled": compiled, "variant": variant},
            )
        if numbers:
            connection.execute(
                insert(CampaignLink),
                [
                    {"campaign_id": campaign_id, "number": number, "url": url}
                    for url, number in numbers.items()
                ],
            )


def lock(connection: Connection, campaigns: Iterable[int]) -> None:
    """Lets no other process count clicks of these campaigns until this transaction ends.

    What is judged together must see one another. Nobody but who counts clicks waits for it; on
    SQLite one transaction writes at a time in any case.
    """
    if connection.dialect.name == "postgresql":
        for campaign in sorted(set(campaigns)):
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:what, :campaign)"),
                {"what": _LOCK, "campaign": campaign},
            )


def campaigns_of(connection: Connection, campaigns: Iterable[int]) -> dict[int, int | None]:
    """Those of these campaigns that are there, with the moment when each began to be sent (ms)."""
    table = select(col(Campaign.id), col(Campaign.started_at)).where(
        col(Campaign.id).in_(sorted(set(campaigns))), col(Campaign.state) != CampaignState.planning
    )
    return {
        row.id: None if row.started_at is None else round(row.started_at.timestamp() * 1000)
        for row in connection.execute(table)
    }


def consenting(connection: Connection, subscriber_id: int) -> bool:
    """Whether this person is on file, and their last answer to being tracked is a yes."""
    row = connection.execute(
        text(f"SELECT 1 FROM subscriber p WHERE p.id = :s AND {SAYS_YES}"), {"s": subscriber_id}
    )
    return row.first() is not None


def accepted_at(connection: Connection, campaign_id: int, subscriber_id: int) -> int | None:
    """When a person's mail was accepted, or may have been (ms); None: nobody can have read it."""
    at = connection.execute(
        text(
            "SELECT at FROM delivery WHERE campaign_id = :c AND subscriber_id = :s"
            " AND state IN ('accepted', 'unknown')"
        ),
        {"c": campaign_id, "s": subscriber_id},
    ).scalar()
    return None if at is None else int(at)


def add(connection: Connection, rows: Sequence[Row], log: Log = Log.clicks) -> None:
    if rows:
        connection.execute(
            insert(LinkClick if log is Log.clicks else ImageLoad),
            [
                {
                    "campaign_id": row.campaign,
                    **({"number": row.number} if log is Log.clicks else {}),
                    "at": row.at,
                    "subscriber_id": row.subscriber,
                    "network": row.network,
                    "verdict": row.verdict,
                }
                for row in rows
            ],
        )


def near(
    connection: Connection,
    campaign_id: int,
    first: int,
    last: int,
    like: Sequence[Row],
    log: Log = Log.clicks,
) -> list[Seen]:
    """The clicks or loads from one moment to another (ms) that can be judged with some of these.

    They came from one of the same networks, or out of one of the same mails. All others would be
    thousands where many read at once, and are not asked for.
    """
    known = {
        "network": sorted({row.network for row in like if row.network is not None}),
        "subscriber_id": sorted({row.subscriber for row in like if row.subscriber is not None}),
    }
    alike = {column: values for column, values in known.items() if values}
    if not alike:
        return []
    number = "number" if log is Log.clicks else "0 AS number"
    same = " OR ".join(f"{column} IN :{column}" for column in alike)
    query = text(
        f"SELECT id, {number}, at, subscriber_id, network, verdict FROM {log.value}"
        f" WHERE campaign_id = :c AND at BETWEEN :first AND :last AND ({same})"
    ).bindparams(*(bindparam(column, expanding=True) for column in alike))
    rows = connection.execute(query, {"c": campaign_id, "first": first, "last": last, **alike})
    return [
        Seen(r.id, r.number, r.at, r.subscriber_id, r.network and bytes(r.network), r.verdict)
        for r in rows
    ]


def crowds(
    connection: Connection,
    campaign_id: int,
    first: int,
    last: int,
    networks: Iterable[bytes | None],
    log: Log = Log.clicks,
) -> dict[tuple[int, bytes | None], int]:
    """How many came from each of these networks in that time: link and network → count."""
    number = "number, " if log is Log.clicks else ""
    known = sorted({each for each in networks if each is not None})
    among = " OR network IN :networks" if known else ""
    query = text(
        f"SELECT {number}network, count(*) AS many FROM {log.value} WHERE campaign_id = :c"
        f" AND at BETWEEN :first AND :last AND (network IS NULL{among}) GROUP BY {number}network"
    )
    values: dict[str, object] = {"c": campaign_id, "first": first, "last": last}
    if known:
        query = query.bindparams(bindparam("networks", expanding=True))
        values["networks"] = known
    return {
        (row.number if number else 0, row.network and bytes(row.network)): row.many
        for row in connection.execute(query, values)
    }


def settle(connection: Connection, verdicts: Mapping[int, str], log: Log = Log.clicks) -> None:
    """Writes down what clicks or loads turned out to be."""
    if verdicts:
        connection.execute(
            text(f"UPDATE {log.value} SET verdict = :verdict WHERE id = :id"),
            [{"id": number, "verdict": str(verdict)} for number, verdict in verdicts.items()],
        )


def forget_person(connection: Connection, subscriber_id: int) -> None:
    """Takes a person's name off their clicks and loads: they stay as counts, nobody's."""
    for log in Log:
        connection.execute(
            text(f"UPDATE {log.value} SET subscriber_id = NULL WHERE subscriber_id = :s"),
            {"s": subscriber_id},
        )


def counts(connection: Connection, campaign_id: int) -> list[LinkCount]:
    """Every measured link of a campaign, the most followed first."""
    rows = connection.execute(
        text(
            "SELECT l.number, l.url, count(k.id) AS every,"
            " sum(CASE WHEN k.verdict = '' THEN 1 ELSE 0 END) AS readers,"
            " count(DISTINCT CASE WHEN k.verdict = '' THEN k.subscriber_id END) AS people"
            " FROM campaign_link l LEFT JOIN link_click k"
            " ON k.campaign_id = l.campaign_id AND k.number = l.number"
            " WHERE l.campaign_id = :c GROUP BY l.number, l.url"
            " ORDER BY readers DESC, every DESC, l.number"
        ),
        {"c": campaign_id},
    )
    return [LinkCount(r.number, r.url, r.every, int(r.readers or 0), r.people) for r in rows]


def load_count(connection: Connection, campaign_id: int) -> LoadCount:
    row = connection.execute(
        text(
            "SELECT count(*) AS every, sum(CASE WHEN verdict = '' THEN 1 ELSE 0 END) AS readers"
            " FROM image_load WHERE campaign_id = :c"
        ),
        {"c": campaign_id},
    ).one()
    return LoadCount(row.every, int(row.readers or 0))


def verdicts(connection: Connection, campaign_id: int, log: Log = Log.clicks) -> dict[str, int]:
    """How many clicks or loads each verdict took out of the filtered count."""
    rows = connection.execute(
        text(
            f"SELECT verdict, count(*) AS many FROM {log.value}"
            " WHERE campaign_id = :c AND verdict <> '' GROUP BY verdict ORDER BY many DESC, verdict"
        ),
        {"c": campaign_id},
    )
    return {row.verdict: row.many for row in rows}


def people(connection: Connection, campaign_id: int, log: Log = Log.clicks) -> int:
    """How many different people followed any link, or loaded the picture, without machines."""
    return int(
        connection.execute(
            text(
                f"SELECT count(DISTINCT subscriber_id) FROM {log.value}"
                " WHERE campaign_id = :c AND verdict = ''"
            ),
            {"c": campaign_id},
        ).scalar_one()
    )


def planned_people(connection: Connection, campaign_id: int) -> int:
    """Of an audience that waits, who gets measured links: who said yes before the plan."""
    return int(
        connection.execute(
            text("SELECT count(*) FROM snapshot WHERE campaign_id = :c AND fields LIKE :mark"),
            {"c": campaign_id, "mark": f'{{"{CONSENTED}"%'},
        ).scalar_one()
    )


def measured_people(connection: Connection, campaign_id: int) -> int:
    """Of a campaign's audience, who would be measured at this moment: who says yes to it now."""
    return int(
        connection.execute(
            text(
                "SELECT count(*) FROM delivery p WHERE p.campaign_id = :c"
                f" AND {SAYS_YES.replace('p.id', 'p.subscriber_id')}"
            ),
            {"c": campaign_id},
        ).scalar_one()
    )


def own(connection: Connection, subscriber_id: int) -> Sequence[OwnClick]:
    """Every click that is on file under a person's name, oldest first."""
    rows = connection.execute(
        text(
            "SELECT k.at, c.slug, l.url, k.verdict FROM link_click k"
            " JOIN campaign c ON c.id = k.campaign_id LEFT JOIN campaign_link l"
            " ON l.campaign_id = k.campaign_id AND l.number = k.number"
            " WHERE k.subscriber_id = :s ORDER BY k.at, k.id"
        ),
        {"s": subscriber_id},
    )
    return [
        OwnClick(datetime.fromtimestamp(r.at / 1000, UTC), r.slug, r.url or "", r.verdict)
        for r in rows
    ]


def own_loads(connection: Connection, subscriber_id: int) -> Sequence[OwnLoad]:
    """Likewise, every load of the picture."""
    rows = connection.execute(
        text(
            "SELECT k.at, c.slug, k.verdict FROM image_load k JOIN campaign c"
            " ON c.id = k.campaign_id WHERE k.subscriber_id = :s ORDER BY k.at, k.id"
        ),
        {"s": subscriber_id},
    )
    return [OwnLoad(datetime.fromtimestamp(r.at / 1000, UTC), r.slug, r.verdict) for r in rows]

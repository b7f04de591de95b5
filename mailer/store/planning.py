"""Writes a plan: the frozen content and one delivery row for each person of the audience.

A plan of a million people is too long for one write transaction: others would wait behind it.
So it is written in slices under a campaign in state ``planning``, which nobody sees, and one last
update makes it visible. One that was left half done is removed by the next plan.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Connection, bindparam, delete, insert, text
from sqlmodel import col

from mailer.model.campaigns import (
    Campaign,
    CampaignPicture,
    Draft,
    Exclusion,
    StoredPicture,
    Variant,
)
from mailer.model.words import CampaignState, DeliveryState, Picture
from mailer.store.database import Database
from mailer.store.ledger import Moved
from mailer.store.processes import is_gone, this_process

SLICE = 4_000  # people in one write transaction: some 50 ms


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody on the list; ``excluded`` says why not, or is empty."""

    subscriber_id: int
    address: str
    fields: Mapping[str, Any]
    language: str | None
    excluded: str


@dataclass(frozen=True, slots=True)
class Planned:
    """One person of the audience, as the mail will see them."""

    subscriber_id: int
    variant: int  # index into the variants
    address: str
    fields: str  # JSON


@dataclass(frozen=True, slots=True)
class Content:
    """What a campaign freezes beside its audience."""

    issue: str
    folder: str
    content_hash: str
    list_id: int
    subject: str
    web_key: str
    frozen: Mapping[str, Any]
    variants: Sequence[tuple[str, str, str]]  # language, compiled message, web page
    pictures: Sequence[Picture]


_DOMAIN = {
    "sqlite": "substr(p.key, instr(p.key, '@') + 1)",
    "postgresql": "split_part(p.key, '@', 2)",
}
# Got it, or may have got it.
_GOT = "d.state IN ('accepted', 'unknown', 'sending', 'deferred')"
_CANDIDATES = f"""
WITH people AS (
  SELECT p.id, p.address, p.fields, p.language, {{domain}} AS domain,
    CASE
      WHEN u.status <> 'active' THEN u.status
      WHEN x.hash IS NOT NULL OR y.hash IS NOT NULL THEN 'suppressed'
      WHEN EXISTS (SELECT 1 FROM subscription e WHERE e.subscriber_id = p.id
        AND e.list_id IN :exclude AND e.status = 'active') THEN 'excluded_list'
      WHEN EXISTS (SELECT 1 FROM delivery d WHERE d.subscriber_id = p.id
        AND d.campaign_id IN :not_in AND {_GOT}) THEN 'excluded_campaign'
      WHEN :once AND EXISTS (SELECT 1 FROM delivery d JOIN campaign c ON c.id = d.campaign_id
        WHERE d.subscriber_id = p.id AND c.issue = :issue AND {_GOT}) THEN 'already_sent'
      ELSE ''
    END AS excluded
  FROM subscription u
  JOIN subscriber p ON p.id = u.subscriber_id
  LEFT JOIN suppression x ON x.hash = p.suppression_hash
  LEFT JOIN list_suppression y ON y.list_id = :list AND y.hash = p.suppression_hash
  WHERE u.list_id = :list
)
SELECT id, address, fields, language, excluded FROM people
ORDER BY (row_number() OVER (PARTITION BY domain ORDER BY id) - 0.5)
  / count(*) OVER (PARTITION BY domain), domain, id
"""


def candidates(
    connection: Connection,
    dialect: str,
    *,
    list_id: int,
    issue: str,
    exclude_lists: Sequence[int],
    not_in: Sequence[int],
    again: bool,
) -> Iterator[Candidate]:
    """Everybody on the list, in an order that is the same each time.

    The order spreads each mail domain evenly over the whole run, so that no provider
    gets its share in one burst and one slow provider does not hold back the rest.
    """
    domain = _DOMAIN["sqlite" if dialect == "sqlite" else "postgresql"]
    statement = (
        text(_CANDIDATES.format(domain=domain))
        .bindparams(bindparam("exclude", expanding=True), bindparam("not_in", expanding=True))
        .columns(fields=JSON())
    )
    rows = connection.execution_options(stream_results=True, max_row_buffer=SLICE).execute(
        statement,
        {
            "list": list_id,
            "exclude": list(exclude_lists),
            "not_in": list(not_in),
            "issue": issue,
            "once": not again,
        },
    )
    for row in rows:
        yield Candidate(row.id, row.address, row.fields or {}, row.language, row.excluded)


def create(db: Database, content: Content, *, now: datetime) -> tuple[int, list[int]]:
    """Writes the content under a campaign in state ``planning``: its id and its variants' ids."""
    with db.write() as connection:
        _remove_half_done(connection)
        campaign_id: Any = connection.execute(
            insert(Campaign).returning(col(Campaign.id)),
            {
                "slug": f"planning-{secrets.token_hex(8)}",
                "issue": content.issue,
                "folder": content.folder,
                "content_hash": content.content_hash,
                "list_id": content.list_id,
                "state": CampaignState.planning,
                "subject": content.subject,
                "web_key": content.web_key,
                "frozen": {**content.frozen, "planner": this_process()},
                "planned_at": now,
            },
        ).scalar_one()
        variants = []
        for language, compiled, web_page in content.variants:
            variant: Any = connection.execute(
                insert(Variant).returning(col(Variant.id)),
                {
                    "campaign_id": campaign_id,
                    "language": language,
                    "compiled": compiled,
                    "web_page": web_page,
                },
            ).scalar_one()
            variants.append(int(variant))
        for name in _keep_pictures(connection, content.pictures):
            connection.execute(insert(CampaignPicture), {"campaign_id": campaign_id, "name": name})
    return int(campaign_id), variants


def add_people(
    db: Database, campaign_id: int, variants: Sequence[int], people: Iterable[Planned], first: int
) -> int:
    """Writes one slice of the audience at positions from ``first``; returns the next position."""
    mark = "?" if db.on_sqlite else "%s"
    deliveries: list[tuple[object, ...]] = []
    snapshots: list[tuple[object, ...]] = []
    position = first
    for person in people:
        deliveries.append((campaign_id, position, person.subscriber_id, variants[person.variant]))
        snapshots.append((campaign_id, position, person.address, person.fields))
        position += 1
    if deliveries:
        with db.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO delivery (campaign_id, position, subscriber_id, variant_id, state,"
                f" attempt, reason, reply) VALUES ({mark}, {mark}, {mark}, {mark},"
                " 'planned', 0, '', '')",
                deliveries,
            )
            connection.exec_driver_sql(
                "INSERT INTO snapshot (campaign_id, position, address, fields)"
                f" VALUES ({mark}, {mark}, {mark}, {mark})",
                snapshots,
            )
    return position


def publish(
    db: Database, campaign_id: int, *, issue: str, audience: int, excluded: Mapping[str, int]
) -> str:
    """Makes the plan visible, all at once; returns its slug."""
    with db.write() as connection:
        slug = _free_slug(connection, issue)
        connection.execute(
            text(
                "INSERT INTO lane (campaign_id, lane, name, first, last, cursor)"
                " VALUES (:campaign, 0, 'all', 1, :audience, 0)"
            ),
            {"campaign": campaign_id, "audience": audience},
        )
        connection.execute(
            text(
                'INSERT INTO tally (campaign_id, audience, planned, sending, accepted, "deferred",'
                " refused, skipped, unknown) VALUES (:campaign, :audience, :audience,"
                " 0, 0, 0, 0, 0, 0)"
            ),
            {"campaign": campaign_id, "audience": audience},
        )
        if excluded:
            connection.execute(
                insert(Exclusion),
                [
                    {"campaign_id": campaign_id, "reason": reason, "people": people}
                    for reason, people in excluded.items()
                ],
            )
        connection.execute(
            text(
                "UPDATE campaign SET state = 'planned', slug = :slug"
                " WHERE id = :campaign AND state = 'planning'"
            ),
            {"slug": slug, "campaign": campaign_id},
        )
    return slug


def keep_draft(
    db: Database,
    *,
    key: str,
    pages: Sequence[tuple[str, str]],
    pictures: Sequence[Picture],
    now: datetime,
    lifetime: timedelta,
) -> None:
    """Keeps the web versions of a test copy for a while; drafts past their time are removed.

    ``pages`` are languages with their web page, the default first. The default has the key
    itself, another language the key, a slash and its tag: no address leads to that by accident.
    """
    with db.write() as connection:
        connection.execute(delete(Draft).where(col(Draft.expires_at) < now))
        connection.execute(
            insert(Draft),
            [
                {
                    "key": f"{key}/{language.lower()}" if number else key,
                    "language": language,
                    "web_page": web_page,
                    "expires_at": now + lifetime,
                }
                for number, (language, web_page) in enumerate(pages)
            ],
        )
        _keep_pictures(connection, pictures)


def discard(db: Database, campaign_id: int) -> None:
    """Removes a plan that was not made visible."""
    with db.write() as connection:
        _remove(connection, campaign_id)


def skip_already_sent(connection: Connection, campaign_id: int, now_ms: int) -> Moved:
    """Skips whoever got, or may have got, another campaign of the same issue since the plan."""
    moved = Moved()
    for was in (DeliveryState.planned, DeliveryState.deferred):
        done = connection.execute(
            text(
                "UPDATE delivery SET state = 'skipped', reason = 'already_sent', at = :now"
                " WHERE campaign_id = :campaign AND state = :was AND EXISTS ("
                "  SELECT 1 FROM campaign o JOIN delivery d ON d.campaign_id = o.id"
                "  WHERE o.issue = (SELECT issue FROM campaign WHERE id = :campaign)"
                "  AND o.id <> :campaign AND d.subscriber_id = delivery.subscriber_id"
                f"  AND {_GOT})"
            ),
            {"campaign": campaign_id, "was": was, "now": now_ms},
        )
        moved[was, DeliveryState.skipped] += done.rowcount
    return moved


def _keep_pictures(connection: Connection, pictures: Sequence[Picture]) -> list[str]:
    """Keeps each picture once; returns the names."""
    named = {picture.name: picture for picture in pictures}
    for picture in named.values():
        known = connection.execute(
            text("SELECT 1 FROM picture WHERE name = :name"), {"name": picture.name}
        ).first()
        if known is None:
            connection.execute(insert(StoredPicture), {"name": picture.name, "data": picture.data})
    return list(named)


def _remove_half_done(connection: Connection) -> None:
    """Removes plans whose planner is gone: of this machine, and its process does not live."""
    rows = connection.execute(
        text("SELECT id, frozen FROM campaign WHERE state = 'planning'").columns(frozen=JSON())
    ).all()
    for row in rows:
        if is_gone(row.frozen["planner"]):
            _remove(connection, row.id)


def _remove(connection: Connection, campaign_id: int) -> None:
    for table in ("snapshot", "delivery", "exclusion", "campaign_picture", "variant"):
        connection.execute(
            text(f"DELETE FROM {table} WHERE campaign_id = :campaign"), {"campaign": campaign_id}
        )
    connection.execute(text("DELETE FROM campaign WHERE id = :campaign"), {"campaign": campaign_id})


def _free_slug(connection: Connection, issue: str) -> str:
    taken = set(
        connection.execute(
            text("SELECT slug FROM campaign WHERE issue = :issue"), {"issue": issue}
        ).scalars()
    )
    slug, number = issue, 1
    while (
        slug in taken
        or connection.execute(
            text("SELECT 1 FROM campaign WHERE slug = :slug"), {"slug": slug}
        ).first()
    ):
        number += 1
        slug = f"{issue}-{number}"
    return slug

"""Writes a plan: the frozen content and one delivery row for each person of the audience.

A plan of a million people is too long for one write transaction: others would wait behind it.
So it is written in slices under a campaign in state ``planning``, which nobody sees, and one last
update makes it visible. One that was left half done is removed by the next plan.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Connection, delete, insert, text
from sqlmodel import col

from mailer.errors import StoppedError
from mailer.model.campaigns import (
    Campaign,
    CampaignPicture,
    Draft,
    Exclusion,
    StoredPicture,
    Variant,
)
from mailer.model.words import CampaignState, DeliveryState, Picture, SiteFile
from mailer.smtp.providers import OTHER
from mailer.store.archive import page_values
from mailer.store.database import Database, one
from mailer.store.dialect import for_update
from mailer.store.erasure import sweep
from mailer.store.ledger import Moved
from mailer.store.processes import is_gone, this_process

SLICE = 4_000  # people in one write transaction: some 50 ms


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
    pictures: Sequence[Picture | SiteFile] = ()
    in_archive: bool = True
    seconds: Sequence[tuple[str, str, str]] = ()  # the variants under a second subject


# Got it, or may have got it.
_GOT = "d.state IN ('accepted', 'unknown', 'sending', 'deferred')"
_LAST_POSITION = "SELECT max(position) FROM delivery WHERE campaign_id = :campaign"


def create(db: Database, content: Content, *, now: datetime) -> tuple[int, list[int]]:
    """Writes the content under a campaign in state ``planning``: its id and its variants' ids."""
    _remove_half_done(db)
    written = [("a", each) for each in content.variants]
    written += [("b", each) for each in content.seconds]
    facts = [page_values(web_page) for _, (_, _, web_page) in written]
    with db.write() as connection:
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
                "in_archive": content.in_archive,
            },
        ).scalar_one()
        variants = []
        for (version, (language, compiled, web_page)), told in zip(written, facts, strict=True):
            variant: Any = connection.execute(
                insert(Variant).returning(col(Variant.id)),
                {
                    "campaign_id": campaign_id,
                    "language": language,
                    "compiled": compiled,
                    "web_page": web_page,
                    "version": version,
                    **told,
                },
            ).scalar_one()
            variants.append(int(variant))
        for name in _keep_pictures(connection, content.pictures):
            connection.execute(insert(CampaignPicture), {"campaign_id": campaign_id, "name": name})
    return int(campaign_id), variants


def keep_planning(connection: Connection, campaign_id: int) -> None:
    """Keeps a campaign from being removed while rows of it are written in this transaction.

    Deliveries have no foreign key to it on PostgreSQL: two thirds of a plan's time went there.
    Raises StoppedError when it is gone.
    """
    share = "" if connection.dialect.name == "sqlite" else " FOR KEY SHARE"
    planning = "SELECT 1 FROM campaign WHERE id = :campaign AND state = 'planning'"
    if one(connection, planning + share, campaign=campaign_id) is None:
        raise StoppedError(
            "The plan was removed by another process while it was written.",
            hint="Plan the issue again.",
        )


def publish(
    db: Database,
    campaign_id: int,
    *,
    issue: str,
    audience: int,
    excluded: Mapping[str, int],
    lanes: Sequence[tuple[str, int]] = (),
    held: int = 0,
) -> str:
    """Makes the plan visible, all at once; returns its slug.

    ``lanes`` are names with how many positions each has, in their order; without them there is one.
    The last ``held`` of them wait for a choice between two subjects.
    """
    with db.write() as connection:
        lock = for_update(db.dialect)  # two plans at one moment must not find one slug free
        connection.execute(text(f"SELECT identity FROM instance{lock}"))
        slug = _free_slug(connection, issue)
        first = 1
        lanes = lanes or [(OTHER, audience)]
        for number, (name, people) in enumerate(lanes):
            connection.execute(
                text(
                    "INSERT INTO lane (campaign_id, lane, name, first, last, cursor, why, held)"
                    " VALUES (:campaign, :lane, :name, :first, :last, :cursor, '', :held)"
                ),
                {
                    "campaign": campaign_id,
                    "lane": number,
                    "name": name,
                    "first": first,
                    "last": first + people - 1,
                    "cursor": first - 1,
                    "held": int(number >= len(lanes) - held),
                },
            )
            first += people
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
        sweep(connection, campaign_id)
    return slug


def keep_draft(
    db: Database,
    *,
    key: str,
    pages: Sequence[tuple[str, str]],
    pictures: Sequence[Picture | SiteFile],
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


def keep_pictures(db: Database, pictures: Sequence[Picture | SiteFile]) -> None:
    """Keeps what a mail shows that belongs to no campaign."""
    with db.write() as connection:
        _keep_pictures(connection, pictures)


def discard(db: Database, campaign_id: int) -> None:
    """Removes a plan that was not made visible, in slices: it may hold a million people."""
    first = 1
    with db.read() as connection:
        last = int(one(connection, _LAST_POSITION, campaign=campaign_id) or 0)
    while first <= last:
        with db.write() as connection:
            for table in ("snapshot", "delivery"):
                connection.execute(
                    text(
                        f"DELETE FROM {table} WHERE campaign_id = :campaign"
                        " AND position >= :first AND position < :behind"
                    ),
                    {"campaign": campaign_id, "first": first, "behind": first + SLICE},
                )
        first += SLICE
    with db.write() as connection:
        lock = for_update(db.dialect)  # whoever still writes the plan has stopped at its next slice
        connection.execute(
            text(f"SELECT 1 FROM campaign WHERE id = :campaign{lock}"), {"campaign": campaign_id}
        )
        for table in ("snapshot", "delivery"):
            connection.execute(
                text(f"DELETE FROM {table} WHERE campaign_id = :campaign AND position >= :first"),
                {"campaign": campaign_id, "first": first},
            )
        for table in ("exclusion", "campaign_picture", "campaign_link", "variant"):
            connection.execute(
                text(f"DELETE FROM {table} WHERE campaign_id = :campaign"),
                {"campaign": campaign_id},
            )
        connection.execute(
            text("DELETE FROM campaign WHERE id = :campaign AND state = 'planning'"),
            {"campaign": campaign_id},
        )


def skip_already_sent(connection: Connection, campaign_id: int, now_ms: int) -> Moved:
    """Skips whoever got, or may have got, another campaign of the same issue since the plan."""
    moved = Moved()
    if _only_one_of_its_issue(connection, campaign_id):  # the usual case: nobody is looked at
        return moved
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


def _only_one_of_its_issue(connection: Connection, campaign_id: int) -> bool:
    found = connection.execute(
        text(
            "SELECT 1 FROM campaign o JOIN campaign c ON c.issue = o.issue AND o.id <> c.id"
            " WHERE c.id = :campaign LIMIT 1"
        ),
        {"campaign": campaign_id},
    )
    return found.first() is None


def _keep_pictures(connection: Connection, pictures: Sequence[Picture | SiteFile]) -> list[str]:
    """Keeps each picture and file once; returns the names."""
    named = {picture.name: picture for picture in pictures}
    for picture in named.values():
        known = connection.execute(
            text("SELECT 1 FROM picture WHERE name = :name"), {"name": picture.name}
        ).first()
        if known is None:
            connection.execute(insert(StoredPicture), {"name": picture.name, "data": picture.data})
    return list(named)


def _remove_half_done(db: Database) -> None:
    """Removes plans whose planner is gone: of this machine, and its process does not live."""
    with db.read() as connection:
        rows = connection.execute(
            text("SELECT id, frozen FROM campaign WHERE state = 'planning'").columns(frozen=JSON())
        ).all()
    for row in rows:
        if is_gone(row.frozen["planner"]):
            discard(db, row.id)


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

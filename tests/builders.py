"""Makes rows for tests, one small function a noun; what a test does not mention has a default."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

from sqlalchemy import Connection, insert, select, text
from sqlmodel import col

from mailer.contacts.address import parse_address
from mailer.contacts.suppression import suppression_hasher
from mailer.model.campaigns import (
    Campaign,
    CampaignPicture,
    Delivery,
    Draft,
    Snapshot,
    StoredPicture,
    Tally,
    Variant,
)
from mailer.model.people import Event, MailingList, Subscriber, Subscription, Suppression
from mailer.model.words import CampaignState, SubscriptionStatus
from mailer.store.archive import page_values
from mailer.store.database import Database, one

THEN = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)  # before the tests' clock begins
PAGE = '<!doctype html><html lang="en"><title>Harbour News</title><p style="color:#123">Hello</p>'


@dataclass(frozen=True, slots=True)
class Made:
    """A campaign that was made: what its links are made of."""

    id: int
    web_key: str
    variants: Mapping[str, int]  # language → id


def make_list(db: Database, name: str = "harbour", **values: Any) -> int:
    """A list; its slug is its name unless ``slug`` says otherwise."""
    row = {"slug": name, "title": name.title(), "created_at": THEN, "description": ""} | values
    with db.write() as connection:
        return _inserted(connection, MailingList, {"name": name, "public": True} | row)


def make_subscriber(db: Database, address: str = "anna@example.org", **values: Any) -> int:
    """A person, with the hash that a suppression would have."""
    parsed = parse_address(address)
    with db.write() as connection:
        row = {
            "address": parsed.address,
            "key": parsed.key,
            "suppression_hash": suppression_hash(connection, parsed.key),
            "fields": {},
            "created_at": THEN,
        }
        return _inserted(connection, Subscriber, row | values)


def subscribe(
    db: Database,
    subscriber_id: int,
    list_id: int,
    status: SubscriptionStatus = SubscriptionStatus.active,
) -> None:
    row = {
        "list_id": list_id,
        "subscriber_id": subscriber_id,
        "status": status,
        "since": THEN,
    }
    with db.write() as connection:
        connection.execute(insert(Subscription), row)


def suppress(db: Database, address: str, reason: str = "complaint") -> None:
    with db.write() as connection:
        hashed = suppression_hash(connection, parse_address(address).key)
        connection.execute(insert(Suppression), {"hash": hashed, "reason": reason, "at": THEN})


def make_campaign(
    db: Database,
    list_id: int,
    slug: str = "edition",
    *,
    pages: Mapping[str, str] | None = None,
    readers: Mapping[int, str] | None = None,
    state: CampaignState = CampaignState.planned,
    **values: Any,
) -> Made:
    """A campaign with one variant a language (``pages``: language → web page).

    ``readers`` are its deliveries: subscriber → language.
    """
    pages = pages or {"en": PAGE}
    key = hashlib.sha256(slug.encode()).hexdigest()[:24]
    row: dict[str, Any] = {
        "slug": slug,
        "issue": slug,
        "folder": f"data/issues/{slug}",
        "content_hash": key,
        "list_id": list_id,
        "state": state,
        "subject": "Boats at the quay",
        "web_key": key,
        "frozen": {},
        "planned_at": THEN,
        "stopped_because": "",
        "wire_seconds": 0.0,
    } | values
    with db.write() as connection:
        campaign_id = _inserted(connection, Campaign, row)
        variants = {
            language: _inserted(
                connection,
                Variant,
                {
                    "campaign_id": campaign_id,
                    "language": language,
                    "compiled": "",
                    "web_page": page,
                    **page_values(page),
                },
            )
            for language, page in pages.items()
        }
        for position, (subscriber_id, language) in enumerate((readers or {}).items()):
            delivery = {
                "campaign_id": campaign_id,
                "position": position,
                "subscriber_id": subscriber_id,
                "variant_id": variants[language],
                "state": "planned",
                "attempt": 0,
                "reason": "",
                "reply": "",
            }
            connection.execute(insert(Delivery), delivery)
    return Made(campaign_id, row["web_key"], variants)


def issue_page(title: str, *, lang: str = "en", about: str = "", body: str = "<p>Hello</p>") -> str:
    """A page as the web version of a plan is made."""
    return (
        f'<!doctype html><html lang="{lang}"><head><title>{escape(title)}</title>'
        f'<meta name="robots" content="noindex">'
        f'<meta property="og:title" content="{escape(title)}">'
        f'<meta property="og:description" content="{escape(about)}"></head>'
        f'<body class="a>b"><main>{body}</main></body></html>'
    )


def make_sent(
    db: Database, list_id: int, slug: str, at: datetime, *titles: str, **values: Any
) -> Made:
    """A campaign that was sent; ``pages`` say what it shows, else it has a page of this title."""
    pages = values.pop("pages", None) or {"en": issue_page(titles[0] if titles else slug)}
    state = values.pop("state", CampaignState.finished)
    accepted = values.pop("accepted", 1)
    made = make_campaign(db, list_id, slug, pages=pages, state=state, started_at=at, **values)
    with db.write() as connection:
        connection.execute(
            insert(Tally), {"campaign_id": made.id, "audience": accepted, "accepted": accepted}
        )
    return made


def make_picture(
    db: Database, data: bytes = b"\x89PNG", kind: str = "png", campaign_id: int | None = None
) -> str:
    """A picture under its content-addressed name."""
    name = f"{hashlib.sha256(data).hexdigest()[:32]}.{kind}"
    with db.write() as connection:
        connection.execute(insert(StoredPicture), {"name": name, "data": data})
        if campaign_id is not None:
            connection.execute(insert(CampaignPicture), {"campaign_id": campaign_id, "name": name})
    return name


def make_draft(db: Database, key: str, expires: datetime, page: str = PAGE) -> None:
    """The web version of a test copy."""
    row = {"key": key, "language": "en", "web_page": page, "expires_at": expires}
    with db.write() as connection:
        connection.execute(insert(Draft), row)


def status_of(db: Database, subscriber_id: int, list_id: int) -> str | None:
    """How a person stands on a list; None when they are not on it."""
    with db.read() as connection:
        found = one(
            connection,
            "SELECT status FROM subscription WHERE subscriber_id = :s AND list_id = :l",
            s=subscriber_id,
            l=list_id,
        )
    return None if found is None else str(found)


def events(db: Database, subscriber_id: int) -> Sequence[tuple[str, str, int | None, str]]:
    """What happened to a person, oldest first: kind, actor, list, detail."""
    with db.read() as connection:
        rows = connection.execute(
            select(col(Event.kind), col(Event.actor), col(Event.list_id), col(Event.detail))
            .where(col(Event.subscriber_id) == subscriber_id)
            .order_by(col(Event.id))
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]


def dump(db: Database) -> Mapping[str, Sequence[str]]:
    """Every row of every table, to compare before and after."""
    with db.read() as connection:
        if db.on_sqlite:
            names = "SELECT name FROM sqlite_master WHERE type = 'table'"
        else:
            names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = connection.execute(text(names)).scalars().all()
        return {
            table: sorted(
                repr(tuple(row)) for row in connection.execute(text(f'SELECT * FROM "{table}"'))
            )
            for table in sorted(tables)
        }


def suppression_hash(connection: Connection, key: str) -> bytes:
    secret = one(connection, "SELECT suppression_key FROM instance")
    return suppression_hasher(bytes.fromhex(secret))(key)


def _inserted(connection: Connection, table: type[Any], row: Mapping[str, Any]) -> int:
    result = connection.execute(insert(table).returning(table.id), dict(row))
    return int(result.scalar_one())


def plan_people(db: Database, campaign_id: int, variant: int, people: Mapping[int, str]) -> None:
    """One delivery and snapshot for each person (id → address), in this order, from position 1."""
    if not people:
        return
    places = list(enumerate(people.items(), 1))
    with db.write() as connection:
        connection.execute(
            insert(Delivery),
            [
                {
                    "campaign_id": campaign_id,
                    "position": position,
                    "subscriber_id": subscriber,
                    "variant_id": variant,
                }
                for position, (subscriber, _) in places
            ],
        )
        connection.execute(
            insert(Snapshot),
            [
                {"campaign_id": campaign_id, "position": position, "address": address}
                for position, (_, address) in places
            ],
        )

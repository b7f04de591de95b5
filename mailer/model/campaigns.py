"""Rows about sending: the frozen campaign, its variants, and the ledger.

Instants of the ledger are whole milliseconds since 1970 (UTC), as integers: they are written
for every mail, by plain SQL, on two databases. All other instants are aware datetimes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    true,
)
from sqlmodel import Field, SQLModel

from mailer.model.people import BigKey
from mailer.model.words import CampaignState, DeliveryState


def _one_of(column: str, words: type[CampaignState] | type[DeliveryState]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _on_sqlite(column: str, target: str) -> ForeignKeyConstraint:
    """A foreign key of the ledger's big tables, which PostgreSQL does without.

    It checks each row by a query of its own, two thirds of the time of a plan. Who writes rows
    holds the campaign instead (``planning.keep_planning``), and who removes it holds it alone.
    """
    return ForeignKeyConstraint([column], [target]).ddl_if(dialect="sqlite")


class Campaign(SQLModel, table=True):
    """One issue, frozen, with one audience, frozen."""

    __table_args__ = (_one_of("state", CampaignState),)

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    issue: str = Field(index=True)  # the issue's name: the folder that it came from
    folder: str  # where the issue lay when it was planned
    content_hash: str  # of every file that went into it
    list_id: int = Field(foreign_key="list.id")
    state: str
    subject: str  # for people; slots as the author wrote them
    web_key: str = Field(unique=True)  # random; the same for all readers
    frozen: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    # ↑ everything that enters the bytes: From, return path, site address, key id, policy
    planned_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    stopped_because: str = ""
    wire_seconds: float = 0.0
    approval: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSON(none_as_null=True), nullable=True)
    )  # who gave it, when, and hashes of what they saw
    start_at: datetime | None = None  # of a schedule or a hold
    destination: str = Field(default="", sa_column_kwargs={"server_default": ""})
    # ↑ the files that it was last sent into; empty: the mail server
    not_after: datetime | None = None  # the latest time to start; later somebody is asked
    added: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # ↑ people of the audience who came into it after the plan
    in_archive: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    # ↑ whether the public archive may show it, if its list is public
    withdrawn_at: datetime | None = None  # its page is gone since then, but not its links
    withdrawn_because: str = Field(default="", sa_column_kwargs={"server_default": ""})
    spread_until: datetime | None = None  # sent evenly until then; later as fast as may be
    chosen: str = Field(default="", sa_column_kwargs={"server_default": ""})
    # ↑ which of two subjects the rest gets: a or b; empty: nobody has chosen


class Variant(SQLModel, table=True):
    """One compiled rendering of a campaign: a language, or a subject under test."""

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", index=True)
    language: str
    compiled: str  # the compiled message, as message/ dumps it
    measured: str | None = None  # the same message with links that are measured
    web_page: str  # the whole page for /w/{key}
    corrected_page: str | None = None  # shown in its stead; what was sent stays in web_page
    title: str = Field(default="", sa_column_kwargs={"server_default": ""})
    description: str = Field(default="", sa_column_kwargs={"server_default": ""})
    picture: str = Field(default="", sa_column_kwargs={"server_default": ""})  # an address
    words: str = Field(default="", sa_column_kwargs={"server_default": ""})
    # ↑ the four are read off the page that is shown; words are folded, for the search
    version: str = Field(default="a", sa_column_kwargs={"server_default": "a"})
    # ↑ which of two subjects: a or b


class CampaignLink(SQLModel, table=True):
    """A measured link of a campaign; its number stands in the links that lead to it."""

    __tablename__ = "campaign_link"

    campaign_id: int = Field(primary_key=True, foreign_key="campaign.id")
    number: int = Field(primary_key=True)
    url: str


class LinkClick(SQLModel, table=True):
    """One measured link that was followed. ``subscriber_id`` only of who said yes to that.

    ``network`` is a keyed hash of the network's prefix: its key changes with the day and the
    campaign, so it joins nothing beyond them.
    """

    __tablename__ = "link_click"
    __table_args__ = (Index("ix_link_click_campaign_id_at", "campaign_id", "at"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    campaign_id: int = Field(foreign_key="campaign.id")
    number: int
    at: int = Field(sa_type=BigInteger)
    subscriber_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, nullable=True, index=True)
    )
    network: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    verdict: str = ""  # why it is no reader's; empty: as far as is known, it is


class ImageLoad(SQLModel, table=True):
    """One load of a campaign's counted picture; its columns are those of a click."""

    __tablename__ = "image_load"
    __table_args__ = (Index("ix_image_load_campaign_id_at", "campaign_id", "at"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    campaign_id: int = Field(foreign_key="campaign.id")
    at: int = Field(sa_type=BigInteger)
    subscriber_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, nullable=True, index=True)
    )
    network: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    verdict: str = ""


class Correction(SQLModel, table=True):
    """A note that stands above the web version, dated; the newest comes first."""

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", index=True)
    at: datetime
    note: str


class Draft(SQLModel, table=True):
    """The web version of a test copy; its address is as random as a campaign's, and expires."""

    key: str = Field(primary_key=True)  # of another language than the default: key/language
    language: str
    web_page: str
    expires_at: datetime


class StoredPicture(SQLModel, table=True):
    """A picture that some campaign shows, content-addressed: ``name`` holds its hash."""

    __tablename__ = "picture"

    name: str = Field(primary_key=True)
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class CampaignPicture(SQLModel, table=True):
    """Which pictures a campaign shows, so that none is ever tidied away under it."""

    __tablename__ = "campaign_picture"

    campaign_id: int = Field(primary_key=True, foreign_key="campaign.id")
    name: str = Field(primary_key=True, foreign_key="picture.name")


class Exclusion(SQLModel, table=True):
    """How many of the list were left out at plan time, by reason."""

    campaign_id: int = Field(primary_key=True, foreign_key="campaign.id")
    reason: str = Field(primary_key=True)
    people: int


class Delivery(SQLModel, table=True):
    """One recipient of one campaign: the ledger's row.

    ``position`` runs through the whole campaign; each lane is a range of positions,
    so a claim reads along the primary key and needs no index on ``state``.
    """

    __table_args__ = (
        UniqueConstraint("campaign_id", "subscriber_id"),
        _one_of("state", DeliveryState),
        _on_sqlite("campaign_id", "campaign.id"),
        _on_sqlite("variant_id", "variant.id"),
        {"sqlite_with_rowid": False},
    )

    campaign_id: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    subscriber_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    variant_id: int
    state: str = DeliveryState.planned
    attempt: int = 0
    run_id: int | None = None  # the run that claimed it last
    reason: str = ""
    reply: str = ""
    first_at: int | None = Field(default=None, sa_type=BigInteger)  # the first claim: Date, t=
    at: int | None = Field(default=None, sa_type=BigInteger)  # the last move
    retried_at: int | None = Field(default=None, sa_type=BigInteger)
    # ↑ when somebody had it tried anew: from then on its time to expire counts


class Snapshot(SQLModel, table=True):
    """What the mail says about one person, read once at plan time. Goes when the row is final."""

    __table_args__ = (_on_sqlite("campaign_id", "campaign.id"), {"sqlite_with_rowid": False})

    campaign_id: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    address: str
    fields: str = "{}"  # JSON: only the fields that the template reads
    message_hash: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    # ↑ of the first attempt's bytes: a retry must have the same


class Lane(SQLModel, table=True):
    """A group of recipient domains: the positions ``first``..``last``, claimed up to ``cursor``."""

    campaign_id: int = Field(primary_key=True, foreign_key="campaign.id")
    lane: int = Field(primary_key=True)
    name: str
    first: int
    last: int
    cursor: int
    resume_at: int | None = Field(default=None, sa_type=BigInteger)  # ms: left alone until then
    why: str = Field(default="", sa_column_kwargs={"server_default": ""})
    held: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # ↑ 1: its people wait for a choice between two subjects


class SentDay(SQLModel, table=True):
    """How many messages went on a day of the owner's calendar, of all campaigns."""

    __tablename__ = "sent_day"

    day: str = Field(primary_key=True)  # ISO
    messages: int = 0


class RouteDay(SQLModel, table=True):
    """How many messages a route has had, or has put aside, on a day of the owner's calendar."""

    __tablename__ = "route_day"

    day: str = Field(primary_key=True)  # ISO
    route: str = Field(primary_key=True)
    messages: int = 0


class Waiting(SQLModel, table=True):
    """A released or deferred row behind its lane's cursor, and when it is due."""

    __table_args__ = ({"sqlite_with_rowid": False},)

    campaign_id: int = Field(primary_key=True, foreign_key="campaign.id")
    due_at: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True)


class Tally(SQLModel, table=True):
    """The seven counts of a campaign, changed in the transaction that moves the rows."""

    campaign_id: int = Field(primary_key=True, foreign_key="campaign.id")
    audience: int = 0
    planned: int = 0
    sending: int = 0
    accepted: int = 0
    deferred: int = 0
    refused: int = 0
    skipped: int = 0
    unknown: int = 0


class Run(SQLModel, table=True):
    """One process that sends one campaign. Its id is the fencing number of its writes."""

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    campaign_id: int = Field(foreign_key="campaign.id", index=True)
    host: str
    boot_id: str
    pid: int
    recorder: str  # the flight recorder's file name
    started_at: datetime
    ended_at: datetime | None = None  # null: it runs, or died
    heartbeat_at: int | None = Field(default=None, sa_type=BigInteger)
    counted_day: str = Field(default="", sa_column_kwargs={"server_default": ""})
    # ↑ the day against whose cap it counted its last claims; empty: there is no cap


class Worker(SQLModel, table=True):
    """A process that sees to schedules and deferred people, as long as it beats."""

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    process: str  # host, boot and process id
    started_at: datetime
    heartbeat_at: int = Field(sa_type=BigInteger)

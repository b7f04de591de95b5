"""Rows about people: subscribers, lists, what joins them, and the proof of their consent.

Table classes do not validate: values are parsed at the edge, once, in a pure room.
Foreign keys are plain columns; there are no relationships, so nothing loads lazily.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Integer, LargeBinary, false
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMING

# SQLite numbers rows by itself only in a column of exactly this type.
BigKey = BigInteger().with_variant(Integer(), "sqlite")


class Instance(SQLModel, table=True):
    """One row: which database this is. Tokens and recorders are bound to it."""

    id: int = Field(default=1, primary_key=True)
    identity: str  # random, 32 hex digits
    suppression_key: str  # hex; made once, never rotated: the hashes outlive people
    created_at: datetime


class FieldDefinition(SQLModel, table=True):
    """A custom field of this workspace and its declared kind."""

    __tablename__ = "field"

    name: str = Field(primary_key=True)
    kind: str
    choices: str = Field(default="", sa_column_kwargs={"server_default": ""})  # one a line
    opened: bool = Field(default=False, sa_column_kwargs={"server_default": false()})  # to readers
    label: str = Field(default="", sa_column_kwargs={"server_default": ""})  # that readers see
    created_at: datetime


class Subscriber(SQLModel, table=True):
    """An address with fields. Its id is in links for ever, so it is never given out again."""

    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    address: str  # local part as typed (NFC), domain as A-labels in lower case
    key: str = Field(unique=True)  # the identity: NFC, case-folded, domain as A-labels
    suppression_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    language: str | None = None
    fields: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False, server_default="{}")
    )
    created_at: datetime
    fewer_days: int | None = None  # their wish: one campaign at most in so many days


class MailingList(SQLModel, table=True):
    """A list that people subscribe to."""

    __tablename__ = "list"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    slug: str = Field(unique=True)  # for List-Id and addresses of the site
    title: str  # as readers see it
    description: str = ""
    public: bool = True
    sender: str | None = None
    reply_to: str | None = None
    layout: str | None = None
    language: str | None = None
    opt_in: str = Field(default="single", sa_column_kwargs={"server_default": "single"})  # OptIn
    # The words of its sign-up page that a reader agrees to; empty: those of the page's language.
    wording: str = Field(default="", sa_column_kwargs={"server_default": ""})
    welcome: bool = Field(default=False, sa_column_kwargs={"server_default": false()})  # a mail
    created_at: datetime
    archived_at: datetime | None = None
    asked_at: datetime | None = None  # since when its people are asked again
    ask_until: datetime | None = None  # after this, whoever kept silent may be dropped


class Subscription(SQLModel, table=True):
    """Joins a subscriber to a list."""

    __table_args__ = ({"sqlite_with_rowid": False},)

    list_id: int = Field(primary_key=True, foreign_key="list.id")
    subscriber_id: int = Field(
        sa_column=Column(BigInteger, primary_key=True, index=True, autoincrement=False)
    )
    status: str
    since: datetime
    # A break that the reader takes, in ms like the ledger's instants: every claim reads it.
    paused_until: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class Wording(SQLModel, table=True):
    """The exact words that somebody agreed to."""

    id: int | None = Field(default=None, primary_key=True)
    text: str = Field(unique=True)
    created_at: datetime


class Consent(SQLModel, table=True):
    """Why one person may be written to on one list: where it came from, when, in which words."""

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    list_id: int = Field(foreign_key="list.id")
    subscriber_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    source: str  # import, operator, form, confirmation
    detail: str  # the file's name, the form's version
    batch_id: int | None = Field(default=None, foreign_key="batch.id")
    wording_id: int | None = Field(default=None, foreign_key="wording.id")
    at: datetime
    ip: str | None = None  # when there was one; pruned by age
    user_agent: str | None = None  # likewise
    confirmed_at: datetime | None = None  # double opt-in: when the link in the mail was used
    confirmation_id: str | None = None  # and the Message-ID of that mail


class TrackingConsent(SQLModel, table=True):
    """A person's answer to being tracked. The last one counts; nobody who has none is tracked."""

    __tablename__ = "tracking_consent"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    subscriber_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    answer: str  # a TrackingAnswer other than unknown
    source: str  # as for Consent
    detail: str = ""
    wording_id: int | None = Field(default=None, foreign_key="wording.id")
    at: datetime
    ip: str | None = None
    user_agent: str | None = None


class AddressChange(SQLModel, table=True):
    """A new address that a person asked for; it counts once both have said yes."""

    __tablename__ = "address_change"

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    address: str
    key: str
    asked_at: datetime
    expires_at: datetime
    old_yes_at: datetime | None = None
    new_yes_at: datetime | None = None
    outcome: str = Field(default="", sa_column_kwargs={"server_default": ""})  # empty: open


class SignUp(SQLModel, table=True):
    """Somebody was asked by mail whether they want a list; the link in it carries this number."""

    __tablename__ = "sign_up"

    id: int | None = Field(default=None, primary_key=True)
    list_id: int = Field(foreign_key="list.id")
    subscriber_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    consent_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    message_id: str  # of the mail that asks
    asked_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None = None


class OutgoingService(SQLModel, table=True):
    """A service mail that waits to be sent. Whoever sends it moves ``due_at`` on first.

    The row goes when the mail server has taken the mail, or when it is given up.
    """

    __tablename__ = "outbox"

    id: int | None = Field(default=None, primary_key=True)
    kind: str  # a ServiceMail
    list_id: int = Field(foreign_key="list.id")
    subscriber_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    sign_up_id: int | None = None  # what a confirmation asks about
    language: str
    message_id: str  # the same at each try
    created_at: datetime
    due_at: datetime = Field(index=True)
    attempts: int = 0


class SignUpCount(SQLModel, table=True):
    """How often something was asked for, under a keyed hash of by whom; it goes by itself."""

    __tablename__ = "sign_up_count"

    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    count: int
    expires_at: datetime = Field(index=True)


class SubscriberTag(SQLModel, table=True):
    """A word that officers put on a person, to find them again."""

    __tablename__ = "subscriber_tag"
    __table_args__ = ({"sqlite_with_rowid": False},)

    tag: str = Field(primary_key=True)  # case-folded
    subscriber_id: int = Field(
        sa_column=Column(BigInteger, primary_key=True, index=True, autoincrement=False)
    )
    at: datetime


class Suppression(SQLModel, table=True):
    """An address that is never mailed, as a keyed hash that outlives the person's rows."""

    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    reason: str
    at: datetime


class ListSuppression(SQLModel, table=True):
    """An address that never gets one list, whatever any import says; a keyed hash likewise."""

    __tablename__ = "list_suppression"
    __table_args__ = ({"sqlite_with_rowid": False},)

    list_id: int = Field(primary_key=True, foreign_key="list.id")
    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    reason: str
    at: datetime


class Segment(SQLModel, table=True):
    """A rule with a name: whom it means is found out anew each time."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    rule: str
    description: str = ""
    created_at: datetime
    changed_at: datetime
    archived_at: datetime | None = None


class Batch(SQLModel, table=True):
    """One import. ``loading`` until its last update makes it ``done``.

    The same import run again after a crash takes the batch over and goes on behind ``merged``;
    ``taken`` is the fencing number that stops whoever had it before.
    """

    id: int | None = Field(default=None, primary_key=True)
    list_id: int = Field(foreign_key="list.id")
    file: str
    digest: str  # of the file's bytes and of what was asked for; empty: never taken over
    state: str  # a BatchState
    owner: str  # the process that writes it
    taken: int = 1
    merged: int = 0  # how far in the order of the people's keys
    started_at: datetime
    finished_at: datetime | None = None
    rows: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    suppressed: int = 0
    duplicates: int = 0
    rejects_file: str = Field(default="", sa_column_kwargs={"server_default": ""})
    undone_at: datetime | None = None


class BatchChange(SQLModel, table=True):
    """What one import did to one person, so that it can be taken back.

    ``status_after`` without a change of status says that the file repeated a departure:
    taking back an earlier import must not bring this person back.
    """

    __tablename__ = "batch_change"
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch_id: int = Field(primary_key=True, foreign_key="batch.id")
    subscriber_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    created: bool  # the person was not known before
    status_before: str | None = None  # null: was not on the list
    since_before: datetime | None = None
    status_after: str | None = None  # null: the status is as it was
    fields_before: str | None = None  # JSON; null: fields and language are as they were
    language_before: str | None = None
    undone_at: datetime | None = None


class Event(SQLModel, table=True):
    """What happened to whom, when, by whose hand and why. Append only."""

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    at: datetime
    kind: str  # subscribed, unsubscribed, suppressed, …
    actor: str  # reader, operator NAME, server, …
    subscriber_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, nullable=True, index=True)
    )
    list_id: int | None = None
    campaign_id: int | None = None
    batch_id: int | None = None
    detail: str = ""

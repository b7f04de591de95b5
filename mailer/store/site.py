"""What the pages of the site show: frozen web versions, pictures, and where one reader stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.model.words import Frequency, SubscriptionStatus
from mailer.store.database import one
from mailer.store.subscriptions import BY_READER, Departure

_PAGES = (
    "SELECT v.language, coalesce(v.corrected_page, v.web_page) AS web_page, v.web_page AS sent"
    " FROM campaign c JOIN variant v ON v.campaign_id = c.id"
    " WHERE c.web_key = :key AND c.state <> 'planning'"
)
_FIRST_PAGE = text(_PAGES + " ORDER BY v.id LIMIT 1")
_PAGE = text(_PAGES + " AND lower(v.language) = lower(:language) ORDER BY v.id LIMIT 1")
_DRAFT = text(
    "SELECT language, web_page FROM draft WHERE expires_at > :now AND (key = :other"
    " OR key = :key AND (:language = '' OR lower(language) = :language))"
).bindparams(bindparam("now", type_=UTCDateTime()))
_LETTER = text(
    "SELECT c.list_id, l.title, (SELECT v.language FROM variant v WHERE v.id = COALESCE("
    "   (SELECT d.variant_id FROM delivery d"
    "     WHERE d.campaign_id = c.id AND d.subscriber_id = :subscriber),"
    "   (SELECT min(first.id) FROM variant first WHERE first.campaign_id = c.id)"
    " )) AS language"
    " FROM campaign c JOIN list l ON l.id = c.list_id"
    " WHERE c.id = :campaign AND c.state <> 'planning'"
)
_READER = text(
    "SELECT p.address, p.language, p.fewer_days, x.reason FROM subscriber p"
    " LEFT JOIN suppression x ON x.hash = p.suppression_hash WHERE p.id = :subscriber"
)
_STANDINGS = text(
    "SELECT l.id, l.slug, l.title, l.description, l.public, l.archived_at, u.status,"
    " u.paused_until, e.actor, e.detail, x.hash IS NOT NULL AS suppressed"
    " FROM subscription u JOIN list l ON l.id = u.list_id"
    " JOIN subscriber p ON p.id = u.subscriber_id"
    " LEFT JOIN list_suppression x ON x.list_id = l.id AND x.hash = p.suppression_hash"
    " LEFT JOIN event e ON e.id = (SELECT max(last.id) FROM event last"
    "   WHERE last.subscriber_id = u.subscriber_id AND last.list_id = u.list_id"
    "   AND last.kind = 'unsubscribed')"
    " WHERE u.subscriber_id = :subscriber ORDER BY l.title, l.id"
)


@dataclass(frozen=True, slots=True)
class WebPage:
    """A frozen page in one language: a campaign's, or a test copy's (``draft``)."""

    language: str
    html: str
    draft: bool = False
    corrected: bool = False  # another page than what was sent is shown


@dataclass(frozen=True, slots=True)
class Letter:
    """The mail that a link came from: its list, and the language that the reader got it in."""

    list_id: int
    list_title: str
    language: str


@dataclass(frozen=True, slots=True)
class Reader:
    """A person, as far as a page needs to know."""

    address: str
    suppressed: str  # the reason, or empty
    language: str = ""  # their own choice, or what is known
    frequency: Frequency = Frequency.every


@dataclass(frozen=True, slots=True)
class Standing:
    """How one person stands on one list, and how they came to leave it."""

    list_id: int
    slug: str
    title: str
    description: str
    public: bool
    archived: bool
    status: SubscriptionStatus
    departure: Departure | None  # the last time that they left
    suppressed: bool = False  # kept off this one list by somebody else
    paused_until: datetime | None = None  # a break, which may be over

    @property
    def receiving(self) -> bool:
        return not self.suppressed and self.status in (
            SubscriptionStatus.active,
            SubscriptionStatus.pending,
        )

    @property
    def pending(self) -> bool:
        return self.status == SubscriptionStatus.pending

    def paused(self, now: datetime) -> bool:
        """Whether they take a break from it at this moment."""
        return self.receiving and self.paused_until is not None and self.paused_until > now

    @property
    def may_return(self) -> bool:
        """Whether it was the reader who left, so that the reader may undo it."""
        left = self.status == SubscriptionStatus.unsubscribed
        if self.suppressed or self.departure is None:
            return False
        return left and self.departure.may_be_undone


def web_page(
    connection: Connection, key: str, language: str | None, *, as_sent: bool = False
) -> WebPage | None:
    """The page behind a web key; without a language, the campaign's first.

    ``as_sent`` is what was sent, although a corrected page is shown in its stead.
    """
    if language is None:
        row = connection.execute(_FIRST_PAGE, {"key": key}).first()
    else:
        row = connection.execute(_PAGE, {"key": key, "language": language}).first()
    if row is None:
        return None
    corrected = row.sent != row.web_page
    return WebPage(row.language, row.sent if as_sent else row.web_page, corrected=corrected)


def draft_page(
    connection: Connection, key: str, language: str | None, now: datetime
) -> WebPage | None:
    """The page of a test copy whose time is not over; without a language, its first."""
    wanted = (language or "").lower()
    asked = {"key": key, "other": f"{key}/{wanted}", "language": wanted, "now": now}
    row = connection.execute(_DRAFT, asked).first()
    return None if row is None else WebPage(row.language, row.web_page, draft=True)


def any_picture(connection: Connection, campaign_id: int) -> tuple[str, bytes] | None:
    """The name and the data of one picture that a campaign shows, if it shows any."""
    row = connection.execute(
        text(
            "SELECT p.name, p.data FROM campaign_picture c JOIN picture p ON p.name = c.name"
            " WHERE c.campaign_id = :campaign AND p.name NOT LIKE '%.ics' ORDER BY p.name LIMIT 1"
        ),
        {"campaign": campaign_id},
    ).first()
    return None if row is None else (row.name, bytes(row.data))


def picture(connection: Connection, name: str) -> bytes | None:
    data = one(connection, "SELECT data FROM picture WHERE name = :name", name=name)
    return None if data is None else bytes(data)


def letter(connection: Connection, campaign_id: int, subscriber_id: int) -> Letter | None:
    """What a link's campaign is to this reader; None when there is no such campaign."""
    row = connection.execute(
        _LETTER, {"campaign": campaign_id, "subscriber": subscriber_id}
    ).first()
    return None if row is None else Letter(row.list_id, row.title, row.language or "")


def reader(connection: Connection, subscriber_id: int) -> Reader | None:
    """The person, or None when they have been erased."""
    row = connection.execute(_READER, {"subscriber": subscriber_id}).first()
    if row is None:
        return None
    return Reader(row.address, row.reason or "", row.language or "", Frequency.of(row.fewer_days))


def standings(connection: Connection, subscriber_id: int) -> Sequence[Standing]:
    """Every list that a person is or was on, by title."""
    rows = connection.execute(_STANDINGS, {"subscriber": subscriber_id})
    return [
        Standing(
            list_id=row.id,
            slug=row.slug,
            title=row.title,
            description=row.description,
            public=bool(row.public),
            archived=row.archived_at is not None,
            status=SubscriptionStatus(row.status),
            departure=None if row.actor is None else Departure.parse(row.actor, row.detail),
            suppressed=bool(row.suppressed),
            paused_until=instant_of(row.paused_until),
        )
        for row in rows
    ]


def instant_of(ms: int | None) -> datetime | None:
    """A moment that is kept as milliseconds."""
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def left_everything(reader: Reader) -> bool:
    """Whether it was the reader who asked for no more mail at all."""
    return reader.suppressed == BY_READER

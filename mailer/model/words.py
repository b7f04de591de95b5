"""The words that every room speaks: states, moves, outcomes. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class SubscriptionStatus(StrEnum):
    """What joins a person to a list. The order is the rank: an import may only move down it."""

    active = "active"  # receives campaigns
    pending = "pending"  # asked, has not confirmed yet
    unsubscribed = "unsubscribed"  # left
    bounced = "bounced"  # the address does not exist any more
    complained = "complained"  # reported a mail as spam


STATUS_RANK: Mapping[SubscriptionStatus, int] = {
    status: rank for rank, status in enumerate(SubscriptionStatus)
}


class Frequency(StrEnum):
    """How often somebody wants to hear from us at most, over all lists."""

    every = "every"  # whatever there is
    week = "week"
    month = "month"
    quarter = "quarter"

    @property
    def days(self) -> int | None:
        """So many days lie between two mails: a little less, as an edition may come early."""
        return {"week": 6, "month": 27, "quarter": 88}.get(self.value)

    @classmethod
    def of(cls, days: int | None) -> Frequency:
        """The wish that a person's row keeps as days."""
        return next((each for each in cls if each.days == days), cls.every)


class LeavingReason(StrEnum):
    """Why somebody left, if they say so."""

    too_many = "too_many"  # too many mails
    not_relevant = "not_relevant"
    never_asked = "never_asked"  # did not sign up
    other_address = "other_address"  # gets it elsewhere
    other = "other"


class OptIn(StrEnum):
    """How somebody gets onto a list."""

    single = "single"  # at once
    double = "double"  # pending, until a link in a mail is used


class SignUpLimit(StrEnum):
    """What sign-ups are counted by, each with its own limit an hour."""

    network = "network"  # /24 of IPv4, /64 of IPv6
    domain = "domain"  # of the address
    overall = "overall"


class TrackingAnswer(StrEnum):
    """What a person said about being tracked. Only ``yes`` is a yes."""

    unknown = "unknown"  # never asked, or never answered
    yes = "yes"
    no = "no"


class RetentionRule(StrEnum):
    """What ``db prune`` may take away, each by its own age."""

    rejects = "rejects"  # files of rows that imports refused
    network = (
        "network"  # IP and user agent of consents, networks of clicks and loads; the rest stays
    )
    replies = "replies"  # what mail servers answered, of campaigns that are over
    values = "values"  # what mails said about people, of campaigns that are over
    clicks = "clicks"  # measured links that were followed, pictures that were loaded
    events = "events"  # changes and tags; moves and consents stay
    pending = "pending"  # people who never confirmed
    left = "left"  # people who get no list any more; their hash stays


class PeopleFormat(StrEnum):
    """The forms in which people are exported."""

    csv = "csv"
    xlsx = "xlsx"
    jsonl = "jsonl"


class PersonOrder(StrEnum):
    """What people may be sorted by."""

    added = "added"  # the order in which they became known
    address = "address"
    since = "since"  # of their standing on the list; without a list, as ``added``


class BatchState(StrEnum):
    """The life of an import."""

    loading = "loading"  # people are being written, or a process died while writing them
    stopped = "stopped"  # a process died half-way; the same import completes it
    done = "done"  # whole
    undoing = "undoing"  # being taken back, or a process died while doing so
    undone = "undone"  # taken back, but for people who acted since


class FieldKind(StrEnum):
    """The declared type of a custom field."""

    text = "text"
    number = "number"
    date = "date"
    yesno = "yesno"
    list = "list"


class DateOrder(StrEnum):
    """How dates of three numbers are written."""

    dmy = "dmy"
    mdy = "mdy"
    ymd = "ymd"


class ServiceMail(StrEnum):
    """What the site itself writes to one person."""

    confirmation = "confirmation"  # somebody asked to be on a list
    welcome = "welcome"  # they are on it
    goodbye = "goodbye"  # they have left it
    address_old = "address_old"  # to the address that somebody wants to leave
    address_new = "address_new"  # and to the one that they want to go to


class OnUnknown(StrEnum):
    """What becomes of people whose text was on its way when the answer was lost."""

    hold = "hold"  # an operator decides
    resend = "resend"  # sent again: some may get two copies
    skip = "skip"  # left: some may have got none


class CampaignState(StrEnum):
    """The life of a campaign."""

    planning = "planning"  # being written; not visible, removed if found half done
    planned = "planned"  # frozen, not started
    scheduled = "scheduled"  # waits for its time; a worker starts it
    held = "held"  # about to be sent: a moment in which it can be called back
    sending = "sending"  # a process is sending it, or died while sending
    paused = "paused"  # stopped, can be resumed
    finished = "finished"  # nobody is left to try
    cancelled = "cancelled"  # the rest was skipped


CAMPAIGN_MOVES: Mapping[CampaignState, frozenset[CampaignState]] = {
    CampaignState.planning: frozenset({CampaignState.planned}),
    CampaignState.planned: frozenset(
        {
            CampaignState.sending,
            CampaignState.scheduled,
            CampaignState.held,
            CampaignState.paused,
            CampaignState.cancelled,
        }
    ),
    CampaignState.scheduled: frozenset(
        {
            CampaignState.planned,
            CampaignState.held,
            CampaignState.sending,
            CampaignState.paused,
            CampaignState.cancelled,
        }
    ),
    CampaignState.held: frozenset(
        {
            CampaignState.planned,
            CampaignState.scheduled,
            CampaignState.sending,
            CampaignState.paused,
            CampaignState.cancelled,
        }
    ),
    CampaignState.sending: frozenset(
        {CampaignState.paused, CampaignState.finished, CampaignState.cancelled}
    ),
    CampaignState.paused: frozenset(
        {
            CampaignState.scheduled,
            CampaignState.held,
            CampaignState.sending,
            CampaignState.finished,
            CampaignState.cancelled,
        }
    ),
    # `retry`, or an unknown that an operator sends again, opens a finished campaign.
    CampaignState.finished: frozenset({CampaignState.paused}),
    CampaignState.cancelled: frozenset(),
}


class DeliveryState(StrEnum):
    """One recipient's row in a campaign."""

    planned = "planned"  # not tried yet
    sending = "sending"  # claimed: its text may be on the wire
    accepted = "accepted"  # the server took responsibility (250 after the dot)
    deferred = "deferred"  # refused for now, tried again
    refused = "refused"  # refused for good
    skipped = "skipped"  # not tried, with a reason
    unknown = "unknown"  # the text was on its way and no answer came back


class Cause(StrEnum):
    """Why a delivery moves. Each move in ``DELIVERY_MOVES`` names its causes."""

    claimed = "claimed"
    answered = "answered"
    released = "released"
    withdrawn = "withdrawn"  # unsubscribed, suppressed, cancelled, erased
    expired = "expired"
    lost = "lost"  # the text was started and no answer is known
    found = "found"  # a recorder or a report turned up later
    told = "told"  # an operator or a policy decided
    retried = "retried"


_S = DeliveryState
DELIVERY_MOVES: Mapping[tuple[DeliveryState, DeliveryState], frozenset[Cause]] = {
    (_S.planned, _S.sending): frozenset({Cause.claimed}),
    (_S.deferred, _S.sending): frozenset({Cause.claimed}),
    (_S.sending, _S.accepted): frozenset({Cause.answered}),
    (_S.sending, _S.refused): frozenset({Cause.answered}),
    (_S.sending, _S.deferred): frozenset({Cause.answered, Cause.released}),
    (_S.sending, _S.planned): frozenset({Cause.released}),
    (_S.sending, _S.skipped): frozenset({Cause.withdrawn}),
    (_S.sending, _S.unknown): frozenset({Cause.lost}),
    (_S.planned, _S.skipped): frozenset({Cause.withdrawn}),
    (_S.deferred, _S.skipped): frozenset({Cause.withdrawn}),
    (_S.deferred, _S.refused): frozenset({Cause.expired}),
    (_S.unknown, _S.accepted): frozenset({Cause.found}),
    (_S.unknown, _S.refused): frozenset({Cause.found}),
    (_S.unknown, _S.deferred): frozenset({Cause.found}),
    (_S.unknown, _S.planned): frozenset({Cause.told}),
    (_S.unknown, _S.skipped): frozenset({Cause.told}),
    (_S.refused, _S.planned): frozenset({Cause.retried}),
}


class Stage(StrEnum):
    """Where in an SMTP conversation something happened (RFC 5321 section 4.3.2)."""

    connect = "connect"
    greeting = "greeting"
    ehlo = "ehlo"
    starttls = "starttls"
    auth = "auth"
    mail = "mail"
    rcpt = "rcpt"
    data = "data"  # the DATA command, before any text
    dot = "dot"  # after the final dot
    session = "session"  # a 421, or a connection lost, between commands


class Reply(NamedTuple):
    """A server's reply. ``enhanced`` is the RFC 3463 code (``5.1.1``), or empty."""

    code: int
    text: str
    enhanced: str = ""

    @property
    def temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def positive(self) -> bool:
        return 200 <= self.code < 300

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


class Blame(StrEnum):
    """Whom a refusal is about. Only ``recipient`` ever touches a person."""

    recipient = "recipient"
    message = "message"
    policy = "policy"
    infrastructure = "infrastructure"
    configuration = "configuration"
    rate = "rate"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one reply means for one delivery."""

    state: DeliveryState  # accepted, refused or deferred
    reason: str  # a word for the ledger: no_such_user, mailbox_full, policy, …
    blame: Blame
    stops_run: bool = False  # a configuration fault: finalise nobody, stop, say why
    suspend: int = 0  # seconds that this provider wants to be left alone


class SlotKind(StrEnum):
    value = "value"  # {{ expression }}
    tag = "tag"  # {% if … %}, {% elif … %}, {% else %}, {% endif %}, {% for … %}, {% endfor %}


@dataclass(frozen=True, slots=True)
class Slot:
    """A merge expression, lifted out of an issue before Markdown sees it.

    ``sentinel`` stands for it in subject, preheader, HTML and text, made of ``[A-Za-z0-9]`` only,
    because blanks and braces do not survive the inliner and URLs.
    ``source`` is what stood between the delimiters, without them.
    """

    sentinel: str
    kind: SlotKind
    source: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that the mail shows. ``name`` is ``<sha256 hex, 32 digits>.<ext>``."""

    name: str
    data: bytes = field(repr=False)
    width: int
    height: int

    @property
    def media(self) -> str:
        """Its media type."""
        ending = self.name.rpartition(".")[2]
        return f"image/{'jpeg' if ending == 'jpg' else ending}"

    @property
    def content_id(self) -> str:
        """By what the HTML names it inside of a message (RFC 2392): ``cid:`` and this."""
        return f"{self.name}@pictures"


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A file that a mail links to and the site serves, such as a calendar entry.

    ``name`` is ``<sha256 hex, 32 digits>.<ext>``, as a picture's.
    """

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rendition:
    """An issue rendered once: what differs per person still stands as sentinels.

    ``html`` is the whole document after inlining; ``text`` is the plain part, LF line ends;
    ``web_html`` is the same document without MSO parts and without what belongs to one reader.
    A ``tag`` slot that surrounds whole blocks stands in ``html`` as ``<!--sentinel-->`` and in
    ``text`` on a line of its own.
    """

    subject: str
    preheader: str
    html: str
    web_html: str
    text: str
    slots: tuple[Slot, ...]
    language: str
    direction: str
    pictures: tuple[Picture, ...] = ()
    embedded: tuple[str, ...] = ()  # the names of those that ``html`` shows by ``cid:``
    files: tuple[SiteFile, ...] = ()

    @property
    def served(self) -> tuple[Picture | SiteFile, ...]:
        """Everything that the site must serve under the mail's addresses."""
        return (*self.pictures, *self.files)


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """At most so many campaigns for one person in so many days."""

    campaigns: int
    days: int

    def __str__(self) -> str:
        return f"{self.campaigns}/{self.days}"


@dataclass(frozen=True, slots=True)
class Trail:
    """Where a link led when somebody followed it. ``status`` is 0 when no answer came.

    ``refused`` says that an address on the way is not the public's, so nobody was asked.
    """

    status: int
    redirects: int = 0
    end: str = ""  # the last address
    trouble: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """The seven delivery counts of a campaign; they add up to ``audience`` at every instant."""

    audience: int = 0
    planned: int = 0
    sending: int = 0
    accepted: int = 0
    deferred: int = 0
    refused: int = 0
    skipped: int = 0
    unknown: int = 0

    @property
    def balanced(self) -> bool:
        return self.audience == sum(int(getattr(self, state)) for state in DeliveryState)

    @property
    def left(self) -> int:
        """How many are still to be tried."""
        return self.planned + self.sending + self.deferred

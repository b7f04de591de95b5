"""Chooses an audience: who of a list gets a campaign, and why each of the others does not.

One statement reads everybody on the list and settles each person's fate, in one snapshot of the
database. What it found lies in temporary tables of this connection's own, so that nobody waits
while a million people are put in order; from there it is written in slices.

Each provider has a range of positions, its lane; a run takes from all lanes in turn. Within a lane,
each mail domain is spread evenly. So no provider gets its share in one burst, and a slow one does
not hold back the rest. The order is the same each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    false,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    table,
    text,
)

from mailer.contacts.rule import Rule
from mailer.model.campaigns import Delivery, Snapshot
from mailer.model.words import DeliveryState, FrequencyCap
from mailer.smtp.providers import OTHER
from mailer.store.database import Database
from mailer.store.rule_fields import PEOPLE, Yes
from mailer.store.rule_sql import DELIVERY, SUBSCRIPTION, SUPPRESSION, RuleSql
from mailer.store.trouble import translated

_DAY_MS = 86_400_000
SLICE = 8_000  # people in one write transaction: some 100 ms

_OURS = SUBSCRIPTION.alias("u")
_ON_LIST = table("list_suppression", column("list_id", BigInteger), column("hash", LargeBinary))
# Got it, or may have got it.
IN_AUDIENCE = "in_audience"  # the reason of who has a row in the campaign ``beyond``
GOT = ("accepted", "unknown", "sending", "deferred")

_STAGE = MetaData()
_TEMPORARY: dict[str, Any] = {"prefixes": ["TEMPORARY"]}
# Rows are numbered as they are inserted.
_CHOSEN = Table(  # everybody on the list
    "chosen",
    _STAGE,
    Column("n", Integer, primary_key=True),
    Column("id", BigInteger),
    Column("address", String),
    Column("domain", String),
    Column("language", String),
    Column("fields", Text),  # JSON: what the mail reads of the person
    Column("excluded", String),
    **_TEMPORARY,
)
_NEIGHBOURS = Table(  # who gets it, domain by domain
    "neighbours",
    _STAGE,
    Column("n", Integer, primary_key=True),
    Column("chosen", Integer),
    Column("domain", String),
    **_TEMPORARY,
)
_PROVIDERS = Table(  # domains that belong to a lane of their own
    "providers",
    _STAGE,
    Column("domain", String, primary_key=True),
    Column("lane", Integer),
    **_TEMPORARY,
)
_AUDIENCE = Table(  # who gets it, in the order of sending
    "audience",
    _STAGE,
    Column("position", Integer, primary_key=True),
    Column("chosen", Integer),
    **_TEMPORARY,
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Who of a list is asked for, and who is to be left out."""

    list_id: int
    earlier: Sequence[int] = ()  # campaigns of the same issue: whoever got one does not again
    segment: Rule | None = None
    not_on: Sequence[int] = ()  # lists
    not_among: Sequence[Rule] = ()  # segments
    not_in: Sequence[int] = ()  # campaigns
    cap: FrequencyCap | None = None
    now_ms: int = 0  # the instant from which the cap's days count back
    beyond: int | None = None  # a campaign: only who is not in its audience


@dataclass(frozen=True, slots=True)
class Values:
    """What the mail reads of some people of one language, who all have it alike."""

    language: str | None
    fields: str  # JSON
    people: int
    example: str  # the address of one


def reasons(selection: Selection, dialect: str) -> list[tuple[str, Yes]]:
    """Why somebody on the list is left out: the first that holds is the one that counts."""
    rules = RuleSql(dialect)
    me = PEOPLE.c.id
    got = exists().where(DELIVERY.c.subscriber_id == me, DELIVERY.c.state.in_(GOT))
    found: list[tuple[str, Yes]] = [
        (
            "suppressed",
            or_(
                exists().where(SUPPRESSION.c.hash == PEOPLE.c.suppression_hash),
                exists().where(
                    _ON_LIST.c.list_id == selection.list_id,
                    _ON_LIST.c.hash == PEOPLE.c.suppression_hash,
                ),
            ),
        ),
        ("paused", _OURS.c.paused_until > selection.now_ms),
    ]
    if selection.beyond is not None:
        there = exists().where(
            DELIVERY.c.subscriber_id == me, DELIVERY.c.campaign_id == selection.beyond
        )
        found.insert(0, (IN_AUDIENCE, there))
    if selection.segment is not None:
        found.append(("segment", not_(rules.rule(selection.segment))))
    if selection.not_on:
        on = exists().where(
            SUBSCRIPTION.c.subscriber_id == me,
            SUBSCRIPTION.c.list_id.in_(selection.not_on),
            SUBSCRIPTION.c.status == "active",
        )
        found.append(("excluded_list", on))
    if selection.not_among:
        among = or_(false(), *(rules.rule(each) for each in selection.not_among))
        found.append(("excluded_segment", among))
    if selection.not_in:
        found.append(("excluded_campaign", got.where(DELIVERY.c.campaign_id.in_(selection.not_in))))
    if selection.earlier:
        found.append(("already_sent", got.where(DELIVERY.c.campaign_id.in_(selection.earlier))))
    if selection.cap is not None:
        found.append(("frequency_cap", _too_many(selection.cap, selection.now_ms)))
    wish = cast(PEOPLE.c.fewer_days, BigInteger) * _DAY_MS
    lately = got.where(DELIVERY.c.at > literal(selection.now_ms, BigInteger()) - wish)
    found.append(("fewer_mails", and_(PEOPLE.c.fewer_days.is_not(None), lately)))
    return found


def _too_many(cap: FrequencyCap, now_ms: int) -> Yes:
    """As many campaigns as are allowed are accepted, or may be, within the days."""
    recent = (
        select(func.count())
        .select_from(DELIVERY)
        .where(
            DELIVERY.c.subscriber_id == PEOPLE.c.id,
            DELIVERY.c.state.in_(GOT),
            DELIVERY.c.at > now_ms - cap.days * _DAY_MS,
        )
    )
    return recent.scalar_subquery() >= literal(cap.campaigns)


def explain(
    connection: Connection, dialect: str, selection: Selection, subscriber_id: int
) -> list[str] | None:
    """Every reason that keeps one person out, the one that counts first; None: not on the list."""
    why = reasons(selection, dialect)
    row = connection.execute(
        select(_OURS.c.status, *(holds.label(f"r{i}") for i, (_, holds) in enumerate(why)))
        .select_from(_OURS.join(PEOPLE, PEOPLE.c.id == _OURS.c.subscriber_id))
        .where(_OURS.c.list_id == selection.list_id, PEOPLE.c.id == subscriber_id)
    ).first()
    if row is None:
        return None
    status, *held = row
    standing = [] if status == "active" else [str(status)]
    return standing + [reason for (reason, _), holds in zip(why, held, strict=True) if holds]


@contextmanager
def gathered(
    db: Database, selection: Selection, names: Sequence[str], lane_of: Mapping[str, str]
) -> Iterator[Crowd]:
    """Everybody on the list with their fate, on a connection of its own.

    ``names`` are the fields that the mail reads, in any of its languages; ``lane_of`` names the
    lane of a domain, and a domain that is not in it belongs to the lane of all others.
    """
    with translated(db.shown), db.engine.connect() as connection:
        connection.detach()  # its settings and temporary tables must not go back to the pool
        if db.on_sqlite:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA temp_store = FILE")
            driver.execute("PRAGMA temp.journal_mode = OFF")
            driver.execute("PRAGMA temp.cache_size = -131072")  # they are met in another order
        with connection.begin():
            if not db.on_sqlite:
                for setting in _POSTGRESQL:
                    connection.exec_driver_sql(setting)
            _STAGE.create_all(connection, checkfirst=False)
            columns = ["id", "address", "domain", "language", "fields", "excluded"]
            everybody = _everybody(selection, db.dialect, names)
            connection.execute(insert(_CHOSEN).from_select(columns, everybody))
            lanes = [OTHER, *dict.fromkeys(lane_of.values())]
            numbers = {name: number for number, name in enumerate(lanes)}
            if lane_of:
                rows = [{"domain": d, "lane": numbers[name]} for d, name in lane_of.items()]
                connection.execute(insert(_PROVIDERS), rows)
        yield Crowd(connection, lanes)


def _everybody(selection: Selection, dialect: str, names: Sequence[str]) -> Select[Any]:
    words = RuleSql(dialect).words
    fate = case(
        (_OURS.c.status != "active", _OURS.c.status),
        *((holds, literal(reason)) for reason, holds in reasons(selection, dialect)),
        else_="",
    )
    return (
        select(
            PEOPLE.c.id,
            PEOPLE.c.address,
            words.domain(),
            PEOPLE.c.language,
            words.picked(names),
            fate,
        )
        .select_from(_OURS.join(PEOPLE, PEOPLE.c.id == _OURS.c.subscriber_id))
        .where(_OURS.c.list_id == selection.list_id)
    )


_POSTGRESQL = (
    "SET work_mem = '64MB'",  # a million people are sorted
    # Nobody sees the slices before the plan is published, and that commit waits for them all.
    "SET synchronous_commit = off",
)
_DELIVERY_COLUMNS = [
    "campaign_id",
    "position",
    "subscriber_id",
    "variant_id",
    "state",
    "attempt",
    "reason",
    "reply",
]


# Called with the first and the last position of a slice, before it is written.
Joining = Callable[[Connection, int, int], None]


class Crowd:
    """Everybody on a list, each with a fate; those who get it in the order of sending."""

    def __init__(self, connection: Connection, lanes: Sequence[str]) -> None:
        self._connection = connection
        self.lanes: list[tuple[str, int]] = []  # names with people, in the order of positions
        self.excluded: dict[str, int] = {}  # reason → people, the most frequent first
        with connection.begin():
            counted = connection.execute(
                select(_CHOSEN.c.excluded, func.count().label("people"))
                .group_by(_CHOSEN.c.excluded)
                .order_by(text("people DESC"), _CHOSEN.c.excluded)
            )
            for reason, people in counted:
                self.excluded[reason] = people
            self.size: int = self.excluded.pop("", 0)
            self.languages: dict[str | None, int] = {
                row[0]: row[1]
                for row in connection.execute(
                    select(_CHOSEN.c.language, func.count())
                    .where(_CHOSEN.c.excluded == "")
                    .group_by(_CHOSEN.c.language)
                )
            }
        with connection.begin():
            self._put_in_order(lanes)
            if connection.dialect.name == "postgresql":  # temporary tables are never looked at else
                connection.exec_driver_sql("ANALYZE chosen, audience")

    def _put_in_order(self, names: Sequence[str]) -> None:
        """Lane by lane, and in it each domain's people at even distances.

        The k-th of n stands at (k + ½) / n of its lane.
        """
        run = self._connection.execute
        run(
            insert(_NEIGHBOURS).from_select(
                ["chosen", "domain"],
                select(_CHOSEN.c.n, _CHOSEN.c.domain)
                .where(_CHOSEN.c.excluded == "")
                .order_by(_CHOSEN.c.domain, _CHOSEN.c.id),
            )
        )
        lane = func.coalesce(func.min(_PROVIDERS.c.lane), 0)
        each = (
            select(
                _NEIGHBOURS.c.domain,
                func.min(_NEIGHBOURS.c.n).label("first"),
                func.count().label("people"),
                lane.label("lane"),
            )
            .select_from(
                _NEIGHBOURS.outerjoin(_PROVIDERS, _PROVIDERS.c.domain == _NEIGHBOURS.c.domain)
            )
            .group_by(_NEIGHBOURS.c.domain)
            .subquery("each_domain")
        )
        for number, people in run(
            select(each.c.lane, func.sum(each.c.people)).group_by(each.c.lane).order_by(each.c.lane)
        ):
            self.lanes.append((names[number], int(people)))
        place = (_NEIGHBOURS.c.n - each.c.first + literal(0.5, Double())) / each.c.people
        run(
            insert(_AUDIENCE).from_select(
                ["chosen"],
                select(_NEIGHBOURS.c.chosen)
                .select_from(_NEIGHBOURS.join(each, each.c.domain == _NEIGHBOURS.c.domain))
                .order_by(each.c.lane, place, _NEIGHBOURS.c.n),
            )
        )

    def values(self) -> Iterator[Values]:
        """What the mail reads of people: each combination, once for each slice of the order."""
        found = (
            select(
                _CHOSEN.c.language,
                _CHOSEN.c.fields,
                func.count(),
                func.min(_CHOSEN.c.address),
            )
            .select_from(_AUDIENCE.join(_CHOSEN, _CHOSEN.c.n == _AUDIENCE.c.chosen))
            .where(_AUDIENCE.c.position.between(bindparam("first"), bindparam("last")))
            .group_by(_CHOSEN.c.language, _CHOSEN.c.fields)
        )
        for first, last in self._slices():
            with self._connection.begin():
                rows = self._connection.execute(found, {"first": first, "last": last}).all()
            for row in rows:
                yield Values(*row)

    def write(
        self,
        campaign_id: int,
        variants: Sequence[int],
        variant_of: Mapping[str | None, int],
        *,
        behind: int = 0,
        joining: Joining | None = None,
    ) -> None:
        """Writes one delivery and one snapshot for each person of the audience, in slices.

        ``variants`` are rows' ids, ``variant_of`` says which of them a language gets. Positions
        come ``behind`` those that are there; ``joining`` is called in each slice's transaction.
        """
        variant = case(
            *(
                (_CHOSEN.c.language == tag, literal(variants[number]))
                for tag, number in variant_of.items()
                if tag is not None
            ),
            (_CHOSEN.c.language.is_(None), literal(variants[variant_of.get(None, 0)])),
        )
        joined = _AUDIENCE.join(_CHOSEN, _CHOSEN.c.n == _AUDIENCE.c.chosen)
        slice_of = and_(
            _AUDIENCE.c.position >= bindparam("first"), _AUDIENCE.c.position <= bindparam("last")
        )
        campaign, nothing = literal(campaign_id, Integer()), literal("", String())
        position = (_AUDIENCE.c.position + literal(behind, Integer())).label("place")
        deliveries = insert(Delivery).from_select(
            _DELIVERY_COLUMNS,
            select(
                campaign,
                position,
                _CHOSEN.c.id,
                variant,
                literal(DeliveryState.planned.value, String()),
                literal(0, Integer()),
                nothing,
                nothing,
            )
            .select_from(joined)
            .where(slice_of)
            .order_by(_AUDIENCE.c.position),
        )
        snapshots = insert(Snapshot).from_select(
            ["campaign_id", "position", "address", "fields"],
            select(campaign, position, _CHOSEN.c.address, _CHOSEN.c.fields)
            .select_from(joined)
            .where(slice_of)
            .order_by(_AUDIENCE.c.position),
        )
        self._connection.execution_options(mailer_immediate=True)
        for first, last in self._slices():
            with self._connection.begin():
                if joining is not None:
                    joining(self._connection, first, min(last, self.size))
                self._connection.execute(deliveries, {"first": first, "last": last})
                self._connection.execute(snapshots, {"first": first, "last": last})

    def _slices(self) -> Iterator[tuple[int, int]]:
        for first in range(1, self.size + 1, SLICE):
            yield first, first + SLICE - 1

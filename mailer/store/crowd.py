"""Everybody on a list, gathered for a plan: each with a fate, and in the order of sending.

One statement reads them all and settles each person's fate (``audience``), in one snapshot of the
database. What it found lies in temporary tables of this connection's own, so that nobody waits
while a million people are put in order; from there it is written in slices.

Each provider has a range of positions, its lane; a run takes from all lanes in turn. Within a lane,
each mail domain is spread evenly. So no provider gets its share in one burst, and a slow one does
not hold back the rest. The order is the same each time, and on both databases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Insert,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    case,
    cast,
    collate,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
)

from mailer.model.campaigns import Delivery, Snapshot
from mailer.model.words import DeliveryState
from mailer.smtp.providers import OTHER
from mailer.store.audience import Selection, everybody
from mailer.store.database import Database
from mailer.store.planning import keep_planning
from mailer.store.trouble import translated

SLICE = 8_000  # people in one write transaction: some 50 ms

_STAGE = MetaData()
_TEMPORARY: dict[str, Any] = {"prefixes": ["TEMPORARY"]}
_CHOSEN = Table(  # everybody on the list
    "chosen",
    _STAGE,
    Column("id", BigInteger),
    Column("address", String),
    Column("domain", String),
    Column("language", String),
    Column("fields", Text),  # JSON: what the mail reads of the person
    Column("excluded", String),
    **_TEMPORARY,
)
_NEIGHBOURS = Table(  # who gets it, domain by domain; rows are numbered as they are inserted
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
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("lane", Integer),
    Column("id", BigInteger),
    Column("address", String),
    Column("language", String),
    Column("fields", Text),
    **_TEMPORARY,
)


_DRAWN = Table(  # who gets it, by lot; numbered as they are inserted, as the next
    "drawn",
    _STAGE,
    Column("n", Integer, primary_key=True),
    Column("was", Integer),
    **_TEMPORARY,
)
_MOVED = Table(  # who gets it when two subjects are tested: who waits comes behind all others
    "moved",
    _STAGE,
    Column("position", Integer, primary_key=True),
    Column("was", Integer, unique=True),
    Column("second", Integer),
    Column("waits", Integer),
    **_TEMPORARY,
)


@dataclass(frozen=True, slots=True)
class Draw:
    """A test between two subjects: the same ``share`` of the audience gets each of them.

    Who gets which is drawn by a hash under ``key``: random, and the same each time.
    """

    share: float  # of the audience, for each of the two: at most a half
    key: str

    def each(self, people: int) -> int:
        """So many people get each subject, before the rest."""
        return max(1, min(round(people * self.share), people // 2)) if people > 1 else 0


@dataclass(frozen=True, slots=True)
class Values:
    """What the mail reads of some people of one language, who all have it alike."""

    language: str | None
    fields: str  # JSON
    people: int
    example: str  # the address of one


@contextmanager
def gathered(
    db: Database,
    selection: Selection,
    names: Sequence[str],
    lane_of: Mapping[str, str],
    draw: Draw | None = None,
    *,
    measured: bool = False,
) -> Iterator[Crowd]:
    """Everybody on the list with their fate, on a connection of its own.

    ``names`` are the fields that the mail reads, in any of its languages; ``lane_of`` names the
    lane of a domain, and a domain that is not in it belongs to the lane of all others. ``measured``
    notes among the values who says yes to being tracked.
    """
    with translated(db.shown), db.engine.connect() as connection:
        connection.detach()  # its settings and temporary tables must not go back to the pool
        if db.on_sqlite:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA cache_size = -65536")
            driver.execute("PRAGMA temp_store = FILE")
            driver.execute("PRAGMA temp.journal_mode = OFF")
            driver.execute("PRAGMA temp.cache_size = -131072")  # they are met in another order
            driver.create_function("mailer_lot", 2, lot, deterministic=True)
        with connection.begin():
            if not db.on_sqlite:
                for setting in _POSTGRESQL:
                    connection.exec_driver_sql(setting)
            _STAGE.create_all(connection, checkfirst=False)
            columns = ["id", "address", "domain", "language", "fields", "excluded"]
            found = everybody(selection, db.dialect, names, measured=measured)
            connection.execute(insert(_CHOSEN).from_select(columns, found))
            lanes = [OTHER, *dict.fromkeys(lane_of.values())]
            numbers = {name: number for number, name in enumerate(lanes)}
            if lane_of:
                rows = [{"domain": d, "lane": numbers[name]} for d, name in lane_of.items()]
                connection.execute(insert(_PROVIDERS), rows)
        yield Crowd(connection, lanes, draw)


def lot(key: str, subscriber_id: int) -> str:
    """The lot of one person; PostgreSQL draws the same one by itself."""
    return hashlib.sha256(f"{key}:{subscriber_id}".encode()).hexdigest()


_POSTGRESQL = (
    "SET work_mem = '128MB'",  # a million people are sorted
    "SET jit = off",  # takes longer than it saves
    # Nobody sees the slices before the plan is published, and that commit waits for them all.
    "SET synchronous_commit = off",
)


def _by_language(variants: Sequence[int], variant_of: Mapping[str | None, int]) -> Any:
    return case(
        *(
            (_AUDIENCE.c.language == tag, literal(variants[number]))
            for tag, number in variant_of.items()
            if tag is not None
        ),
        (_AUDIENCE.c.language.is_(None), literal(variants[variant_of.get(None, 0)])),
    )


# Called with the first and the last position of a slice, before it is written.
Joining = Callable[[Connection, int, int], None]


class Crowd:
    """Everybody on a list, each with a fate; those who get it in the order of sending."""

    def __init__(
        self, connection: Connection, lanes: Sequence[str], draw: Draw | None = None
    ) -> None:
        self._connection = connection
        self._draw = draw
        self.held = 0  # the last so many lanes wait for a choice between two subjects
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
            if connection.dialect.name == "sqlite":
                _order_on_sqlite(connection)
            else:
                # Nobody else ever looks at these tables, and unseen they are met in slow ways.
                connection.exec_driver_sql("ANALYZE chosen, providers")
                connection.execute(_order_on_postgresql())
                connection.exec_driver_sql("ANALYZE audience")
            counted = connection.execute(
                select(_AUDIENCE.c.lane, func.count())
                .group_by(_AUDIENCE.c.lane)
                .order_by(_AUDIENCE.c.lane)
            )
            # Names with people, in the order of positions.
            self.lanes: list[tuple[str, int]] = [(lanes[row[0]], row[1]) for row in counted]
            if draw is not None:
                self._draw_lots(draw, lanes)

    def _draw_lots(self, draw: Draw, lanes: Sequence[str]) -> None:
        """The first by lot get one subject, the next the other; the rest waits behind them."""
        run, each = self._connection.execute, draw.each(self.size)
        key = literal(draw.key, String())
        if self._connection.dialect.name == "sqlite":
            drawn = func.mailer_lot(key, _AUDIENCE.c.id)
        else:
            told = key.concat(":").concat(cast(_AUDIENCE.c.id, String()))
            drawn = func.encode(func.sha256(func.convert_to(told, "UTF8")), "hex")
        by_lot = select(_AUDIENCE.c.position).order_by(drawn, _AUDIENCE.c.position)
        run(insert(_DRAWN).from_select(["was"], by_lot))
        waits = case((_DRAWN.c.n > 2 * each, 1), else_=0)
        second = case((_DRAWN.c.n.between(each + 1, 2 * each), 1), else_=0)
        behind = select(_DRAWN.c.was, second, waits).order_by(waits, _DRAWN.c.was)
        run(insert(_MOVED).from_select(["was", "second", "waits"], behind))
        counted = run(
            select(_AUDIENCE.c.lane, _MOVED.c.waits, func.count())
            .select_from(_AUDIENCE.join(_MOVED, _MOVED.c.was == _AUDIENCE.c.position))
            .group_by(_MOVED.c.waits, _AUDIENCE.c.lane)
            .order_by(_MOVED.c.waits, _AUDIENCE.c.lane)
        ).all()
        self.lanes = [(lanes[row[0]], row[2]) for row in counted]
        self.held = sum(row.waits for row in counted)

    def values(self) -> Iterator[Values]:
        """What the mail reads of people, each combination once."""
        found = select(
            _AUDIENCE.c.language,
            _AUDIENCE.c.fields,
            func.count(),
            func.min(_AUDIENCE.c.address),
        ).group_by(_AUDIENCE.c.language, _AUDIENCE.c.fields)
        with self._connection.begin():
            for row in self._connection.execute(found, execution_options={"yield_per": SLICE}):
                yield Values(*row)

    def write(
        self,
        campaign_id: int,
        variants: Sequence[int],
        variant_of: Mapping[str | None, int],
        *,
        seconds: Sequence[int] = (),
        behind: int = 0,
        joining: Joining | None = None,
    ) -> None:
        """Writes one delivery and one snapshot for each person of the audience, in slices.

        ``variants`` are rows' ids, ``variant_of`` says which of them a language gets; ``seconds``
        are the same under the second subject, for whom the lot has chosen it. Positions
        come ``behind`` those that are there; ``joining`` is called in each slice's transaction.
        """
        variant = _by_language(variants, variant_of)
        place: Any = _AUDIENCE.c.position
        all_of_them: Any = _AUDIENCE
        if self._draw is not None:
            place = _MOVED.c.position
            all_of_them = _AUDIENCE.join(_MOVED, _MOVED.c.was == _AUDIENCE.c.position)
            variant = case((_MOVED.c.second == 1, _by_language(seconds, variant_of)), else_=variant)
        campaign, nothing = literal(campaign_id, Integer()), literal("", String())
        position = (place + literal(behind, Integer())).label("place")
        delivery = {
            "campaign_id": campaign,
            "position": position,
            "subscriber_id": _AUDIENCE.c.id,
            "variant_id": variant,
            "state": literal(DeliveryState.planned.value, String()),
            "attempt": literal(0, Integer()),
            "reason": nothing,
            "reply": nothing,
        }
        snapshot = {
            "campaign_id": campaign,
            "position": position,
            "address": _AUDIENCE.c.address,
            "fields": _AUDIENCE.c.fields,
        }
        of_slice = place.between(bindparam("first"), bindparam("last"))
        statements = [
            insert(table).from_select(
                list(row),
                select(*row.values()).select_from(all_of_them).where(of_slice).order_by(place),
            )
            for table, row in ((Delivery, delivery), (Snapshot, snapshot))
        ]
        self._connection.execution_options(mailer_immediate=True)
        for first, last in self._slices():
            with self._connection.begin():
                if joining is not None:
                    joining(self._connection, first, min(last, self.size))
                else:
                    keep_planning(self._connection, campaign_id)
                for statement in statements:
                    self._connection.execute(statement, {"first": first, "last": last})

    def _slices(self) -> Iterator[tuple[int, int]]:
        for first in range(1, self.size + 1, SLICE):
            yield first, first + SLICE - 1


# Lane by lane, and in each the k-th of a domain's n people at (k + ½) / n of it. Written in two
# ways, because SQLite takes three times as long for windows, and PostgreSQL for the other.


def _order_on_sqlite(connection: Connection) -> None:
    row: Any = literal_column("chosen.rowid")
    sorted_by_domain = (
        select(row, _CHOSEN.c.domain)
        .where(_CHOSEN.c.excluded == "")
        .order_by(_CHOSEN.c.domain, _CHOSEN.c.id)
    )
    connection.execute(insert(_NEIGHBOURS).from_select(["chosen", "domain"], sorted_by_domain))
    each = (
        select(
            _NEIGHBOURS.c.domain,
            func.min(_NEIGHBOURS.c.n).label("first"),
            func.count().label("people"),
        )
        .group_by(_NEIGHBOURS.c.domain)
        .subquery("each_domain")
    )
    lane = func.coalesce(_PROVIDERS.c.lane, 0).label("lane")
    place = (_NEIGHBOURS.c.n - each.c.first + literal(0.5, Double())) / each.c.people
    ordered = (
        select(lane, _CHOSEN.c.id, _CHOSEN.c.address, _CHOSEN.c.language, _CHOSEN.c.fields)
        .select_from(
            _NEIGHBOURS.join(each, each.c.domain == _NEIGHBOURS.c.domain)
            .outerjoin(_PROVIDERS, _PROVIDERS.c.domain == _NEIGHBOURS.c.domain)
            .join(_CHOSEN, row == _NEIGHBOURS.c.chosen)
        )
        .order_by(lane, place, _NEIGHBOURS.c.n)
    )
    columns = ["lane", "id", "address", "language", "fields"]  # rows number themselves
    connection.execute(insert(_AUDIENCE).from_select(columns, ordered))


def _order_on_postgresql() -> Insert:
    people = (
        select(_CHOSEN.c.domain, func.count().label("people"))
        .where(_CHOSEN.c.excluded == "")
        .group_by(_CHOSEN.c.domain)
        .subquery("people_of")
    )
    # Domains are numbered in the order of their bytes, as on SQLite; numbers are sorted quickly.
    number = func.row_number().over(order_by=collate(people.c.domain, "C"))
    each = (
        select(
            *people.c,
            number.label("number"),
            func.coalesce(_PROVIDERS.c.lane, 0).label("lane"),
        )
        .select_from(people.outerjoin(_PROVIDERS, _PROVIDERS.c.domain == people.c.domain))
        .subquery("each_domain")
    )
    k = func.row_number().over(partition_by=each.c.number, order_by=_CHOSEN.c.id)
    place = (k - literal(0.5, Double())) / each.c.people
    placed = (
        select(
            each.c.lane,
            each.c.number,
            place.label("place"),
            _CHOSEN.c.id,
            _CHOSEN.c.address,
            _CHOSEN.c.language,
            _CHOSEN.c.fields,
        )
        .select_from(_CHOSEN.join(each, each.c.domain == _CHOSEN.c.domain))
        .where(_CHOSEN.c.excluded == "")
        .subquery("placed")
    )
    position = func.row_number().over(order_by=(placed.c.lane, placed.c.place, placed.c.number))
    columns = ["lane", "id", "address", "language", "fields"]
    ordered = select(position, *(placed.c[name] for name in columns))
    return insert(_AUDIENCE).from_select(["position", *columns], ordered)

"""Merges people who arrive by the thousand into a list: staged first, then set by set.

::

    load …  rows in the file's order       ─▶ a temporary table; nothing is changed yet
    settle  order by key, fold doubles     ─▶ one row a person
    count   slice by slice                 ─▶ what would happen to each
    merge   slice by slice, in key order   ─▶ people, subscriptions, consent, events, counts,
                                              and for an undo: what each person was before

``slice`` holds those alone of whom something is to be done or told; whoever is as the file says
is counted.

A slice is one short transaction that also moves the batch's counts and its ``merged`` mark, so
a process that dies leaves a batch that the same import, run again, takes over and completes:
the staged rows come out in the same order, and those up to the mark are done.

Nobody is raised: a status only ever moves down ``STATUS_RANK``, also of people who are suppressed;
those get neither a row nor a subscription nor a changed field.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.contacts.people import LEAVING, Arrival
from mailer.model.words import STATUS_RANK, BatchState, SubscriptionStatus
from mailer.store import people_postgresql, people_sqlite
from mailer.store.batches import taken_over
from mailer.store.database import Database, one
from mailer.store.differences import DIFFERENCES, Difference, difference
from mailer.store.doubles import EXAMPLES, Folded, fold_doubles
from mailer.store.people import hasher
from mailer.store.trouble import translated

FIRST_SLICE, SMALLEST, LARGEST = 2_000, 500, 20_000  # people
NO_LIST = -1  # counts people for a list that is not there yet
NEW_WORDING = -1  # counts people for a wording that is not there yet

_RESPELT = text(
    "SELECT a.address, p.address FROM slice s JOIN arrival a ON a.n = s.n"
    " JOIN subscriber p ON p.id = s.subscriber_id WHERE s.respelt = 1 ORDER BY s.n LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class Fates:
    """What becomes of the people of a file."""

    added: int = 0  # new on this list
    updated: int = 0  # on it already, and something about them changed
    unchanged: int = 0
    suppressed: int = 0  # kept out

    def __add__(self, other: Fates) -> Fates:
        names = [each.name for each in fields(self)]
        return Fates(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True, slots=True)
class Entry:
    """How people come to a list: what their consent records and events will say.

    ``batch_id`` and ``taken`` are those of an import; without a batch nobody counts along.
    """

    list_id: int
    source: str  # import, operator
    detail: str  # the file's name
    at: datetime
    wording_id: int | None = None
    batch_id: int | None = None
    taken: int = 0
    actor: str = ""  # of the events; empty: the source


@contextmanager
def arriving(db: Database) -> Iterator[Arrivals]:
    """A connection of its own with empty staging tables, which go with it."""
    with translated(db.shown), db.engine.connect() as connection:
        connection.detach()  # its settings and temporary tables must not go back to the pool
        dialect = people_sqlite if db.on_sqlite else people_postgresql
        yield Arrivals(connection, dialect, db.shown)


class Arrivals:
    """People on their way into the database."""

    def __init__(self, connection: Connection, dialect: Any, shown: str) -> None:
        self._connection = connection
        self._shown = shown
        self._dialect = dialect
        with connection.begin():
            self._hash = hasher(connection)
        dialect.prepare(connection)
        self._statements = _statements(dialect)
        self.respelt = Folded()  # people on file whose address the file spells otherwise

    def load(self, rows: Sequence[Arrival]) -> None:
        """Stages rows, in the order of the file."""
        hashed = self._hash
        staged = [
            (key, address, hashed(key), language, rank, ceiling, told)
            for address, key, language, rank, ceiling, told in rows
        ]
        if staged:
            self._dialect.load(self._connection, staged)

    def settle(self) -> Folded:
        """Leaves one row a person; returns how many rows were folded into others."""
        self._dialect.arrange(self._connection)
        return fold_doubles(self._connection, self._dialect.AS_FIELDS)

    def count(
        self,
        list_id: int,
        wording_id: int | None,
        tell: Callable[[Difference], None] | None = None,
    ) -> Fates:
        """What ``merge`` would do, and to whom. Changes nothing."""
        total = Fates()
        last = self._last()
        for first in range(1, last + 1, LARGEST):
            with self._connection.begin():
                self._read_slice(list_id, wording_id, first, first + LARGEST - 1)
                total += self._fates(first, first + LARGEST - 1)
                if tell is not None:
                    for row in self._connection.execute(
                        DIFFERENCES, {"list": list_id, "first": first, "last": first + LARGEST - 1}
                    ):
                        tell(difference(row))
        return total

    def merge(
        self,
        entry: Entry,
        *,
        behind: int = 0,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Fates:
        """Writes everybody behind the mark. Returns what became of them.

        Raises StoppedError when another process took the batch over.
        """
        total, last, size, done = Fates(), self._last(), FIRST_SLICE, behind
        self._connection.execution_options(mailer_immediate=True)
        while done < last:
            until = min(done + size, last)
            begun = time.monotonic()
            with translated(self._shown), self._connection.begin():
                fates = self._write_slice(entry, done + 1, until)
            took = time.monotonic() - begun
            total, done = total + fates, until
            progress(done, last)
            size = min(
                LARGEST, max(SMALLEST, int(size * min(2.0, self._dialect.HOLD / max(took, 1e-4))))
            )
            time.sleep(took * self._dialect.STAND_BACK)
        return total

    def _last(self) -> int:
        with self._connection.begin():
            return int(one(self._connection, "SELECT COALESCE(max(n), 0) FROM arrival"))

    def _read_slice(
        self, list_id: int, wording_id: int | None, first: int, last: int, step: str = "read"
    ) -> None:
        """Looks up who is known, and decides what becomes of each; ``slice`` has the concerned."""
        self._dialect.hurry(self._connection)
        self._dialect.empty_slice(self._connection)
        self._connection.execute(
            self._statements[step],
            {"list": list_id, "wording": wording_id, "first": first, "last": last},
        )

    def _fates(self, first: int, last: int) -> Fates:
        staged = one(
            self._connection,
            "SELECT count(*) FROM arrival WHERE n BETWEEN :first AND :last",
            first=first,
            last=last,
        )
        rows = self._connection.execute(
            text("SELECT fate, count(*), sum(respelt) FROM slice GROUP BY fate")
        ).all()
        respelt = sum(row[2] for row in rows)
        if respelt and len(self.respelt.examples) < EXAMPLES:
            found = self._connection.execute(_RESPELT, {"most": EXAMPLES})
            told = (*self.respelt.examples, *(f"{row[0]} as {row[1]}" for row in found))
            self.respelt = replace(self.respelt, examples=told[:EXAMPLES])
        self.respelt = replace(self.respelt, variants=self.respelt.variants + respelt)
        still = staged - sum(row[1] for row in rows)  # of whom the slice has no row
        return Fates(**{row[0]: row[1] for row in rows}) + Fates(unchanged=still)

    def _write_slice(self, entry: Entry, first: int, last: int) -> Fates:
        connection = self._connection
        self._read_slice(entry.list_id, entry.wording_id, first, last, "read and number")
        values = {
            "list": entry.list_id,
            "source": entry.source,
            "actor": entry.actor or entry.source,
            "detail": entry.detail,
            "at": entry.at,
            "wording": entry.wording_id,
            "batch": entry.batch_id,
            "first": first,
            "last": last,
        }
        connection.execute(self._statements["people"], values)
        self._dialect.recognise_latecomers(connection)
        if entry.batch_id is not None:
            self._dialect.hold(connection, entry.list_id)
            for step in ("newcomers recorded", "others recorded"):
                connection.execute(self._statements[step], values)
        for step in ("changes", "subscriptions", "lowered", "consents", "events"):
            connection.execute(self._statements[step], values)
        fates = self._fates(first, last)
        if entry.batch_id is not None:
            self._mark(entry.batch_id, entry.taken, fates, last)
        return fates

    def _mark(self, batch_id: int, taken: int, fates: Fates, merged: int) -> None:
        marked = self._connection.execute(
            text(
                "UPDATE batch SET merged = :merged, added = added + :added,"
                " updated = updated + :updated, unchanged = unchanged + :unchanged,"
                " suppressed = suppressed + :suppressed"
                " WHERE id = :batch AND taken = :taken AND state = :loading"
            ),
            {
                "merged": merged,
                "added": fates.added,
                "updated": fates.updated,
                "unchanged": fates.unchanged,
                "suppressed": fates.suppressed,
                "batch": batch_id,
                "taken": taken,
                "loading": BatchState.loading,
            },
        )
        if marked.rowcount != 1:
            raise taken_over(batch_id)


def _rank(column: str) -> str:
    cases = " ".join(f"WHEN '{status}' THEN {rank}" for status, rank in STATUS_RANK.items())
    return f"CASE {column} {cases} END"


def _word(column: str, *, receiving: str | None = None) -> str:
    """The status of a rank, or ``receiving`` for those who get mail or are about to."""
    cases = " ".join(
        f"WHEN {rank} THEN '{receiving if receiving and rank < LEAVING else status}'"
        for status, rank in STATUS_RANK.items()
    )
    return f"CASE {column} {cases} END"


def _statements(dialect: Any) -> dict[str, TextClause]:
    """The SQL of one slice. ``a`` is what the file says, ``p`` who is on file already."""
    staged = "slice s JOIN arrival a ON a.n = s.n AND a.n BETWEEN :first AND :last"
    receiving = f"'{SubscriptionStatus.active}', '{SubscriptionStatus.pending}'"
    changed = "s.changed AND s.fate <> 'suppressed'"

    # Whoever gets the list and of whom the file says nothing new is counted, and no more.
    concerned = (
        f"suppressed OR joins OR status NOT IN ({receiving}) OR changed OR lowered OR agrees"
        " OR respelt"
    )

    def reading(subscriber_id: str) -> str:
        # CASE computes no more than it needs; SQLite computes an AND to its end.
        return (
            "INSERT INTO slice (n, subscriber_id, is_new, fate, changed, lowered, agrees, repeats,"
            f" rank, ceiling, respelt) SELECT n, {subscriber_id}, is_new,"
            "  CASE WHEN suppressed THEN 'suppressed'"
            "  WHEN joins THEN 'added' WHEN changed OR lowered OR agrees THEN 'updated'"
            "  ELSE 'unchanged' END, changed, lowered, agrees, repeats, rank, ceiling,"
            " CASE WHEN respelt THEN 1 ELSE 0 END"
            " FROM (SELECT a.n, a.rank, a.ceiling, p.id, p.id IS NULL AS is_new,"
            "  p.address <> a.address AS respelt, u.status,"
            "  (x.hash IS NOT NULL OR y.hash IS NOT NULL) AS suppressed, u.status IS NULL AS joins,"
            f" CASE WHEN p.id IS NULL THEN FALSE WHEN {dialect.LANGUAGE_CHANGES} THEN TRUE"
            f"  ELSE {dialect.FIELDS_CHANGE} END AS changed,"
            f" (u.status IS NOT NULL AND {_rank('u.status')} < a.ceiling) AS lowered,"
            f" CASE WHEN CAST(:wording AS integer) IS NOT NULL AND u.status IN ({receiving})"
            f"  AND a.ceiling < {LEAVING} THEN NOT EXISTS (SELECT 1 FROM consent c"
            "   WHERE c.subscriber_id = p.id AND c.list_id = :list AND c.wording_id = :wording)"
            "  ELSE FALSE END AS agrees,"
            f" (u.status NOT IN ({receiving}) AND a.ceiling >= {LEAVING}"
            f"   AND a.ceiling <= {_rank('u.status')}) AS repeats"
            " FROM arrival a LEFT JOIN subscriber p ON p.key = a.key"
            " LEFT JOIN subscription u ON u.list_id = :list AND u.subscriber_id = p.id"
            " LEFT JOIN suppression x ON x.hash = a.hash"
            " LEFT JOIN list_suppression y ON y.list_id = :list AND y.hash = a.hash"
            f" WHERE a.n BETWEEN :first AND :last {dialect.APART}) AS found WHERE {concerned}"
        )

    statements = {
        "read": reading("id"),
        "read and number": reading(dialect.NUMBERED),
        "people": (
            "INSERT INTO subscriber"
            " (id, address, key, suppression_hash, language, fields, created_at)"
            f" SELECT s.subscriber_id, a.address, a.key, a.hash, a.language, {dialect.NEW_FIELDS},"
            f" :at FROM {staged} WHERE s.is_new AND s.fate <> 'suppressed' ORDER BY s.n"
            " ON CONFLICT (key) DO NOTHING"
        ),
        "newcomers recorded": (
            "INSERT INTO batch_change (batch_id, subscriber_id, created, status_after)"
            f" SELECT :batch, s.subscriber_id, s.is_new, {_word('s.rank')} FROM slice s"
            " WHERE s.fate = 'added' AND NOT s.changed ORDER BY s.subscriber_id"
        ),
        # + 0: for an order that an index has, PostgreSQL would walk through everybody.
        "others recorded": (
            "INSERT INTO batch_change (batch_id, subscriber_id, created, status_before,"
            " since_before, status_after, fields_before, language_before)"
            " SELECT :batch, s.subscriber_id, s.is_new,"
            " CASE WHEN s.lowered OR s.repeats THEN u.status END,"
            " CASE WHEN s.lowered OR s.repeats THEN u.since END,"
            f" CASE WHEN s.fate = 'added' THEN {_word('s.rank')}"
            f"  WHEN s.lowered THEN {_word('s.ceiling')} WHEN s.repeats THEN u.status END,"
            f" CASE WHEN {changed} THEN CAST(p.fields AS text) END,"
            f" CASE WHEN {changed} THEN p.language END"
            f" FROM slice s JOIN subscriber p ON p.id = s.subscriber_id"
            " LEFT JOIN subscription u ON u.list_id = :list AND u.subscriber_id = s.subscriber_id"
            " WHERE (s.fate = 'added' AND s.changed) OR s.fate = 'updated' OR s.lowered"
            "  OR s.repeats ORDER BY s.subscriber_id + 0"
        ),
        "changes": (
            f"UPDATE subscriber AS target SET fields = {dialect.LAID_OVER},"
            " language = COALESCE(a.language, p.language)"
            f" FROM {staged} JOIN subscriber p ON p.id = s.subscriber_id"
            f" WHERE target.id = s.subscriber_id AND {changed}"
        ),
        "subscriptions": (
            "INSERT INTO subscription (list_id, subscriber_id, status, since)"
            f" SELECT :list, s.subscriber_id, {_word('s.rank')}, :at FROM slice s"
            " WHERE s.fate = 'added' ORDER BY s.subscriber_id ON CONFLICT DO NOTHING"
        ),
        "lowered": (
            f"UPDATE subscription SET status = {_word('s.ceiling')}, since = :at FROM slice s"
            " WHERE subscription.list_id = :list"
            " AND subscription.subscriber_id = s.subscriber_id"
            " AND s.lowered"
            f" AND {_rank('subscription.status')} < s.ceiling"
        ),
        "consents": (
            "INSERT INTO consent"
            " (list_id, subscriber_id, source, detail, batch_id, wording_id, at)"
            " SELECT :list, s.subscriber_id, :source, :detail, :batch, :wording, :at"
            f" FROM slice s WHERE (s.fate = 'added' AND s.rank < {LEAVING})"
            "  OR (s.fate = 'updated' AND s.agrees) ORDER BY s.n"
        ),
        "events": (
            "INSERT INTO event (at, kind, actor, subscriber_id, list_id, batch_id, detail)"
            " SELECT :at, CASE"
            f"  WHEN s.fate = 'added' THEN {_word('s.rank', receiving='subscribed')}"
            f"  WHEN s.lowered THEN {_word('s.ceiling')}"
            "   WHEN s.changed THEN 'changed' ELSE 'agreed' END,"
            " :actor, s.subscriber_id, :list, :batch, ''"
            f" FROM slice s WHERE s.fate IN ('added', 'updated') OR s.lowered ORDER BY s.n"
        ),
    }
    instant = bindparam("at", type_=UTCDateTime())
    return {
        name: text(sql).bindparams(instant) if ":at" in sql else text(sql)
        for name, sql in statements.items()
    }

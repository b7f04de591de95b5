"""Claims rows for the wire, and settles those that came back, in one group commit.

A row may go on the wire only after the transaction that made it ``sending`` is durable, and an
outcome counts only after the transaction that wrote it is. ``exchange`` does both at once.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.errors import StoppedError
from mailer.model.words import CampaignState, Cause, Counts, DeliveryState
from mailer.store.dialect import gathered, hexadecimal, json_rows, run
from mailer.store.lanes import Day, Lane, count_today, held_back, lanes_of, left_today
from mailer.store.ledger import Moved, Settlements, accept, counts_after, require, settle

if TYPE_CHECKING:
    from sqlalchemy import Connection

_S = DeliveryState


class Claimed(NamedTuple):
    """A row that this run may put on the wire."""

    position: int
    attempt: int
    state: str  # planned or deferred: what it was before
    subscriber_id: int
    variant_id: int
    address: str
    fields: str  # JSON
    first_at: int  # ms: the first claim
    message_hash: str | None  # hexadecimal; of the first attempt whose text was started

    @property
    def was(self) -> DeliveryState:
        """What it goes back to when it is released."""
        return DeliveryState(self.state)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one committed group brought."""

    claimed: Sequence[Claimed]
    campaign_state: CampaignState
    counts: Counts
    next_due: int | None  # ms: when the earliest waiting row is due
    looked_at: int = 0  # rows that were considered; more than claimed when some were skipped
    held: frozenset[int] = frozenset()  # lanes that were to be left alone and still have rows
    full: bool = False  # the day's messages are used up

    @classmethod
    def of(cls, plain: tuple[Any, ...]) -> Exchange:
        """From what ``Ledger.exchange_plainly`` returns."""
        rows, *rest = plain
        return cls(list(map(Claimed._make, rows)), *rest)


_NO_LIMITS: Mapping[int, int] = {}
_GOLDEN = (5**0.5 - 1) / 2  # its multiples' fractions come evenly, whatever the step


@dataclass(frozen=True, slots=True)
class Ledger:
    """One run's hand on one campaign."""

    campaign_id: int
    list_id: int
    run_id: int
    dialect: str
    expires_after_ms: int
    alone: bool = False  # nobody else in this process wants the interpreter

    def exchange(
        self,
        connection: Connection,
        settled: Settlements,
        want: int,
        now: int,
        *,
        limits: Mapping[int, int] = _NO_LIMITS,
        day: Day | None = None,
    ) -> Exchange:
        """Settles, then claims up to ``want`` rows, in the caller's transaction.

        ``limits`` says how many rows a lane may have at most; 0 leaves it alone. ``next_due`` is
        about the other lanes. ``day`` counts the day's messages, of all campaigns, up to its cap.
        Raises StoppedError when this run has been ended by another one (fencing).
        """
        return Exchange.of(
            self.exchange_plainly(connection, settled, want, now, limits=limits, day=day)
        )

    def exchange_plainly(
        self,
        connection: Connection,
        settled: Settlements,
        want: int,
        now: int,
        *,
        limits: Mapping[int, int] = _NO_LIMITS,
        day: Day | None = None,
    ) -> tuple[Any, ...]:
        """As ``exchange``, with rows as the database has them: what a pipe takes at little cost."""
        state, due = self._beat(connection, now)
        moved = Moved()
        accept(connection, self.campaign_id, self.run_id, settled.accepted, now, moved)
        settle(connection, self.campaign_id, self.run_id, settled.others, now, moved)
        if any(row.state in _CLAIMABLE for row in settled.others):
            due = now  # perhaps: the look is cheap
        claimed: list[Sequence[Any]] = []
        looked_at = 0
        room = want
        if day is not None:
            # First, so that the last one of the day may be claimed again at once.
            back = sum(row.cause is Cause.released for row in settled.others)
            room = min(want, left_today(connection, self.dialect, day, back))
        if room > 0 and state is CampaignState.sending:
            lanes = lanes_of(connection, self.campaign_id)
            rows: list[Any] = []
            if due is not None and due <= now:
                rows = self._due(connection, lanes, limits, room, now)
            if len(rows) < room:
                rows += self._fresh(connection, lanes, limits, room - len(rows), now)
            looked_at = len(rows)
            claimed = self._claim(connection, rows, now, moved)
        if day is not None:
            count_today(connection, day, len(claimed), run_id=self.run_id)
        counts, next_due = counts_after(connection, self.campaign_id, moved)
        held: frozenset[int] = frozenset()
        if 0 in limits.values():
            held, next_due = held_back(connection, self.campaign_id, limits)
        return claimed, state, counts, next_due, looked_at, held, room < want

    def _beat(self, connection: Connection, now: int) -> tuple[CampaignState, int | None]:
        """Says that this run is alive; returns the campaign's state, and when a row is due (ms)."""
        found = run(
            connection,
            "UPDATE run SET heartbeat_at = :now WHERE id = :run AND ended_at IS NULL RETURNING"
            " (SELECT state FROM campaign WHERE id = :campaign),"
            " (SELECT min(due_at) FROM waiting WHERE campaign_id = :campaign)",
            {"now": now, "run": self.run_id, "campaign": self.campaign_id},
        ).fetchone()
        if found is None:
            raise StoppedError(
                "Another process has taken this campaign over; this one stops.",
                hint="Nothing of this run's is lost: `mailer campaigns show` has the counts.",
            )
        return CampaignState(found[0]), found[1]

    def _claim(
        self, connection: Connection, rows: Sequence[Any], now: int, moved: Moved
    ) -> list[Sequence[Any]]:
        """Marks those who may be mailed, and ends the others; returns what makes a ``Claimed``."""
        claimed = [row[:-1] for row in rows if row[-1] is None]
        for state, people in Counter([row[2] for row in claimed]).items():
            moved[_S(state), _S.sending] += people
        self._mark_sending(connection, [row[0] for row in claimed], now)
        if len(claimed) < len(rows):
            self._end(connection, [row for row in rows if row[-1]], now, moved)
        return claimed

    def _due(
        self,
        connection: Connection,
        lanes: Sequence[Lane],
        limits: Mapping[int, int],
        want: int,
        now: int,
    ) -> list[Any]:
        """Released and deferred rows whose time has come, oldest first; limited lanes apart."""
        others = "".join(
            f" AND NOT position BETWEEN {int(lane.first)} AND {int(lane.last)}"
            for lane in lanes
            if lane.lane in limits
        )
        positions = self._take_due(connection, others, want, now)
        for lane in lanes:
            room = min(limits.get(lane.lane, 0), want - len(positions))
            if room > 0:
                own = f" AND position BETWEEN {int(lane.first)} AND {int(lane.last)}"
                positions += self._take_due(connection, own, room, now)
        if not positions:
            return []
        rows = json_rows(self.dialect, "positions", [("position", "INTEGER")])
        return self._candidates(
            connection,
            f"JOIN {rows} AS w ON w.position = d.position",
            "ORDER BY d.position",
            now,
            positions=json.dumps(positions),
        )

    def _take_due(
        self, connection: Connection, which: str, want: int, now: int
    ) -> list[Sequence[int]]:
        found = run(
            connection,
            "DELETE FROM waiting WHERE (campaign_id, due_at, position) IN ("
            " SELECT campaign_id, due_at, position FROM waiting"
            f" WHERE campaign_id = :campaign AND due_at <= :now{which}"
            " ORDER BY due_at, position LIMIT :want) RETURNING position",
            {"campaign": self.campaign_id, "now": now, "want": want},
        )
        return list(found.fetchall())

    def _fresh(
        self,
        connection: Connection,
        lanes: Sequence[Lane],
        limits: Mapping[int, int],
        want: int,
        now: int,
    ) -> list[Any]:
        """The next rows of each lane behind its cursor, shared out by what each has left.

        Rows of several lanes alternate, so that no provider gets its share in one burst.
        """
        open_lanes = [lane for lane in lanes if lane.left and limits.get(lane.lane, want) > 0]
        found: list[list[Any]] = []
        for lane, share in zip(open_lanes, _shares(open_lanes, want, limits), strict=True):
            if not share:
                continue
            rows = self._candidates(
                connection,
                "",
                "AND d.position > :cursor AND d.position <= :last ORDER BY d.position LIMIT :share",
                now,
                cursor=lane.cursor,
                last=lane.last,
                share=share,
            )
            run(
                connection,
                "UPDATE lane SET cursor = :cursor WHERE campaign_id = :campaign AND lane = :lane",
                {
                    "campaign": self.campaign_id,
                    "lane": lane.lane,
                    "cursor": rows[-1][0] if rows else lane.last,
                },
            )
            found.append(rows)
        return found[0] if len(found) == 1 else _alternating(found)

    def _candidates(
        self, connection: Connection, joined: str, narrowed: str, now: int, **values: object
    ) -> list[Any]:
        """Rows as ``Claimed`` has them; after that why a person is not mailed, mostly nothing."""
        return gathered(
            connection,
            [*columns_of_claimed(self.dialect), _WHY_NOT],
            f"FROM delivery d {joined} {PEOPLE} WHERE d.campaign_id = :campaign {narrowed}",
            {
                "campaign": self.campaign_id,
                "list": self.list_id,
                "now": now,
                "long_ago": now - self.expires_after_ms,
                **values,
            },
            alone=self.alone,
        )

    def _mark_sending(self, connection: Connection, positions: list[int], now: int) -> None:
        if not positions:
            return
        values = {"campaign": self.campaign_id, "run": self.run_id, "now": now}
        written = run(
            connection,
            "UPDATE delivery SET state = 'sending', attempt = attempt + 1, run_id = :run,"
            " at = :now, first_at = coalesce(first_at, :now)"
            " WHERE campaign_id = :campaign AND position BETWEEN :first AND :last"
            " AND state IN ('planned', 'deferred')",
            [{**values, "first": first, "last": last} for first, last in _ranges(positions)],
        )
        require(written.rowcount, len(positions))

    def _end(self, connection: Connection, rows: Sequence[Any], now: int, moved: Moved) -> None:
        """Ends rows that are not claimed: of withdrawn people, and deferrals that have expired."""
        if not rows:
            return
        ended = [
            (row[0], _S.refused if row[-1] == _EXPIRED else _S.skipped, row[-1]) for row in rows
        ]
        moved.update((_S(row[2]), state) for row, (_, state, _) in zip(rows, ended, strict=True))
        columns = [("position", "INTEGER"), ("state", "TEXT"), ("reason", "TEXT")]
        written = run(
            connection,
            "UPDATE delivery SET state = w.state, reason = w.reason, at = :now"
            f" FROM {json_rows(self.dialect, 'ended', columns)} AS w"
            " WHERE delivery.campaign_id = :campaign"
            " AND delivery.position = w.position AND delivery.state IN ('planned', 'deferred')",
            {"campaign": self.campaign_id, "now": now, "ended": json.dumps(ended)},
        )
        require(written.rowcount, len(ended))


def _shares(lanes: Sequence[Lane], want: int, limits: Mapping[int, int]) -> list[int]:
    """How many rows of each lane make ``want``, by what each has left, within its limit.

    What a limited lane has no use for is shared out among those without a limit.
    """
    found = [
        min(share, limits.get(lane.lane, share))
        for lane, share in zip(lanes, _ticks(lanes, want), strict=True)
    ]
    free = [number for number, lane in enumerate(lanes) if lane.lane not in limits]
    for number, more in zip(
        free, _ticks([lanes[number] for number in free], want - sum(found)), strict=True
    ):
        found[number] += more
    return found


def _ticks(lanes: Sequence[Lane], want: int) -> list[int]:
    """Ticks at equal distances are laid over all that is left, a little further on each time, and
    a lane gets those that fall on it. So one with a share of a tenth of a row gets every tenth
    time one, and no lane has to wait until the others are done.
    """
    left = sum(lane.left for lane in lanes)
    begun = sum(lane.cursor for lane in lanes) * _GOLDEN % 1
    edges = accumulate(lane.left for lane in lanes)
    ticks = [math.ceil(edge * want / left - begun) for edge in edges]
    return [here - before for before, here in pairwise([0, *ticks])]


def _ranges(positions: Iterable[int]) -> list[tuple[int, int]]:
    """The ranges that positions make, first and last: nearly always one for each lane."""
    ordered = sorted(positions)
    gaps = [n for n, (one, other) in enumerate(pairwise(ordered), 1) if other != one + 1]
    return [(ordered[n], ordered[end - 1]) for n, end in pairwise([0, *gaps, len(ordered)])]


def _alternating(lanes: Sequence[Sequence[Any]]) -> list[Any]:
    """All rows, each lane's spread evenly among the others'."""
    every = [row for rows in lanes for row in rows]
    places = [(number + 0.5) / len(rows) for rows in lanes for number in range(len(rows))]
    return [every[n] for n in sorted(range(len(every)), key=places.__getitem__)]


_CLAIMABLE = (_S.planned, _S.deferred)
_EXPIRED = "expired"
# From when on somebody who wants fewer mails may get the next; asked of nobody else.
_NOT_BEFORE = (
    "(SELECT max(r.at) + CAST(p.fewer_days AS BIGINT) * 86400000 FROM delivery r"
    " WHERE r.subscriber_id = d.subscriber_id AND r.campaign_id <> d.campaign_id"
    " AND r.state IN ('accepted', 'unknown', 'sending', 'deferred'))"
)
# Why a person is not mailed any more: the cases of a CASE.
WITHDRAWN = (
    "WHEN p.id IS NULL OR s.address IS NULL THEN 'erased'"
    # everywhere, or on this list:
    " WHEN x.reason IS NOT NULL OR y.reason IS NOT NULL THEN 'suppressed'"
    " WHEN u.status IS NULL THEN 'unsubscribed'"
    " WHEN u.status <> 'active' THEN u.status"
    " WHEN u.paused_until > :now THEN 'paused'"
    f" WHEN p.fewer_days IS NOT NULL AND {_NOT_BEFORE} > :now THEN 'fewer_mails'"
)
_WHY_NOT = (  # an empty word: somebody else has moved the row, and it is not ours to end
    f"CASE WHEN d.state NOT IN ('planned', 'deferred') THEN '' {WITHDRAWN}"
    " WHEN d.state = 'deferred' AND coalesce(d.retried_at, d.first_at) < :long_ago"
    f" THEN '{_EXPIRED}' END"
)
PEOPLE = (
    "LEFT JOIN snapshot s ON s.campaign_id = d.campaign_id AND s.position = d.position"
    " LEFT JOIN subscription u ON u.list_id = :list AND u.subscriber_id = d.subscriber_id"
    " LEFT JOIN subscriber p ON p.id = d.subscriber_id"
    " LEFT JOIN suppression x ON x.hash = p.suppression_hash"
    " LEFT JOIN list_suppression y ON y.list_id = :list AND y.hash = p.suppression_hash"
)


def columns_of_claimed(dialect: str) -> tuple[str, ...]:
    """What makes a ``Claimed``, in its order, of a row that is claimed at ``:now``."""
    return (
        *("d.position", "d.attempt + 1", "d.state", "d.subscriber_id", "d.variant_id"),
        *("s.address", "s.fields", "coalesce(d.first_at, :now)"),
        hexadecimal(dialect, "s.message_hash"),
    )

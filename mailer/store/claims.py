"""Claims rows for the wire, and settles those that came back, in one group commit.

A row may go on the wire only after the transaction that made it ``sending`` is durable, and an
outcome counts only after the transaction that wrote it is. ``exchange`` does both at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from mailer.errors import StoppedError
from mailer.model.words import CampaignState, Counts, DeliveryState, SubscriptionStatus
from mailer.store.dialect import json_rows, run
from mailer.store.ledger import Moved, Settled, campaign_state, counts, require, settle, tally

_S = DeliveryState


@dataclass(slots=True)  # not frozen: made for every mail, and that costs a microsecond
class Claimed:
    """A row that this run may put on the wire."""

    position: int
    attempt: int
    was: DeliveryState  # planned or deferred: what it goes back to when it is released
    subscriber_id: int
    variant_id: int
    address: str
    fields: str  # JSON
    first_at: int  # ms: the first claim
    message_hash: bytes | None  # of the first attempt whose text was started


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one committed group brought."""

    claimed: Sequence[Claimed]
    campaign_state: CampaignState
    counts: Counts
    next_due: int | None  # ms: when the earliest waiting row is due
    looked_at: int = 0  # rows that were considered; more than claimed when some were skipped


@dataclass(frozen=True, slots=True)
class Ledger:
    """One run's hand on one campaign."""

    campaign_id: int
    list_id: int
    run_id: int
    dialect: str
    expires_after_ms: int

    def exchange(
        self, connection: Connection, settled: Sequence[Settled], want: int, now: int
    ) -> Exchange:
        """Settles, then claims up to ``want`` rows, in the caller's transaction.

        Raises StoppedError when this run has been ended by another one (fencing).
        """
        self._beat(connection, now)
        moved = Moved()
        settle(connection, self.dialect, self.campaign_id, self.run_id, settled, now, moved)
        state = campaign_state(connection, self.campaign_id)
        claimed: list[Claimed] = []
        looked_at = 0
        if want > 0 and state is CampaignState.sending:
            rows = self._due(connection, want, now)
            if len(rows) < want:
                rows += self._fresh(connection, want - len(rows))
            looked_at = len(rows)
            claimed = self._claim(connection, rows, now, moved)
        tally(connection, self.campaign_id, moved)
        due = run(
            connection,
            "SELECT min(due_at) FROM waiting WHERE campaign_id = :campaign",
            {"campaign": self.campaign_id},
        ).scalar()
        return Exchange(claimed, state, counts(connection, self.campaign_id), due, looked_at)

    def _beat(self, connection: Connection, now: int) -> None:
        beaten = run(
            connection,
            "UPDATE run SET heartbeat_at = :now WHERE id = :run AND ended_at IS NULL",
            {"now": now, "run": self.run_id},
        )
        if beaten.rowcount != 1:
            raise StoppedError(
                "Another process has taken this campaign over; this one stops.",
                hint="Nothing of this run's is lost: `mailer campaigns show` has the counts.",
            )

    def _claim(
        self,
        connection: Connection,
        rows: Sequence[Row[Any]],
        now: int,
        moved: Moved,
    ) -> list[Claimed]:
        claimed: list[Claimed] = []
        withdrawn: list[tuple[int, str]] = []
        expired: list[int] = []
        for row in rows:
            was = DeliveryState(row.state)
            if was not in (_S.planned, _S.deferred):
                continue
            reason = _not_mailable(row)
            if reason:
                withdrawn.append((row.position, reason))
                moved[was, _S.skipped] += 1
            elif was is _S.deferred and now - row.first_at > self.expires_after_ms:
                expired.append(row.position)
                moved[was, _S.refused] += 1
            else:
                moved[was, _S.sending] += 1
                claimed.append(
                    Claimed(
                        row.position,
                        row.attempt + 1,
                        was,
                        row.subscriber_id,
                        row.variant_id,
                        row.address,
                        row.fields,
                        row.first_at or now,
                        row.message_hash,
                    )
                )
        self._mark_sending(connection, [row.position for row in claimed], now)
        self._end(connection, withdrawn, _S.skipped, now)
        self._end(connection, [(p, "expired") for p in expired], _S.refused, now)
        return claimed

    def _due(self, connection: Connection, want: int, now: int) -> list[Row[Any]]:
        """Released and deferred rows whose time has come, oldest first."""
        found = run(
            connection,
            (
                "DELETE FROM waiting WHERE (campaign_id, due_at, position) IN ("
                " SELECT campaign_id, due_at, position FROM waiting"
                " WHERE campaign_id = :campaign AND due_at <= :now"
                " ORDER BY due_at, position LIMIT :want) RETURNING position"
            ),
            {"campaign": self.campaign_id, "now": now, "want": want},
        )
        positions = sorted(found.scalars())
        if not positions:
            return []
        rows = json_rows(self.dialect, "positions", [("position", "INTEGER")])
        return list(
            run(
                connection,
                (
                    f"{_CANDIDATES} JOIN {rows} AS w ON w.position = d.position"
                    f" {_PEOPLE} WHERE d.campaign_id = :campaign ORDER BY d.position"
                ),
                {
                    "campaign": self.campaign_id,
                    "list": self.list_id,
                    "positions": json.dumps([[p] for p in positions]),
                },
            )
        )

    def _fresh(self, connection: Connection, want: int) -> list[Row[Any]]:
        """The next rows of each lane behind its cursor, shared out by what each has left."""
        lanes = run(
            connection,
            (
                "SELECT lane, cursor, last FROM lane"
                " WHERE campaign_id = :campaign AND cursor < last ORDER BY lane"
            ),
            {"campaign": self.campaign_id},
        ).all()
        left = sum(lane.last - lane.cursor for lane in lanes)
        rows: list[Row[Any]] = []
        for lane in lanes:
            share = max(1, want * (lane.last - lane.cursor) // left)
            found = run(
                connection,
                (
                    f"{_CANDIDATES} {_PEOPLE} WHERE d.campaign_id = :campaign"
                    " AND d.position > :cursor AND d.position <= :last"
                    " ORDER BY d.position LIMIT :share"
                ),
                {
                    "campaign": self.campaign_id,
                    "list": self.list_id,
                    "cursor": lane.cursor,
                    "last": lane.last,
                    "share": min(share, want - len(rows)),
                },
            ).all()
            rows += found
            run(
                connection,
                ("UPDATE lane SET cursor = :cursor WHERE campaign_id = :campaign AND lane = :lane"),
                {
                    "campaign": self.campaign_id,
                    "lane": lane.lane,
                    "cursor": found[-1].position if found else lane.last,
                },
            )
            if len(rows) >= want:
                break
        return rows

    def _mark_sending(self, connection: Connection, positions: list[int], now: int) -> None:
        if not positions:
            return
        rows = json_rows(self.dialect, "positions", [("position", "INTEGER")])
        written = run(
            connection,
            (
                "UPDATE delivery SET state = 'sending', attempt = attempt + 1, run_id = :run,"
                " at = :now, first_at = coalesce(first_at, :now)"
                f" FROM {rows} AS w WHERE delivery.campaign_id = :campaign"
                " AND delivery.position = w.position AND delivery.state IN ('planned', 'deferred')"
            ),
            {
                "campaign": self.campaign_id,
                "run": self.run_id,
                "now": now,
                "positions": json.dumps([[p] for p in positions]),
            },
        )
        require(written.rowcount, len(positions))

    def _end(
        self,
        connection: Connection,
        ended: list[tuple[int, str]],
        state: DeliveryState,
        now: int,
    ) -> None:
        """Ends rows that were not claimed: withdrawn people, expired deferrals."""
        if not ended:
            return
        rows = json_rows(self.dialect, "ended", [("position", "INTEGER"), ("reason", "TEXT")])
        written = run(
            connection,
            (
                "UPDATE delivery SET state = :state, reason = w.reason, at = :now"
                f" FROM {rows} AS w WHERE delivery.campaign_id = :campaign"
                " AND delivery.position = w.position AND delivery.state IN ('planned', 'deferred')"
            ),
            {
                "campaign": self.campaign_id,
                "state": state,
                "now": now,
                "ended": json.dumps(ended),
            },
        )
        require(written.rowcount, len(ended))


_CANDIDATES = (
    "SELECT d.position, d.attempt, d.state, d.subscriber_id, d.variant_id, d.first_at,"
    " s.address, s.fields, s.message_hash, u.status, x.reason AS suppressed, p.id AS person"
    " FROM delivery d"
)
_PEOPLE = (
    "LEFT JOIN snapshot s ON s.campaign_id = d.campaign_id AND s.position = d.position"
    " LEFT JOIN subscription u ON u.list_id = :list AND u.subscriber_id = d.subscriber_id"
    " LEFT JOIN subscriber p ON p.id = d.subscriber_id"
    " LEFT JOIN suppression x ON x.hash = p.suppression_hash"
)


def _not_mailable(row: Row[Any]) -> str:
    """Why this person is not mailed any more, or an empty word."""
    if row.person is None or row.address is None:
        return "erased"
    if row.suppressed is not None:
        return "suppressed"
    if row.status != SubscriptionStatus.active:
        return row.status or "unsubscribed"
    return ""

"""The ledger: writes down what became of each row, and keeps the counts.

Every outcome is written with the attempt and the run that it belongs to. One that touches no row is
a fault: somebody else moved the row, and carrying on would lose count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from mailer.errors import StoppedError
from mailer.model.shown import counted
from mailer.model.words import (
    DELIVERY_MOVES,
    CampaignState,
    Cause,
    Counts,
    DeliveryState,
)
from mailer.store.dialect import run, update_by_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

_S = DeliveryState
_REPLY_KEPT = 300  # characters of a server's sentence

_OF_THIS_RUN = (
    " FROM {rows} AS o WHERE delivery.campaign_id = :campaign"
    " AND delivery.position = o.position AND delivery.attempt = o.attempt"
    " AND delivery.run_id = :run AND delivery.state = 'sending'"
)
_ACCEPT = (
    "UPDATE delivery SET state = 'accepted', reason = '', at = :now,"
    f" reply = substr(o.reply, 1, {_REPLY_KEPT}){_OF_THIS_RUN}"
)
_ACCEPTED = (("position", "INTEGER"), ("attempt", "INTEGER"), ("reply", "TEXT"))
# A released row was not tried: it goes back with the attempts that it came with.
_SETTLE = (
    "UPDATE delivery SET state = o.state, reason = o.reason, reply = o.reply, at = :now,"
    f" attempt = delivery.attempt - o.back{_OF_THIS_RUN}"
)
_SETTLED = (
    ("position", "INTEGER"),
    ("attempt", "INTEGER"),
    ("state", "TEXT"),
    ("reason", "TEXT"),
    ("reply", "TEXT"),
    ("back", "INTEGER"),
)

Moved = Counter[tuple[DeliveryState, DeliveryState]]


@dataclass(slots=True)  # not frozen: made for every mail, and that costs a microsecond
class Settled:
    """What became of a claimed row."""

    position: int
    attempt: int
    state: DeliveryState
    cause: Cause
    reason: str = ""
    reply: str = ""
    due_at: int | None = None  # ms; for deferred and released rows
    message_hash: bytes | None = None  # kept with rows that may be sent again


Accepted = tuple[int, int, str]  # position, attempt, reply


@dataclass(slots=True)
class Settlements:
    """What became of rows since the last exchange; nearly all were accepted, told in few words."""

    accepted: list[Accepted] = field(default_factory=list)
    others: list[Settled] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.accepted) + len(self.others)

    @property
    def positions(self) -> list[int]:
        return [row[0] for row in self.accepted] + [row.position for row in self.others]


def accept(
    connection: Connection,
    campaign_id: int,
    run_id: int,
    accepted: Sequence[Accepted],
    now: int,
    moved: Moved,
) -> None:
    """As ``settle``, for rows of which there is nothing to say but the server's reply."""
    if not accepted:
        return
    allow(_S.sending, _S.accepted, Cause.answered)
    moved[_S.sending, _S.accepted] += len(accepted)
    written = update_by_rows(
        connection,
        _ACCEPT,
        _ACCEPTED,
        accepted,
        {"campaign": campaign_id, "run": run_id, "now": now},
    )
    require(written, len(accepted))


def settle(
    connection: Connection,
    campaign_id: int,
    run_id: int,
    settled: Iterable[Settled],
    now: int,
    moved: Moved,
) -> None:
    """Writes outcomes of rows that are ``sending``; counts the moves into ``moved``."""
    settled = list(settled)
    if not settled:
        return
    kinds = Counter([(row.state, row.cause) for row in settled])
    for (state, cause), people in kinds.items():
        allow(_S.sending, state, cause)
        moved[_S.sending, state] += people
    written = update_by_rows(
        connection,
        _SETTLE,
        _SETTLED,
        [
            (
                row.position,
                row.attempt,
                row.state,
                row.reason,
                row.reply[:_REPLY_KEPT],
                1 if row.cause is Cause.released else 0,
            )
            for row in settled
        ],
        {"campaign": campaign_id, "run": run_id, "now": now},
    )
    require(written, len(settled))
    waiting = [
        {
            "campaign": campaign_id,
            "due": now if row.due_at is None else row.due_at,
            "p": row.position,
        }
        for row in settled
        if row.state in (_S.planned, _S.deferred)
    ]
    if waiting:
        run(
            connection,
            "INSERT INTO waiting (campaign_id, due_at, position) VALUES (:campaign, :due, :p)",
            waiting,
        )
    hashes = [
        {"campaign": campaign_id, "p": row.position, "hash": row.message_hash}
        for row in settled
        if row.message_hash is not None and row.state is not _S.accepted
    ]
    if hashes:
        run(
            connection,
            (
                "UPDATE snapshot SET message_hash = coalesce(message_hash, :hash)"
                " WHERE campaign_id = :campaign AND position = :p"
            ),
            hashes,
        )


def allow(source: DeliveryState, target: DeliveryState, cause: Cause) -> None:
    """Raises ValueError for a move that is not in the table: it would be a fault of the program."""
    if cause not in DELIVERY_MOVES.get((source, target), frozenset()):
        raise ValueError(f"a delivery can't move from {source} to {target} because of {cause}")


def tally(
    connection: Connection,
    campaign_id: int,
    moved: Moved,
) -> None:
    """Applies moves to the campaign's counts, in the transaction that moved the rows."""
    counts_after(connection, campaign_id, moved)


def counts_after(
    connection: Connection, campaign_id: int, moved: Moved
) -> tuple[Counts, int | None]:
    """Applies moves to the counts; returns them, and when the earliest waiting row is due (ms)."""
    delta: dict[str, int] = dict.fromkeys(_S, 0)
    for (source, target), people in moved.items():
        delta[source] -= people
        delta[target] += people
    *found, due = run(connection, _TALLY, {**delta, "campaign": campaign_id}).fetchone()
    return Counts(*found), due


_NAMES = ", ".join(each.name for each in fields(Counts))
_TALLY = (
    f"UPDATE tally SET {', '.join(f'{state} = {state} + :{state}' for state in _S)}"
    f" WHERE campaign_id = :campaign RETURNING {_NAMES},"
    " (SELECT min(due_at) FROM waiting WHERE campaign_id = :campaign)"
)


def counts(connection: Connection, campaign_id: int) -> Counts:
    """The seven counts as they stand in this transaction."""
    row = run(
        connection,
        f"SELECT {_NAMES} FROM tally WHERE campaign_id = :campaign",
        {"campaign": campaign_id},
    ).fetchone()
    return Counts(*row)


def campaign_state(connection: Connection, campaign_id: int) -> CampaignState:
    (state,) = run(
        connection, "SELECT state FROM campaign WHERE id = :campaign", {"campaign": campaign_id}
    ).fetchone()
    return CampaignState(state)


def require(written: int, expected: int) -> None:
    """Raises StoppedError when a statement moved more or fewer rows than it was meant to."""
    if written != expected:
        raise StoppedError(
            f"The ledger moved {counted(written, 'row')} where {expected} should have moved: it"
            " changed elsewhere.",
            hint="This process stops; `mailer campaigns send` continues from the ledger.",
        )

"""Takes a person out of every table. What stays are counts, and the hash that keeps them out.

Every table with a column ``subscriber_id`` is emptied of them, so one that is added later is not
forgotten. The ledger's rows stay, without reply and snapshot: their id leads to nobody any more,
and ids are never given out again. Events stay as counts: nobody's, and without their detail.

Open deliveries become skipped. A run that holds one of its rows at this moment settles it as
usual; ``sweep`` then takes away what its server had to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.model.words import Cause, DeliveryState
from mailer.store import people
from mailer.store.dialect import for_update
from mailer.store.ledger import Moved, allow, tally

REASON = "erased"  # of a suppression, and of a delivery that is skipped
_KEPT = ("delivery", "event")  # handled by themselves, below
_S = DeliveryState


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of a person's rows in the ledger."""

    skipped: int  # mails that were still to be sent
    in_flight: int  # mails that a run is sending at this moment
    mails: int  # rows that stay as counts


def erase(
    connection: Connection,
    person: Row[Any],
    *,
    mentions: Callable[[str], bool],
    keep_out: bool,
    actor: str,
    at: datetime,
) -> Erased:
    """Erases one person; with ``keep_out`` no import brings the address back.

    ``mentions`` tells whether a text holds the address: servers repeat it in their replies.
    """
    if keep_out:
        people.suppress(connection, person.key, reason=REASON, actor=actor, at=at)
    skipped = _skip_open(connection, person.id, round(at.timestamp() * 1000))
    rows = connection.execute(
        text("SELECT campaign_id, state FROM delivery WHERE subscriber_id = :s"), {"s": person.id}
    ).all()
    _forget_letters(connection, person.id)
    _forget_sentences(connection, person.key, mentions)
    connection.execute(
        text("UPDATE event SET subscriber_id = NULL, detail = '' WHERE subscriber_id = :s"),
        {"s": person.id},
    )
    for table in SQLModel.metadata.sorted_tables:
        if "subscriber_id" in table.columns and table.name not in _KEPT:
            column = table.columns["subscriber_id"]
            connection.execute(table.delete().where(column == person.id))
    connection.execute(text("DELETE FROM subscriber WHERE id = :s"), {"s": person.id})
    people.note(connection, at, REASON, actor, None, None, "")
    in_flight = sum(1 for row in rows if row.state == _S.sending)
    return Erased(skipped, in_flight, len(rows))


def sweep(connection: Connection, campaign_id: int) -> None:
    """Takes away what a plan or a run wrote about people who were erased meanwhile."""
    values = {"campaign": campaign_id, "kind": REASON}
    since = connection.execute(
        text(
            "SELECT 1 FROM event e JOIN campaign c ON c.id = :campaign"
            " WHERE e.kind = :kind AND e.at >= c.planned_at LIMIT 1"
        ),
        values,
    ).first()
    if since is None:
        return
    gone = "NOT EXISTS (SELECT 1 FROM subscriber p WHERE p.id = {}.subscriber_id)"
    connection.execute(
        text(
            "UPDATE delivery SET reply = '' WHERE campaign_id = :campaign AND reply <> '' AND "
            + gone.format("delivery")
        ),
        values,
    )
    connection.execute(
        text(
            "DELETE FROM snapshot WHERE campaign_id = :campaign AND position IN (SELECT d.position"
            " FROM delivery d WHERE d.campaign_id = :campaign AND " + gone.format("d") + ")"
        ),
        values,
    )


def _skip_open(connection: Connection, subscriber_id: int, now_ms: int) -> int:
    """Skips what was still to be sent, campaign by campaign, in step with who sends it."""
    campaigns = connection.execute(
        text(
            "SELECT DISTINCT d.campaign_id FROM delivery d JOIN tally t"
            " ON t.campaign_id = d.campaign_id WHERE d.subscriber_id = :s"
            " AND d.state IN ('planned', 'deferred') ORDER BY 1"
        ),
        {"s": subscriber_id},
    ).scalars()
    skipped = 0
    lock = for_update(connection.dialect.name)
    for campaign in list(campaigns):
        values = {"campaign": campaign, "s": subscriber_id, "now": now_ms, "reason": REASON}
        # A group of the sending process begins with its run's row: with it in hand, nobody
        # claims, and the states below are those that count.
        for statement in (
            f"SELECT id FROM campaign WHERE id = :campaign{lock}",
            f"SELECT id FROM run WHERE campaign_id = :campaign AND ended_at IS NULL{lock}",
        ):
            connection.execute(text(statement), values).all()
        row = connection.execute(
            text(
                "SELECT position, state FROM delivery WHERE campaign_id = :campaign"
                " AND subscriber_id = :s"
            ),
            values,
        ).one()
        was = _S(row.state)
        if was not in (_S.planned, _S.deferred):
            continue
        allow(was, _S.skipped, Cause.withdrawn)
        connection.execute(
            text(
                "UPDATE delivery SET state = 'skipped', reason = :reason, at = :now"
                " WHERE campaign_id = :campaign AND subscriber_id = :s"
            ),
            values,
        )
        connection.execute(
            text("DELETE FROM waiting WHERE campaign_id = :campaign AND position = :position"),
            {"campaign": campaign, "position": row.position},
        )
        tally(connection, campaign, Moved({(was, _S.skipped): 1}))
        skipped += 1
    return skipped


def _forget_letters(connection: Connection, subscriber_id: int) -> None:
    """What the mails said about the person, and what their servers answered."""
    for statement in (
        "DELETE FROM snapshot WHERE EXISTS (SELECT 1 FROM delivery d"
        " WHERE d.campaign_id = snapshot.campaign_id AND d.position = snapshot.position"
        " AND d.subscriber_id = :s)",
        "UPDATE delivery SET reply = '' WHERE subscriber_id = :s AND reply <> ''",
    ):
        connection.execute(text(statement), {"s": subscriber_id})


def _forget_sentences(connection: Connection, key: str, mentions: Callable[[str], bool]) -> None:
    """Sentences of servers that hold the address, wherever they stand."""
    domain = key.rpartition("@")[2]
    like = {"like": f"%@{domain}%"}
    replies = connection.execute(
        text(
            "SELECT campaign_id, position, reply FROM delivery"
            " WHERE reply <> '' AND lower(reply) LIKE :like"
        ),
        like,
    ).all()
    for row in replies:
        if mentions(row.reply):
            connection.execute(
                text("UPDATE delivery SET reply = '' WHERE campaign_id = :c AND position = :p"),
                {"c": row.campaign_id, "p": row.position},
            )
    stops = connection.execute(
        text("SELECT id, stopped_because FROM campaign WHERE lower(stopped_because) LIKE :like"),
        like,
    ).all()
    for row in stops:
        if mentions(row.stopped_because):
            connection.execute(
                text("UPDATE campaign SET stopped_because = '' WHERE id = :c"), {"c": row.id}
            )


_STANDING = {"left": "NOT IN ('active', 'pending')", "pending": "= 'pending'"}


def left_before(connection: Connection, moment: datetime) -> list[int]:
    """Who gets no list any more, and has not since before a moment."""
    return _ids(connection, "left", moment)


def pending_before(connection: Connection, moment: datetime) -> list[int]:
    """Who is on no list but as pending, since before a moment: they never said yes."""
    return _ids(connection, "pending", moment)


def still(connection: Connection, rule: str, subscriber_id: int, moment: datetime) -> bool:
    """Whether a person still is among those of ``left`` or ``pending``."""
    return _ids(connection, rule, moment, subscriber_id) == [subscriber_id]


def _ids(connection: Connection, rule: str, moment: datetime, only: int | None = None) -> list[int]:
    one = "" if only is None else " WHERE subscriber_id = :only"
    found = connection.execute(
        text(
            f"SELECT subscriber_id FROM subscription{one} GROUP BY subscriber_id HAVING"
            f" sum(CASE WHEN status {_STANDING[rule]} AND since < :moment THEN 0 ELSE 1 END) = 0"
            " ORDER BY subscriber_id"
        ).bindparams(bindparam("moment", type_=UTCDateTime())),
        {"moment": moment} | ({} if only is None else {"only": only}),
    )
    return [int(each) for each in found.scalars()]

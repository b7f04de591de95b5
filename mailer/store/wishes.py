"""What a reader may wish short of leaving: a break from one list, fewer mails; and why they left.

Every function runs inside the caller's transaction, does no harm when done twice, and says whether
it changed anything.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Integer, bindparam, text

from mailer.model.words import Frequency
from mailer.store.subscriptions import Click, note_click

REASON = "reason"  # the kind of the event in which somebody says why they left

_PAUSE = text(
    "UPDATE subscription SET paused_until = :until WHERE list_id = :list"
    " AND subscriber_id = :subscriber AND status IN ('active', 'pending')"
    " AND coalesce(paused_until, 0) <> :until"
)
_RESUME = text(
    "UPDATE subscription SET paused_until = NULL WHERE list_id = :list"
    " AND subscriber_id = :subscriber AND paused_until > :now"
)
_FEWER = text(
    "UPDATE subscriber SET fewer_days = :days WHERE id = :subscriber"
    " AND coalesce(fewer_days, 0) <> coalesce(:days, 0)"
).bindparams(bindparam("days", type_=Integer()))
# Since they left last, whichever list it was: all mail may have been stopped at once.
_TOLD = text(
    "SELECT 1 FROM event r WHERE r.subscriber_id = :subscriber AND r.kind = 'reason' AND r.id >"
    " (SELECT max(e.id) FROM event e WHERE e.subscriber_id = :subscriber"
    "  AND e.kind IN ('unsubscribed', 'suppressed') AND e.actor = 'reader')"
)
_LEFT = text(
    "SELECT 1 FROM event WHERE subscriber_id = :subscriber AND actor = 'reader'"
    " AND kind IN ('unsubscribed', 'suppressed')"
)


def pause_list(connection: Connection, click: Click, list_id: int, until: datetime) -> bool:
    """Leaves one list alone until a moment. False when they do not get it."""
    values = {"list": list_id, "subscriber": click.subscriber_id, "until": _ms(until)}
    if not connection.execute(_PAUSE, values).rowcount:
        return False
    note_click(connection, click, "paused", list_id, f"until {until.date().isoformat()}")
    return True


def resume_list(connection: Connection, click: Click, list_id: int) -> bool:
    """Ends a break before its time."""
    values = {"list": list_id, "subscriber": click.subscriber_id, "now": _ms(click.at)}
    if not connection.execute(_RESUME, values).rowcount:
        return False
    note_click(connection, click, "resumed", list_id, "")
    return True


def choose_frequency(connection: Connection, click: Click, frequency: Frequency) -> bool:
    """Sets how often the person wants to hear from us at most."""
    values = {"subscriber": click.subscriber_id, "days": frequency.days}
    if not connection.execute(_FEWER, values).rowcount:
        return False
    note_click(connection, click, "changed", None, f"frequency {frequency}")
    return True


def tell_reason(connection: Connection, click: Click, list_id: int, words: str) -> bool:
    """Keeps why somebody left: once for each departure, and only of who left."""
    values = {"subscriber": click.subscriber_id}
    if connection.execute(_LEFT, values).first() is None or has_told(
        connection, click.subscriber_id
    ):
        return False
    note_click(connection, click, REASON, list_id, words)
    return True


def has_told(connection: Connection, subscriber_id: int) -> bool:
    """Whether a reason is on record for the last departure."""
    return connection.execute(_TOLD, {"subscriber": subscriber_id}).first() is not None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)

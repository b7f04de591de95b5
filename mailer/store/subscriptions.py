"""Moves one reader off a list, off everything, and back: what a reader's own click may do.

Every function runs inside the caller's transaction, does no harm when done twice, and says whether
it changed anything. Nobody comes back who did not leave by themselves: an address that bounced,
complained, or was taken off by somebody else stays off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, text, update
from sqlmodel import col
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.model.people import Consent, Event, Subscription
from mailer.model.words import SubscriptionStatus
from mailer.store.database import one

BY_READER = "reader"  # the actor of an event, and the reason of a suppression, that a reader caused
_EVERYTHING = "everything"
_ABSENT = "absent"  # was on no such list: a link can outlive an import that was undone
_RECEIVING = (SubscriptionStatus.active, SubscriptionStatus.pending)


@dataclass(frozen=True, slots=True)
class Departure:
    """How somebody left a list: by whom, with all others at once or not, and what they were."""

    actor: str
    everything: bool
    was: SubscriptionStatus | None  # None: they were not on the list

    @property
    def may_be_undone(self) -> bool:
        return self.actor == BY_READER and self.was is not None

    @classmethod
    def parse(cls, actor: str, detail: str) -> Departure:
        """Reads the ``detail`` of an ``unsubscribed`` event; what it does not name was active."""
        words = detail.split()
        was = SubscriptionStatus.pending if "pending" in words else SubscriptionStatus.active
        return cls(actor, _EVERYTHING in words, None if _ABSENT in words else was)


@dataclass(frozen=True, slots=True)
class Click:
    """Who clicked, in the mail of which campaign, and when."""

    subscriber_id: int
    campaign_id: int | None
    at: datetime


def leave_list(connection: Connection, click: Click, list_id: int) -> bool:
    """Unsubscribes from one list. False when they did not get it anyway, or are erased."""
    return _exists(connection, click) and _leave(connection, click, list_id)


def leave_everything(connection: Connection, click: Click) -> bool:
    """Unsubscribes from every list, and keeps later imports from bringing the address back."""
    if not _exists(connection, click):
        return False
    lists = connection.execute(
        text("SELECT list_id FROM subscription WHERE subscriber_id = :subscriber ORDER BY list_id"),
        {"subscriber": click.subscriber_id},
    ).scalars()
    changed = [_leave(connection, click, list_id, _EVERYTHING) for list_id in lists.all()]
    return _suppress(connection, click) or any(changed)


def undo_departure(connection: Connection, click: Click, list_id: int) -> bool:
    """Takes back the last step: everything, if that was asked for, else this one list."""
    if not _unsuppress(connection, click):
        return _return(connection, click, list_id, "undone")
    lists = connection.execute(
        text("SELECT list_id FROM subscription WHERE subscriber_id = :subscriber ORDER BY list_id"),
        {"subscriber": click.subscriber_id},
    ).scalars()
    for each in lists.all():
        _return(connection, click, each, "undone", only_everything=True)
    return True


def return_to_list(connection: Connection, click: Click, list_id: int) -> bool:
    """Subscribes to one list again, which lifts the reader's own wish for no mail at all."""
    if not _return(connection, click, list_id, "returned"):
        return False
    _unsuppress(connection, click)
    connection.execute(
        insert(Consent),
        {
            "list_id": list_id,
            "subscriber_id": click.subscriber_id,
            "source": "form",
            "detail": "preferences page",
            "at": click.at,
        },
    )
    return True


def _exists(connection: Connection, click: Click) -> bool:
    found = one(connection, "SELECT 1 FROM subscriber WHERE id = :id", id=click.subscriber_id)
    return found is not None


def _leave(connection: Connection, click: Click, list_id: int, why: str = "") -> bool:
    status = one(
        connection,
        "SELECT status FROM subscription WHERE list_id = :list AND subscriber_id = :subscriber",
        list=list_id,
        subscriber=click.subscriber_id,
    )
    unsubscribed = SubscriptionStatus.unsubscribed
    if not (
        (status is None and _insert_departed(connection, click, list_id))
        or _move(connection, click, list_id, _RECEIVING, unsubscribed)
    ):
        return False
    was = _ABSENT if status is None else "" if status == SubscriptionStatus.active else status
    _note(connection, click, "unsubscribed", list_id, f"{why} {was}".strip())
    return True


def _insert_departed(connection: Connection, click: Click, list_id: int) -> bool:
    """So that a later import finds a no, and does not take it for silence."""
    inserted = connection.execute(
        text(
            "INSERT INTO subscription (list_id, subscriber_id, status, since)"
            f" VALUES (:list, :subscriber, '{SubscriptionStatus.unsubscribed}', :at)"
            " ON CONFLICT DO NOTHING"
        ).bindparams(bindparam("at", type_=UTCDateTime())),
        {"list": list_id, "subscriber": click.subscriber_id, "at": click.at},
    )
    return inserted.rowcount > 0


def _return(
    connection: Connection,
    click: Click,
    list_id: int,
    why: str,
    *,
    only_everything: bool = False,
) -> bool:
    row = connection.execute(
        text(
            "SELECT actor, detail FROM event WHERE id = (SELECT max(id) FROM event"
            " WHERE subscriber_id = :subscriber AND list_id = :list AND kind = 'unsubscribed')"
        ),
        {"subscriber": click.subscriber_id, "list": list_id},
    ).first()
    departure = None if row is None else Departure.parse(row.actor, row.detail)
    if departure is None or departure.was is None or not departure.may_be_undone:
        return False
    if only_everything and not departure.everything:
        return False
    left = (SubscriptionStatus.unsubscribed,)
    if not _move(connection, click, list_id, left, departure.was):
        return False
    _note(connection, click, "subscribed", list_id, why)
    return True


def _move(
    connection: Connection,
    click: Click,
    list_id: int,
    old: tuple[SubscriptionStatus, ...],
    new: SubscriptionStatus,
) -> bool:
    moved = connection.execute(
        update(Subscription)
        .where(col(Subscription.list_id) == list_id)
        .where(col(Subscription.subscriber_id) == click.subscriber_id)
        .where(col(Subscription.status).in_(old))
        .values(status=new, since=click.at)
    )
    return moved.rowcount > 0


def _suppress(connection: Connection, click: Click) -> bool:
    """Any earlier reason stays: a reader's wish must not make a complaint something to undo."""
    added = connection.execute(
        text(
            "INSERT INTO suppression (hash, reason, at)"
            " SELECT suppression_hash, :reason, :at FROM subscriber WHERE id = :subscriber"
            " ON CONFLICT DO NOTHING"
        ).bindparams(bindparam("at", type_=UTCDateTime())),
        {"reason": BY_READER, "subscriber": click.subscriber_id, "at": click.at},
    )
    if added.rowcount == 0:
        return False
    _note(connection, click, "suppressed", None, _EVERYTHING)
    return True


def _unsuppress(connection: Connection, click: Click) -> bool:
    lifted = connection.execute(
        text(
            "DELETE FROM suppression WHERE reason = :reason AND hash ="
            " (SELECT suppression_hash FROM subscriber WHERE id = :subscriber)"
        ),
        {"reason": BY_READER, "subscriber": click.subscriber_id},
    )
    if lifted.rowcount == 0:
        return False
    _note(connection, click, "unsuppressed", None, _EVERYTHING)
    return True


def _note(
    connection: Connection, click: Click, kind: str, list_id: int | None, detail: str
) -> None:
    connection.execute(
        insert(Event),
        {
            "at": click.at,
            "kind": kind,
            "actor": BY_READER,
            "subscriber_id": click.subscriber_id,
            "list_id": list_id,
            "campaign_id": click.campaign_id,
            "detail": detail,
        },
    )

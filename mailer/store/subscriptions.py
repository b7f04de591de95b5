"""Moves one reader off a list, off everything, and back: what a reader's own click may do.

Every function runs inside the caller's transaction, does no harm when done twice, and says whether
it changed anything. Nobody comes back who did not leave by themselves: an address that bounced,
complained, or was taken off by somebody else stays off.

The statements are made once: building one takes SQLAlchemy longer than the database takes to
run it, and a whole list may click within minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, text
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.model.people import Consent, Event
from mailer.model.words import SubscriptionStatus

BY_READER = "reader"  # the actor of an event, and the reason of a suppression, that a reader caused
_EVERYTHING = "everything"
_ALREADY = "already"  # an import had taken them off; now they, or an operator, say so too
_ABSENT = "absent"  # was on no such list: a link can outlive an import that was undone

_AT = bindparam("at", type_=UTCDateTime())
_PERSON = text(
    "SELECT u.status FROM subscriber p LEFT JOIN subscription u"
    " ON u.subscriber_id = p.id AND u.list_id = :list WHERE p.id = :subscriber"
)
_LISTS = text("SELECT list_id FROM subscription WHERE subscriber_id = :subscriber ORDER BY list_id")
_LEAVE = text(
    "UPDATE subscription SET status = 'unsubscribed', since = :at"
    " WHERE list_id = :list AND subscriber_id = :subscriber AND status IN ('active', 'pending')"
).bindparams(_AT)
_NEVER_JOIN = text(
    "INSERT INTO subscription (list_id, subscriber_id, status, since)"
    " VALUES (:list, :subscriber, 'unsubscribed', :at) ON CONFLICT DO NOTHING"
).bindparams(_AT)
_RETURN = text(
    "UPDATE subscription SET status = :status, since = :at"
    " WHERE list_id = :list AND subscriber_id = :subscriber AND status = 'unsubscribed'"
    " AND NOT EXISTS (SELECT 1 FROM list_suppression x JOIN subscriber p"
    "  ON p.suppression_hash = x.hash WHERE p.id = :subscriber AND x.list_id = :list)"
).bindparams(_AT)
_AWAKE = text(  # whoever subscribes again wants mail, whatever break they once took
    "UPDATE subscription SET paused_until = NULL"
    " WHERE list_id = :list AND subscriber_id = :subscriber AND paused_until IS NOT NULL"
)
_DEPARTURE = text(
    "SELECT actor, detail FROM event WHERE id = (SELECT max(id) FROM event"
    " WHERE subscriber_id = :subscriber AND list_id = :list AND kind = 'unsubscribed')"
)
_LAST_TURN = text(
    "SELECT 1 FROM event WHERE batch_id IS NOT NULL AND id = (SELECT max(id) FROM event"
    " WHERE subscriber_id = :subscriber AND list_id = :list)"
)
# Any earlier reason stays: a reader's wish must not make a complaint something to undo.
_SUPPRESS = text(
    "INSERT INTO suppression (hash, reason, at)"
    f" SELECT suppression_hash, '{BY_READER}', :at FROM subscriber WHERE id = :subscriber"
    " ON CONFLICT DO NOTHING"
).bindparams(_AT)
_UNSUPPRESS = text(
    f"DELETE FROM suppression WHERE reason = '{BY_READER}' AND hash ="
    " (SELECT suppression_hash FROM subscriber WHERE id = :subscriber)"
)
_NOTE = insert(Event)
_CONSENT = insert(Consent)


@dataclass(frozen=True, slots=True)
class Departure:
    """How somebody left a list: by whom, with all others at once or not, and what they were."""

    actor: str
    everything: bool
    was: SubscriptionStatus | None  # None: they got no mail of the list

    @property
    def may_be_undone(self) -> bool:
        return self.actor == BY_READER and self.was is not None

    @classmethod
    def parse(cls, actor: str, detail: str) -> Departure:
        """Reads the ``detail`` of an ``unsubscribed`` event; what it does not name was active."""
        words = detail.split()
        was = SubscriptionStatus.pending if "pending" in words else SubscriptionStatus.active
        nowhere = _ABSENT in words or _ALREADY in words
        return cls(actor, _EVERYTHING in words, None if nowhere else was)


@dataclass(frozen=True, slots=True)
class Click:
    """Who clicked, in the mail of which campaign, and when."""

    subscriber_id: int
    campaign_id: int | None
    at: datetime


def leave_list(connection: Connection, click: Click, list_id: int, why: str = "") -> bool:
    """Unsubscribes from one list. False when they did not get it anyway, or are erased.

    Somebody who is not on the list is put there as unsubscribed, so that a later import finds
    a no and does not take it for silence.
    """
    values = {"list": list_id, "subscriber": click.subscriber_id}
    person = connection.execute(_PERSON, values).first()
    if person is None:
        return False
    moved = 0
    if person.status is None:
        moved = connection.execute(_NEVER_JOIN, values | {"at": click.at}).rowcount
    if not moved and not connection.execute(_LEAVE, values | {"at": click.at}).rowcount:
        if taken_off_by_import(connection, click.subscriber_id, list_id):
            note_click(connection, click, "unsubscribed", list_id, f"{why} {_ALREADY}".strip())
        return False
    was = person.status or _ABSENT
    note_click(
        connection, click, "unsubscribed", list_id, f"{why} {was}".removesuffix("active").strip()
    )
    return True


def taken_off_by_import(connection: Connection, subscriber_id: int, list_id: int) -> bool:
    """Whether an import alone says that this person left, so that an undo would bring them back.

    Then a departure by hand is an event of its own, which holds against the undo.
    """
    values = {"list": list_id, "subscriber": subscriber_id}
    return connection.execute(_LAST_TURN, values).scalar() is not None


def leave_everything(connection: Connection, click: Click) -> bool:
    """Unsubscribes from every list, and keeps later imports from bringing the address back."""
    left = [leave_list(connection, click, each, _EVERYTHING) for each in _lists(connection, click)]
    values = {"subscriber": click.subscriber_id, "at": click.at}
    suppressed = connection.execute(_SUPPRESS, values).rowcount > 0
    if suppressed:
        note_click(connection, click, "suppressed", None, _EVERYTHING)
    return suppressed or any(left)


def undo_departure(connection: Connection, click: Click, list_id: int) -> bool:
    """Takes back the last step: everything, if that was asked for, else this one list."""
    if not lift_own_wish(connection, click):
        return _return(connection, click, list_id, "undone")
    for each in _lists(connection, click):
        _return(connection, click, each, "undone", only_everything=True)
    return True


def return_to_list(connection: Connection, click: Click, list_id: int) -> bool:
    """Subscribes to one list again, which lifts the reader's own wish for no mail at all."""
    if not _return(connection, click, list_id, "returned"):
        return False
    lift_own_wish(connection, click)
    connection.execute(_AWAKE, {"list": list_id, "subscriber": click.subscriber_id})
    consent = {
        "list_id": list_id,
        "subscriber_id": click.subscriber_id,
        "source": "form",
        "detail": "preferences page",
        "at": click.at,
    }
    connection.execute(_CONSENT, consent)
    return True


def _lists(connection: Connection, click: Click) -> list[int]:
    values = {"subscriber": click.subscriber_id}
    return list(connection.execute(_LISTS, values).scalars())


def _return(
    connection: Connection,
    click: Click,
    list_id: int,
    why: str,
    *,
    only_everything: bool = False,
) -> bool:
    values = {"list": list_id, "subscriber": click.subscriber_id}
    row = connection.execute(_DEPARTURE, values).first()
    departure = None if row is None else Departure.parse(row.actor, row.detail)
    if departure is None or departure.was is None or not departure.may_be_undone:
        return False
    if only_everything and not departure.everything:
        return False
    moved = connection.execute(_RETURN, {**values, "status": departure.was, "at": click.at})
    if moved.rowcount == 0:
        return False
    note_click(connection, click, "subscribed", list_id, why)
    return True


def lift_own_wish(connection: Connection, click: Click) -> bool:
    """Takes back a reader's own wish for no mail at all; no other suppression."""
    values = {"subscriber": click.subscriber_id}
    if connection.execute(_UNSUPPRESS, values).rowcount == 0:
        return False
    note_click(connection, click, "unsuppressed", None, _EVERYTHING)
    return True


def note_click(
    connection: Connection, click: Click, kind: str, list_id: int | None, detail: str
) -> None:
    """Writes down what a reader did by a link: an event of theirs, with the campaign it was in."""
    event = {
        "at": click.at,
        "kind": kind,
        "actor": BY_READER,
        "subscriber_id": click.subscriber_id,
        "list_id": list_id,
        "campaign_id": click.campaign_id,
        "detail": detail,
    }
    connection.execute(_NOTE, event)

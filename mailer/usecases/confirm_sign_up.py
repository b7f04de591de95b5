"""Shows and takes the yes of somebody who signed up. Looking changes nothing."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from mailer.contacts.masking import mask_address
from mailer.errors import NotFoundError
from mailer.message.links import KeyRing, Link, Purpose, make, read
from mailer.message.seals import Seals
from mailer.model.words import ServiceMail, SubscriptionStatus
from mailer.ports import Clock
from mailer.store import outbox, sign_up_counts, sign_ups
from mailer.store.database import Database
from mailer.usecases.sign_up import address_hashes

_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)


class Confirmation(StrEnum):
    """What the page says, and so whether it has a button."""

    open = "open"
    confirmed = "confirmed"
    elsewhere = "elsewhere"  # does not get the list, and this link can't change that
    expired = "expired"
    erased = "erased"


@dataclass(frozen=True, slots=True)
class ConfirmationView:
    """What the page shows; ``address`` is masked. ``preferences`` is a token, once they are on."""

    stand: Confirmation
    list_title: str = ""
    address: str = ""
    language: str = ""
    sign_up: str = ""  # the slug of a list whose page is open to everybody
    preferences: str = ""


def is_confirmation(token: str, *, keys: KeyRing) -> bool:
    """Whether a link is one of these, expired or not."""
    return read(keys, token, Purpose.confirm, now=_LONG_AGO) is not None


def show_confirmation(token: str, *, keys: KeyRing, db: Database, clock: Clock) -> ConfirmationView:
    """Reads the link of a confirmation. Raises NotFoundError for any other token."""
    link = _genuine(token, keys)
    expired = read(keys, token, Purpose.confirm, now=clock.now()) is None
    with db.read() as connection:
        found = _asked(connection, link)
    if found is None:
        return ConfirmationView(Confirmation.expired if expired else Confirmation.erased)
    stand = _stand(found, expired=expired)
    is_open = found.public and found.archived_at is None
    return ConfirmationView(
        stand,
        found.title,
        mask_address(found.address),
        found.language or found.list_language or "",
        found.slug if is_open else "",
        make(keys, Purpose.preferences, 0, link.subscriber)
        if stand is Confirmation.confirmed
        else "",
    )


def confirm_sign_up(
    token: str,
    *,
    keys: KeyRing,
    seals: Seals,
    db: Database,
    clock: Clock,
    message_id: str | None = None,
) -> Future[bool]:
    """Puts the reader on the list, with the evidence, and answers when that is durable.

    ``message_id`` is for the list's welcome, if it has one; None: no mail can be sent. Twice
    changes nothing. Raises NotFoundError for a wrong or expired token.
    """
    at = clock.now()
    link = read(keys, token, Purpose.confirm, now=at)
    if link is None:
        raise NotFoundError("There is no such page.")

    def work(connection: Connection) -> bool:
        found = _asked(connection, link)
        if found is None or _stand(found) is not Confirmation.open:
            return False
        joined = sign_ups.confirm(connection, found, at)
        for hashed in address_hashes(seals, found.key):  # the mailbox answers: it may ask for more
            sign_up_counts.forget(connection, hashed)
        if joined and found.welcome and message_id is not None:
            outbox.add(
                connection,
                ServiceMail.welcome,
                list_id=found.list_id,
                subscriber_id=link.subscriber,
                language=found.language or found.list_language or "",
                message_id=message_id,
                at=at,
            )
        return joined

    return db.writer.submit(work)


def _asked(connection: Connection, link: Link) -> Row[Any] | None:
    """What the link asks; None when the person is gone, or its number is another ask's by now."""
    found = sign_ups.asked(connection, link.campaign, link.subscriber)
    return found if found is not None and link.is_of(found.expires_at) else None


def _genuine(token: str, keys: KeyRing) -> Link:
    link = read(keys, token, Purpose.confirm, now=_LONG_AGO)
    if link is None:
        raise NotFoundError("There is no such page.")
    return link


def _stand(found: Row[Any], *, expired: bool = False) -> Confirmation:
    if not sign_ups.may_be_asked(found.status, found.suppressed, found.kept_off):
        return Confirmation.elsewhere
    if found.status == SubscriptionStatus.active:
        return Confirmation.confirmed
    if found.confirmed_at is not None or found.left_since:
        return Confirmation.elsewhere  # left since they were asked: an old link brings nobody back
    return Confirmation.expired if expired else Confirmation.open

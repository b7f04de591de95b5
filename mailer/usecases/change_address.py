"""Moves a reader to a new address, once the old and the new one have both said yes.

::

    ask      the preferences page   ─▶ a row, and a mail with a button to each address
    confirm  a button at each       ─▶ a yes; the second one moves the person
    stop     a button at either     ─▶ nothing moves

Until then everything goes to the old address. Whoever asks learns nothing about the new one: the
page says the same whether it is known, suppressed or new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from mailer.contacts.address import Address, AddressError, clean_cell, parse_address
from mailer.contacts.masking import mask_address
from mailer.errors import InputError, NotFoundError, StoppedError
from mailer.message.letterhead import can_stand
from mailer.message.links import KeyRing, Link, Purpose, make, read
from mailer.model.words import ServiceMail
from mailer.ports import Clock
from mailer.store import address_changes, evidence, people, sign_ups, site
from mailer.store.database import Database
from mailer.store.subscriptions import BY_READER
from mailer.usecases.edit_subscriber import moved_address
from mailer.usecases.open_link import ReaderLink, open_link
from mailer.usecases.post_service_mail import (
    Posted,
    PostOffice,
    ServiceLetter,
    post_service_mail,
)

DAYS = 3  # that both have to say yes
_SIDES = {Purpose.address_old: "old", Purpose.address_new: "new"}


class Asked(StrEnum):
    """What came of asking."""

    sent = "sent"  # or so it is said: see above
    not_sent = "not_sent"  # the mail server did not take them both
    no_address = "no_address"  # what was typed can't be one, or is theirs already


class Stand(StrEnum):
    """Where a change stands, for one of its two addresses."""

    open = "open"  # this one has not answered
    waiting = "waiting"  # said yes; the other has not answered
    moved = "moved"
    refused = "refused"  # both said yes, and the new address can't be used
    stopped = "stopped"  # one of them said no


@dataclass(frozen=True, slots=True)
class ChangeView:
    """What the page of one of the two addresses shows; ``address`` is that one, masked."""

    side: str  # old or new
    stand: Stand
    address: str
    language: str


async def ask_address_change(
    token: str, typed: str, *, keys: KeyRing, db: Database, clock: Clock, office: PostOffice
) -> Asked:
    """Writes the change down and asks both addresses. Raises NotFoundError for a wrong token.

    Neither a suppressed address nor one that was asked within a day is written to. So a change
    whose mail went to one address alone is stopped, and stays on record.
    """
    link = open_link(token, Purpose.preferences, keys=keys, clock=clock)
    try:
        new = parse_address(clean_cell(typed))
    except AddressError:
        return Asked.no_address
    if not can_stand(new.address):
        return Asked.no_address
    if link.test:
        return Asked.sent
    begun = await asyncio.to_thread(_begin, link, new, db, clock)
    if isinstance(begun, Asked):
        return begun
    home = f"{office.brand.site_url}/c"
    letters = [
        ServiceLetter(kind, to, begun.language, f"{home}/{signed}/address", DAYS)
        for kind, purpose, to in begun.to
        for signed in [make(keys, purpose, begun.id, link.subscriber, expires=begun.expires)]
    ]
    posted: Sequence[Posted] = ()
    try:
        posted = await post_service_mail(letters, office=office, db=db, clock=clock)
    except StoppedError:
        pass  # the server is not there: it is said, and nothing is left behind
    finally:
        sent = bool(posted) and all(each.accepted for each in posted)
        if not sent:
            some = any(each.accepted or each.unknown for each in posted)
            await asyncio.to_thread(_take_back, db, begun.id, some)
    return Asked.sent if sent else Asked.not_sent


@dataclass(frozen=True, slots=True)
class _Begun:
    """A change on record, and who is to be asked about it."""

    id: int
    expires: datetime
    language: str
    to: Sequence[tuple[ServiceMail, Purpose, str]]


def _begin(link: ReaderLink, new: Address, db: Database, clock: Clock) -> _Begun | Asked:
    at = clock.now()
    expires = at + timedelta(days=DAYS)
    with db.write() as connection:
        person = people.subscriber(connection, link.subscriber)
        if person is None:
            raise NotFoundError("There is no such page.")
        if person.key == new.key:
            return Asked.no_address
        if _blocked(connection, person.key):
            return Asked.sent
        sign_ups.one_at_a_time(connection)  # or two that ask at once would both be the first
        change = address_changes.begin(
            connection, person.id, address=new.address, key=new.key, at=at, expires=expires
        )
        if change is None:
            return Asked.sent
        to = [(ServiceMail.address_old, Purpose.address_old, str(person.address))]
        if not _blocked(connection, new.key):
            to.append((ServiceMail.address_new, Purpose.address_new, new.address))
        letter = site.letter(connection, link.campaign, person.id)
    return _Begun(change, expires, person.language or (letter.language if letter else ""), to)


def _take_back(db: Database, change_id: int, somebody_was_asked: bool) -> None:
    """Forgets a change that nobody heard of; the other kind counts against the limit of a day."""
    with db.write() as connection:
        if somebody_was_asked:
            address_changes.set_values(connection, change_id, outcome=Stand.stopped)
        else:
            address_changes.forget(connection, change_id)


def show_address_change(token: str, *, keys: KeyRing, db: Database, clock: Clock) -> ChangeView:
    """Reads the link of one of the two mails. Raises NotFoundError when its time is over."""
    link = _opened(token, keys, clock)
    with db.read() as connection:
        change, person = _found(connection, link, clock)
    side = _SIDES[link.purpose]
    address = person.address if side == "old" else change.address
    return ChangeView(side, _stand(change, side), mask_address(address), person.language or "")


def answer_address_change(
    token: str, *, yes: bool, keys: KeyRing, db: Database, clock: Clock
) -> Future[Stand]:
    """Takes the yes or the no of one address, and moves the person with the second yes.

    Twice changes nothing, and a no after the move does not take it back. Raises NotFoundError
    for a wrong token; the future raises it when the change is gone.
    """
    link = _opened(token, keys, clock)
    at, side = clock.now(), _SIDES[link.purpose]

    def work(connection: Connection) -> Stand:
        change, person = _found(connection, link, clock)
        if change.outcome:
            return Stand(change.outcome)
        if not yes:
            address_changes.set_values(connection, change.id, outcome=Stand.stopped)
            people.note(connection, at, "address change stopped", BY_READER, person.id, None, side)
            return Stand.stopped
        address_changes.set_values(connection, change.id, **{f"{side}_yes_at": at})
        other = change.new_yes_at if side == "old" else change.old_yes_at
        if other is None:
            return Stand.waiting
        return _move(connection, change, person)

    def _move(connection: Connection, change: Row[Any], person: Row[Any]) -> Stand:
        try:
            values = moved_address(
                connection, person, parse_address(change.address), at, actor=BY_READER
            )
        except InputError:
            address_changes.set_values(connection, change.id, outcome=Stand.refused)
            return Stand.refused
        people.update_subscriber(connection, person.id, values)
        people.note(connection, at, "changed", BY_READER, person.id, None, "address")
        address_changes.set_values(connection, change.id, outcome=Stand.moved)
        return Stand.moved

    return db.writer.submit(work)


def _opened(token: str, keys: KeyRing, clock: Clock) -> Link:
    link = read(keys, token, tuple(_SIDES), now=clock.now())
    if link is None:
        raise NotFoundError("There is no such page.")
    return link


def _found(connection: Connection, link: Link, clock: Clock) -> tuple[Row[Any], Row[Any]]:
    """The change, whose number stands where other links have the campaign, and its person."""
    change = address_changes.find(connection, link.campaign, link.subscriber, clock.now())
    person = people.subscriber(connection, link.subscriber)
    if change is None or person is None or not link.is_of(change.expires_at):
        raise NotFoundError("There is no such page.")
    return change, person


def _stand(change: Row[Any], side: str) -> Stand:
    if change.outcome:
        return Stand(change.outcome)
    said = change.old_yes_at if side == "old" else change.new_yes_at
    return Stand.open if said is None else Stand.waiting


def _blocked(connection: Connection, key: str) -> bool:
    hashed = people.hasher(connection)(key)
    return any(each.list is None for each in evidence.blocks(connection, hashed))

"""Gives a reader everything that is held about them, or erases it, once they name their address.

The link alone is not enough: it stands in mails that get forwarded, and some scanners press
buttons. The page shows the address masked, so whoever only has the link does not read it there.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from mailer.contacts.address import AddressError, clean_cell, parse_address
from mailer.errors import NotFoundError
from mailer.message.links import KeyRing, Purpose
from mailer.ports import Clock, Leftovers
from mailer.store import people
from mailer.store.database import Database
from mailer.store.subscriptions import BY_READER
from mailer.usecases.erase_subscriber import erase_subscriber
from mailer.usecases.export_person import HeldData, export_person
from mailer.usecases.open_link import open_link


def download_own_data(
    token: str, typed: str, *, keys: KeyRing, db: Database, clock: Clock, leftovers: Leftovers
) -> HeldData | None:
    """Everything about the reader; None when the address is another, and for a test copy.

    Raises NotFoundError for a wrong token.
    """
    person = _named(token, typed, keys=keys, db=db, clock=clock)
    if person is None:
        return None
    return export_person(person.address, db=db, clock=clock, leftovers=leftovers)


def erase_own_data(
    token: str, typed: str, *, keys: KeyRing, db: Database, clock: Clock, leftovers: Leftovers
) -> bool:
    """Erases the reader and keeps them out; false when the address is another, or for a test copy.

    Twice does no harm. Raises NotFoundError for a wrong token.
    """
    person = _named(token, typed, keys=keys, db=db, clock=clock)
    if person is None:
        return False
    try:
        erase_subscriber(person.address, db=db, clock=clock, leftovers=leftovers, actor=BY_READER)
    except NotFoundError:
        return False  # somebody was faster
    return True


def _named(token: str, typed: str, *, keys: KeyRing, db: Database, clock: Clock) -> Row[Any] | None:
    """The link's person, if what was typed is their address in whatever case."""
    link = open_link(token, Purpose.preferences, keys=keys, clock=clock)
    if link.test:
        return None
    with db.read() as connection:
        person = people.subscriber(connection, link.subscriber)
    try:
        key = parse_address(clean_cell(typed)).key
    except AddressError:
        return None
    return person if person is not None and person.key == key else None

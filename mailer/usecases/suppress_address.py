"""Suppresses an address: it is never mailed, and no import brings it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailer.contacts.address import Address, AddressError, clean_cell, parse_address
from mailer.errors import InputError
from mailer.ports import Clock
from mailer.store import people
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Whether an address is suppressed, why and since when; ``changed`` by this very call."""

    address: str
    suppressed: bool
    reason: str | None
    since: datetime | None
    changed: bool = False


def suppress_address(
    address: str, *, db: Database, clock: Clock, reason: str = "operator"
) -> Suppressed:
    """Suppresses an address, known or not; one that is already keeps its reason.

    Raises InputError for what is no address.
    """
    parsed = _parsed(address)
    with db.write() as connection:
        changed = people.suppress(
            connection, parsed.key, reason=reason, actor="operator", at=clock.now()
        )
    return _told(parsed, db, changed)


def lift_suppression(address: str, *, db: Database, clock: Clock) -> Suppressed:
    """Lifts a suppression; nobody is put back on a list by it. Raises InputError likewise."""
    parsed = _parsed(address)
    with db.write() as connection:
        changed = people.unsuppress(connection, parsed.key, actor="operator", at=clock.now())
    return _told(parsed, db, changed)


def check_suppression(address: str, *, db: Database) -> Suppressed:
    """Tells whether an address is suppressed. Raises InputError likewise."""
    return _told(_parsed(address), db, changed=False)


def _parsed(address: str) -> Address:
    try:
        return parse_address(clean_cell(address))
    except AddressError as error:
        raise InputError(str(error)) from error


def _told(parsed: Address, db: Database, changed: bool) -> Suppressed:
    with db.read() as connection:
        row = people.suppression_of(connection, people.hasher(connection)(parsed.key))
    if row is None:
        return Suppressed(parsed.address, False, None, None, changed)
    return Suppressed(parsed.address, True, row.reason, row.at, changed)

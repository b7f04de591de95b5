"""Tells whether an address is suppressed, why, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailer.contacts.address import Address, AddressError, clean_cell, parse_address
from mailer.errors import InputError
from mailer.store import people
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class Suppressed:
    """How an address stands; ``changed`` when this very call has made it so."""

    address: str
    suppressed: bool
    reason: str | None
    since: datetime | None
    changed: bool = False


def check_suppression(address: str, *, db: Database) -> Suppressed:
    """Looks one address up, known or not. Raises InputError for what is no address."""
    return standing(require_address(address), db=db, changed=False)


def require_address(address: str) -> Address:
    """Parses an address that a person typed. Raises InputError."""
    try:
        return parse_address(clean_cell(address))
    except AddressError as error:
        raise InputError(str(error)) from error


def standing(parsed: Address, *, db: Database, changed: bool) -> Suppressed:
    """How a parsed address stands now."""
    with db.read() as connection:
        row = people.suppression_of(connection, people.hasher(connection)(parsed.key))
    if row is None:
        return Suppressed(parsed.address, False, None, None, changed)
    return Suppressed(parsed.address, True, row.reason, row.at, changed)

"""Tells whether an address is suppressed, why, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.contacts.address import Address, AddressError, clean_cell, parse_address
from mailer.errors import InputError
from mailer.store import people, suppressions
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class Suppressed:
    """How an address stands: on one list, or everywhere. ``changed`` when this call made it so."""

    address: str
    suppressed: bool
    reason: str | None
    since: datetime | None
    changed: bool = False
    list: str | None = None  # the one list that was asked about


def check_suppression(address: str, *, db: Database, list_name: str | None = None) -> Suppressed:
    """Looks one address up, known or not; with a list, there and everywhere.

    Raises InputError for what is no address, NotFoundError for an unknown list.
    """
    return standing(require_address(address), db=db, changed=False, list_name=list_name)


def require_address(address: str) -> Address:
    """Parses an address that a person typed. Raises InputError."""
    try:
        return parse_address(clean_cell(address))
    except AddressError as error:
        raise InputError(str(error)) from error


def require_list(connection: Connection, name: str | None) -> int | None:
    """The id of a list that may be named. Raises NotFoundError."""
    return None if name is None else int(people.find_list(connection, name).id)


def standing(
    parsed: Address, *, db: Database, changed: bool, list_name: str | None = None
) -> Suppressed:
    """How a parsed address stands now; what holds everywhere comes first."""
    with db.read() as connection:
        list_id = require_list(connection, list_name)
        hashed = people.hasher(connection)(parsed.key)
        row = people.suppression_of(connection, hashed)
        if row is None and list_id is not None:
            row = suppressions.on_list(connection, hashed, list_id)
    if row is None:
        return Suppressed(parsed.address, False, None, None, changed, list_name)
    return Suppressed(parsed.address, True, row.reason, row.at, changed, list_name)

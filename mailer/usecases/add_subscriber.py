"""Adds one person to a list by an operator's hand, by the same rules as an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mailer.contacts.address import AddressError, clean_cell, parse_address
from mailer.contacts.headings import language_tag
from mailer.contacts.people import RowError, arrival_of
from mailer.errors import InputError
from mailer.model.words import OptIn, SubscriptionStatus
from mailer.ports import Clock
from mailer.store import people
from mailer.store.arrivals import Entry, arriving
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class AddedSubscriber:
    """What came of it: ``added``, ``updated``, ``unchanged``, or ``suppressed`` (kept out).

    ``status`` is how the person stands on the list now; None for somebody who is kept out.
    """

    address: str
    list: str
    outcome: str
    status: str | None
    confirmation: str = ""  # sent, waiting (to be sent), impossible; empty: nobody was asked


def add_subscriber(
    address: str,
    *,
    list_name: str,
    db: Database,
    clock: Clock,
    fields: Mapping[str, str] | None = None,
    language: str | None = None,
    status: SubscriptionStatus | None = None,
    consent: str | None = None,
) -> AddedSubscriber:
    """Adds or updates the person, with a consent record; whoever has left stays away.

    Newcomers become ``active``, on a list with double opt-in ``pending``, unless told otherwise.

    Raises InputError for an address or a field that can't be used, NotFoundError for an
    unknown list.
    """
    with db.read() as connection:
        types = people.field_types(connection)
    try:
        parsed = parse_address(clean_cell(address))
        tag = _tag(language)
    except (AddressError, ValueError) as error:
        raise InputError(str(error)) from error
    with db.write() as connection:
        found = people.find_list(connection, list_name)
        if found.archived_at is not None:
            raise InputError(f"The list “{list_name}” is archived.", hint="Name another list.")
        confirms = found.opt_in == OptIn.double
        default = SubscriptionStatus.pending if confirms else SubscriptionStatus.active
        try:
            arrival = arrival_of(parsed, fields or {}, tag, status or default, types)
        except RowError as error:
            raise InputError(str(error)) from None
        people.declare_fields(connection, sorted(fields or {}), clock.now())
        wording_id = people.wording(connection, consent, clock.now())
    entry = Entry(found.id, "operator", db.officer, clock.now(), wording_id, actor=db.operator)
    with arriving(db) as staged:
        staged.load([arrival])
        staged.settle()
        fates = staged.merge(entry)
    outcome = next(
        name for name in ("added", "updated", "unchanged", "suppressed") if getattr(fates, name)
    )
    with db.read() as connection:
        person = people.find_subscriber(connection, parsed.address)
        lists = people.joined(connection, person.id) if person is not None else ()
    stands = next((each.status for each in lists if each.name == list_name), None)
    return AddedSubscriber(parsed.address, list_name, outcome, stands)


def _tag(language: str | None) -> str | None:
    if not language:
        return None
    tag = language_tag(language)
    if tag is None:
        raise ValueError(f"“{language}” is no language tag such as en, fr or pt-BR.")
    return tag

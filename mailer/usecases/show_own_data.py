"""Shows a reader what they may say about themselves: language, open fields, tracking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.contacts.masking import mask_address
from mailer.contacts.spreadsheet import text_of
from mailer.message.links import KeyRing, Purpose
from mailer.model.words import FieldKind, TrackingAnswer
from mailer.ports import Clock
from mailer.store import evidence, people, site
from mailer.store.database import Database
from mailer.usecases.open_link import open_link


@dataclass(frozen=True, slots=True)
class OpenField:
    """One field that the owner opened, with the reader's value as text."""

    name: str
    label: str
    kind: FieldKind
    choices: tuple[str, ...]
    value: str


@dataclass(frozen=True, slots=True)
class OwnDataView:
    """What the page shows; ``address`` is masked. A test copy and an erased person have nothing."""

    test: bool
    known: bool
    address: str
    language: str  # of the mail that led here
    own_language: str  # that is on record, or empty
    fields: Sequence[OpenField]
    tracking: TrackingAnswer


def show_own_data(token: str, *, keys: KeyRing, db: Database, clock: Clock) -> OwnDataView:
    """Reads the link, then what its reader may change. Raises NotFoundError for a wrong token."""
    link = open_link(token, Purpose.preferences, keys=keys, clock=clock)
    with db.read() as connection:
        letter = site.letter(connection, link.campaign, link.subscriber)
        language = letter.language if letter else ""
        person = None if link.test else people.subscriber(connection, link.subscriber)
        if person is None:
            return OwnDataView(link.test, False, "", language, "", (), TrackingAnswer.unknown)
        fields = [
            OpenField(
                each.name,
                each.label or each.name.replace("_", " ").capitalize(),
                each.type.kind,
                each.type.choices,
                text_of(person.fields.get(each.name)),
            )
            for each in people.open_fields(connection)
        ]
        tracking = evidence.tracking_answer(connection, person.id)
    return OwnDataView(
        test=False,
        known=True,
        address=mask_address(person.address),
        language=language,
        own_language=person.language or "",
        fields=fields,
        tracking=tracking,
    )

"""Renders what one reader would get: the mail, its two parts, and the web version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from mailer.compose.compose import Composed
from mailer.compose.reading import Brand
from mailer.errors import InputError, NotFoundError
from mailer.message.compiled import Letterhead, PersonHeaders, compile_message
from mailer.message.headers import format_date
from mailer.message.mailbox import Mailbox, parse_mailbox
from mailer.model.words import FieldKind, Picture, SiteFile
from mailer.ports import Clock, Folder
from mailer.store import people
from mailer.store.database import Database
from mailer.usecases.check_issue import check_issue
from mailer.usecases.compose_issue import IssueFolder, variant_for, web_address


@dataclass(frozen=True, slots=True)
class Rendered:
    """One reader's mail, in one language. ``message`` is the bytes that would go on the wire."""

    language: str
    subject: str
    html: str
    text: str
    web_page: str
    message: bytes
    served: tuple[Picture | SiteFile, ...]  # pictures, and files that the mail links to
    site_url: str  # where the pages look for them


def render_issue(
    issue: IssueFolder,
    *,
    as_address: str | None,
    language: str | None = None,
    db: Database,
    layouts: Callable[[str], Folder],
    brand: Brand,
    clock: Clock,
) -> Sequence[Rendered]:
    """Renders an issue for somebody on file, or for an invented reader without any field.

    In the given language; else in the one that this person gets; else, for the invented reader,
    in each, the default first.

    Raises InputError when the issue has errors or the reader lacks a value that it needs,
    NotFoundError when nobody has that address, or the issue is not written in that language.
    """
    with db.read() as connection:
        fields = people.field_kinds(connection)
        person = people.find_subscriber(connection, as_address) if as_address else None
    if as_address and person is None:
        raise NotFoundError(f"Nobody has the address {as_address}.")
    report = check_issue(issue, layouts=layouts, brand=brand, fields=fields, language=language)
    if not report.variants:
        raise InputError(report.errors)
    chosen = report.variants
    if person is not None:
        chosen = [chosen[variant_for(person.language, chosen)]]
    return [_rendered(one, issue, person, fields, brand, clock) for one in chosen]


def _rendered(
    composed: Composed,
    issue: IssueFolder,
    person: Row[Any] | None,
    fields: Mapping[str, FieldKind],
    brand: Brand,
    clock: Clock,
) -> Rendered:
    address = person.address if person is not None else "reader@example.org"
    letterhead = Letterhead(
        sender=_sender(composed.front.sender or brand.sender),
        seed=f"{issue.name} {composed.rendition.language}",
        list_name=brand.organisation,
        list_id="preview.localhost",
        campaign=issue.name,
        web_url=web_address(f"{brand.site_url}/w/preview", composed),
        web_home=f"{brand.site_url}/w/preview",
    )
    # An invented reader has no field at all: what has no default is left blank for him.
    compiled = compile_message(
        composed.rendition, letterhead, fields=fields, blank_ok=person is None
    )
    values = dict(person.fields) if person is not None else {}
    faults = [error.fault for error in compiled.errors(values)]
    if faults:
        raise InputError(faults)
    headers = PersonHeaders(
        to=address,
        message_id="preview@localhost.localdomain",
        date=format_date(clock.now()),
        unsubscribe_url=f"{brand.site_url}/u/preview",
        preferences_url=f"{brand.site_url}/p/preview",
        reconfirm_url=f"{brand.site_url}/c/preview",
        email=address,
    )
    parts = compiled.parts(values, headers)
    return Rendered(
        composed.rendition.language,
        parts.subject,
        parts.html,
        parts.text,
        compiled.web_page(),
        compiled.merge(values, headers),
        composed.rendition.served,
        brand.site_url,
    )


def _sender(text: str) -> Mailbox:
    return parse_mailbox(text) if text else Mailbox("", "sender@example.org")

"""Renders what one reader would get: the mail, its two parts, and the web version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from mailer.compose.compose import Composed
from mailer.compose.reading import Brand
from mailer.errors import InputError, NotFoundError
from mailer.message.compiled import CompiledMessage, PersonHeaders
from mailer.message.headers import format_date
from mailer.message.links import KeyRing, Purpose, Tokens
from mailer.message.longest import longest_reader, longest_values
from mailer.model.measuring import ClickMode
from mailer.model.words import FieldKind, Picture, SiteFile
from mailer.ports import Clock, Folder
from mailer.store import people
from mailer.store.database import Database
from mailer.usecases.check_issue import check_issue
from mailer.usecases.compile_letter import (
    Addressed,
    Measuring,
    SendingPolicy,
    compile_letter,
)
from mailer.usecases.compose_issue import IssueFolder, variant_for

INVENTED = "reader@example.org"
NO_SENDER = "sender@example.org"  # stands in until somebody is named; a plan refuses to
# A campaign that is not planned yet has no number and no web version. What stands in their place
# is as long as they are, so that every other byte of the mail is where it will be.
UNPLANNED = 0
WEB_KEY = "A" * 22
_TOKEN, _SHORT_TOKEN = "A" * 36, "A" * 28


@dataclass(frozen=True, slots=True)
class Reader:
    """As whom a mail is looked at: somebody on file, or an invented one.

    ``longest`` has a long value for each field; else an invented reader has none at all, and every
    default applies.
    """

    address: str = INVENTED
    values: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    invented: bool = True
    longest: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """One reader's mail, in one language. ``message`` is the bytes that would go on the wire."""

    language: str
    subject: str
    preheader: str
    html: str
    text: str
    web_page: str
    message: bytes
    served: tuple[Picture | SiteFile, ...]  # pictures, and files that the mail links to
    site_url: str  # where the pages look for them
    second: Rendered | None = None  # the same under ``subject_b``, where there is one to test


def render_issue(
    issue: IssueFolder,
    *,
    as_address: str | None,
    language: str | None = None,
    list_name: str | None = None,
    db: Database,
    layouts: Callable[[str], Folder],
    brand: Brand,
    clock: Clock,
    keys: KeyRing | None,
    sending: SendingPolicy,
) -> Sequence[Rendered]:
    """Renders an issue for somebody on file, or for an invented reader without any field.

    In the given language; else in the one that this person gets; else, for the invented reader,
    in each, the default first. ``list_name`` is the list that it will go to, which the headers
    name.

    Raises InputError when the issue has errors or the reader lacks a value that it needs,
    NotFoundError when nobody has that address, or the issue is not written in that language.
    """
    with db.read() as connection:
        fields = people.field_kinds(connection)
        reader = find_reader(connection, as_address) if as_address else Reader()
        addressed = find_addressed(connection, list_name, brand)
    report = check_issue(issue, layouts=layouts, brand=brand, fields=fields, language=language)
    if not report.variants:
        raise InputError(report.errors)
    chosen = report.variants
    if not reader.invented:
        chosen = [chosen[variant_for(reader.language, chosen)]]
    now, found = clock.now(), []
    for one in chosen:
        first, *second = (
            render_variant(
                each,
                issue=issue,
                reader=reader,
                addressed=addressed,
                fields=fields,
                keys=keys,
                sending=sending,
                now=now,
            )
            for each in (one, *(s for s in report.seconds if s.front.lang == one.front.lang))
        )
        found.append(replace(first, second=second[0] if second else None))
    return found


def find_reader(connection: Connection, address: str) -> Reader:
    """Somebody on file. Raises NotFoundError."""
    person = people.find_subscriber(connection, address)
    if person is None:
        raise NotFoundError(f"Nobody has the address {address}.")
    return Reader(person.address, dict(person.fields), person.language, invented=False)


def find_addressed(connection: Connection, name: str | None, brand: Brand) -> Addressed:
    """The list of this name; without a name, one that stands in. Raises NotFoundError."""
    if name is None:
        return Addressed(brand.organisation, "preview")
    found = people.find_list(connection, name)
    return Addressed(found.title, found.slug)


def render_variant(
    composed: Composed,
    *,
    issue: IssueFolder,
    reader: Reader,
    addressed: Addressed,
    fields: Mapping[str, FieldKind],
    keys: KeyRing | None,
    sending: SendingPolicy,
    now: datetime,
) -> Rendered:
    """Renders one language of a composed issue as a plan and a send would, at a moment.

    The links are those of a campaign that is not planned: they open, and change nothing. Raises
    InputError when the reader lacks a value, and SettingsError when the mail can't be signed.
    """
    if not composed.front.sender:
        composed = replace(composed, front=replace(composed.front, sender=NO_SENDER))
    letter = compile_letter(
        composed,
        issue=issue,
        mailing_list=addressed,
        web_home=f"{sending.site_url}/w/{WEB_KEY}",
        fields=fields,
        # An invented reader has no field at all: what has no default is left blank for them.
        blank_ok=reader.invented,
        sending=sending,
        measuring=_totals(composed, keys, sending),
    )
    compiled = letter.compiled
    values, headers = _person(reader, compiled, letter.domain, keys, sending.site_url, now)
    faults = [error.fault for error in compiled.errors(values)]
    if faults and reader.longest:  # a long text is no address, for one
        values = {}
        faults = [error.fault for error in compiled.errors(values)]
    if faults:
        raise InputError(faults)
    message = compiled.merge(values, headers)
    signer = sending.signing.signer() if sending.signing else None
    if signer is not None:
        message = signer.sign(message, int(now.timestamp()))
    parts = compiled.parts(values, headers)
    return Rendered(
        composed.rendition.language,
        parts.subject,
        parts.preheader,
        parts.html,
        parts.text,
        compiled.web_page(),
        message,
        composed.rendition.served,
        sending.site_url,
    )


def _totals(composed: Composed, keys: KeyRing | None, sending: SendingPolicy) -> Measuring | None:
    """Links as a campaign would have them; by person nobody is measured who is not on its list."""
    if keys is None or sending.clicks_of(composed) is not ClickMode.totals:
        return None
    return Measuring(keys, keys.key_id, UNPLANNED, ClickMode.totals)


def _person(
    reader: Reader,
    compiled: CompiledMessage,
    domain: str,
    keys: KeyRing | None,
    site_url: str,
    now: datetime,
) -> tuple[Mapping[str, Any], PersonHeaders]:
    values = longest_values(compiled.kinds) if reader.longest else reader.values
    address = longest_reader(site_url).to if reader.longest else reader.address
    if keys is None:  # no secret key is set yet
        links = dict.fromkeys(Purpose, _TOKEN)
        message_id = f"{_SHORT_TOKEN}@{domain}"
    else:
        tokens = Tokens(keys, UNPLANNED, keys.key_id)
        wanted = (Purpose.unsubscribe, Purpose.preferences, Purpose.reconfirm)
        links = {each: tokens.link(each, 0) for each in wanted}
        message_id = f"{tokens.of(0)[2]}@{domain}"
    return values, PersonHeaders(
        to=address,
        message_id=message_id,
        date=format_date(now),
        unsubscribe_url=f"{site_url}/u/{links[Purpose.unsubscribe]}",
        preferences_url=f"{site_url}/p/{links[Purpose.preferences]}",
        reconfirm_url=f"{site_url}/c/{links[Purpose.reconfirm]}",
        email=address,
    )

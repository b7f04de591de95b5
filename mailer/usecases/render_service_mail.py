"""Renders what the site writes to one person: confirmation, welcome, goodbye."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mailer.compose.compose import Composed, compose_issue
from mailer.compose.languages import lookups
from mailer.compose.layout import load_layout, stack
from mailer.compose.reading import Brand
from mailer.errors import InputError
from mailer.message.compiled import Letterhead, PersonHeaders, compile_message
from mailer.message.headers import format_date
from mailer.message.mailbox import HeaderError, Mailbox, parse_mailbox
from mailer.model.words import FieldKind, Picture, ServiceMail, SiteFile
from mailer.ports import Clock, Folder
from mailer.usecases.compose_issue import steered

SERVICE = "service"  # the layout whose mails they are
_DEFAULT = "en"
# What their words may say beside what every mail may say.
_FIELDS = {"action_url": FieldKind.text, "valid_days": FieldKind.number}


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why somebody is written to, and where the mail leads."""

    list_title: str
    action_url: str  # where its button leads
    valid_days: int = 7
    unsubscribe_url: str = ""
    preferences_url: str = ""


@dataclass(frozen=True, slots=True)
class RenderedServiceMail:
    """One mail. ``message`` is what goes on the wire; the site must serve what it shows."""

    language: str
    subject: str
    html: str
    text: str
    message: bytes
    served: tuple[Picture | SiteFile, ...]


def render_service_mail(
    kind: ServiceMail,
    occasion: Occasion,
    *,
    to: str,
    language: str,
    message_id: str,
    layouts: Callable[[str], Folder],
    brand: Brand,
    clock: Clock,
    layout: str = SERVICE,
) -> RenderedServiceMail:
    """Takes the words in the reader's language, else English; composes, compiles and fills them.

    ``to`` is a parsed address, ``message_id`` has no brackets. The mail says that no person wrote
    it to a list: it has no List-* headers. Raises InputError with file and line of what is wrong
    with the layout or its words, or when nobody is named as the sender; HeaderError for a reader's
    address that no header can hold.
    """
    files = stack(layout, layouts)
    name = _file(kind, language, files.names("mails/"))
    composed = steered(
        partial(
            compose_issue,
            files.text(name),
            where=files.where(name),
            read_picture=files.data,
            layout=lambda named: load_layout(stack(named, layouts), name=named, whole=False),
            picture_url=lambda picture: f"{brand.site_url}/i/{picture}",
            brand=brand,
        ),
        layout,
        layouts,
    )
    compiled = compile_message(
        composed.rendition,
        Letterhead(
            sender=_sender(composed, brand),
            seed=f"{kind} {composed.front.lang}",
            list_name=occasion.list_title,
            bulk=False,
            automatic=True,
        ),
        fields=_FIELDS,
        blank_ok=True,  # of the web version, which nobody sees
    )
    values = {"action_url": occasion.action_url, "valid_days": occasion.valid_days}
    headers = PersonHeaders(
        to=to,
        message_id=message_id,
        date=format_date(clock.now()),
        unsubscribe_url=occasion.unsubscribe_url,
        preferences_url=occasion.preferences_url,
        email=to,
    )
    faults = [error.fault for error in compiled.errors(values)]
    if faults:
        raise InputError(faults)
    parts = compiled.parts(values, headers)
    return RenderedServiceMail(
        composed.front.lang,
        parts.subject,
        parts.html,
        parts.text,
        compiled.merge(values, headers),
        composed.rendition.served,
    )


def _file(kind: ServiceMail, language: str, names: Sequence[str]) -> str:
    known = {name.lower(): name for name in names}
    for tag in (*lookups(language or _DEFAULT), _DEFAULT):
        if found := known.get(f"mails/{kind}.{tag}.md"):
            return found
    raise InputError(
        f"The layout has no words for a {kind}.", hint=f"Write mails/{kind}.{_DEFAULT}.md in it."
    )


def _sender(composed: Composed, brand: Brand) -> Mailbox:
    sender = composed.front.sender or brand.sender
    if not sender:
        raise InputError("Nobody is named as the sender.", hint="Set MAILER_FROM.")
    try:
        return parse_mailbox(sender)
    except HeaderError as error:
        raise InputError(f"The sender can't be used: {error}") from error

"""Builds renditions and letterheads for this room, with as little as a test must say."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailer.message.compiled import CompiledMessage, Letterhead, PersonHeaders, compile_message
from mailer.message.mailbox import Mailbox
from mailer.model.words import FieldKind, Rendition, Slot, SlotKind

FIELDS: Mapping[str, FieldKind] = {
    "first_name": FieldKind.text,
    "city": FieldKind.text,
    "website": FieldKind.text,
    "visits": FieldKind.number,
    "born": FieldKind.date,
    "member": FieldKind.yesno,
    "topics": FieldKind.list,
}
LETTERHEAD = Letterhead(
    sender=Mailbox("Tidewater", "news@example.org"),
    seed="campaign 1, variant 1",
    reply_to=Mailbox("", "office@example.org"),
    list_name="Harbour news",
    list_id="harbour.example.org",
    campaign="november",
    web_url="https://example.org/w/abc",
    feedback_id="1:1:list:tidewater",
)
ZOE = PersonHeaders(
    to="zoe@example.net",
    message_id="m1@example.org",
    date="Tue, 24 Nov 2026 09:00:00 +0000",
    unsubscribe_url="https://example.org/u/AbC-_123",
    preferences_url="https://example.org/p/AbC-_123",
    unsubscribe_mailto="mailto:leave@example.org",
    email="zoe@example.net",
)
_LIFTED = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}", re.DOTALL)


class Pen:
    """Lifts expressions out of the texts of one rendition, as compose does."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []

    def lift(self, text: str) -> str:
        """Replaces ``{{ … }}`` and ``{% … %}`` by sentinels; the n-th stands in line n."""

        def sentinel(found: re.Match[str]) -> str:
            number = len(self.slots) + 1
            kind = SlotKind.tag if found[1] is None else SlotKind.value
            source = (found[2] if found[1] is None else found[1]).strip()
            name = f"q7f3an{number}z"
            self.slots.append(Slot(name, kind, source, "issue.md", number))
            return name

        return _LIFTED.sub(sentinel, text)


def rendition(
    *,
    subject: str = "Harbour news",
    preheader: str = "Boats and more",
    html: str = "<p>Hello</p>\n",
    text: str = "Hello\n",
    web_html: str = "<p>Hello</p>\n",
    language: str = "en",
) -> Rendition:
    """A rendition whose texts are written with the expressions still in them."""
    pen = Pen()
    texts = [pen.lift(each) for each in (subject, preheader, text, html, web_html)]
    return Rendition(
        subject=texts[0],
        preheader=texts[1],
        text=texts[2],
        html=texts[3],
        web_html=texts[4],
        slots=tuple(pen.slots),
        language=language,
        direction="ltr",
    )


def letter(
    *,
    letterhead: Letterhead = LETTERHEAD,
    fields: Mapping[str, FieldKind] = FIELDS,
    blank_ok: bool = False,
    **texts: str,
) -> CompiledMessage:
    """A compiled message; see ``rendition`` for its texts."""
    return compile_message(rendition(**texts), letterhead, fields=fields, blank_ok=blank_ok)


def slots(*sources: str) -> tuple[Slot, ...]:
    """Slots as they are written: ``{{ a }}`` or ``{% if a %}``, one on each line of the source."""
    pen = Pen()
    for source in sources:
        pen.lift(source)
    return tuple(pen.slots)

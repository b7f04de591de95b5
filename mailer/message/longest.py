"""Invents the reader with the longest values, and says how much room each of them takes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailer.message.compiled import CompiledMessage
from mailer.message.contexts import Hole
from mailer.message.letterhead import STAND_IN, PersonHeaders
from mailer.message.program import Program
from mailer.message.values import Value
from mailer.model.words import FieldKind, SlotKind

# 54 letters, 64 octets: a name as long as a passport has it, with letters beyond ASCII.
TEXT = "Maximiliane-Ægidia Þórgunnur Ölschläger-Müßigbrodt-Íñi"
LIST = (TEXT,) * 8
_VALUES: Mapping[FieldKind, Value] = {
    FieldKind.text: TEXT,
    FieldKind.number: 1234567890123.45,
    FieldKind.date: "2026-09-30",  # a Wednesday in September
    FieldKind.yesno: True,
    FieldKind.list: list(LIST),
}
_LOCAL = "maximiliane.oelschlaeger-muessigbrodt.presse-und-medien"
# Links as long as ours are: a path, and a token of 36 characters.
_TOKEN = "A" * 36
_APART = "\x00"
_LOOP = re.compile(r"for\s+(\w+)\s+in\b")


def longest_values(kinds: Mapping[str, FieldKind]) -> dict[str, Value]:
    """Returns a long value for each field."""
    return {name: _VALUES[kind] for name, kind in kinds.items()}


def longest_reader(site_url: str) -> PersonHeaders:
    """Returns the headers of a reader with a long address and links of full length."""
    address = f"{_LOCAL}@kommunikation.example.org"
    return PersonHeaders(
        to=address,
        message_id=f"{_TOKEN}@example.org",
        date=STAND_IN.date,
        unsubscribe_url=f"{site_url}/u/{_TOKEN}",
        preferences_url=f"{site_url}/p/{_TOKEN}",
        reconfirm_url=f"{site_url}/c/{_TOKEN}",
        email=address,
    )


def widths(
    compiled: CompiledMessage, values: Mapping[str, Value], person: PersonHeaders
) -> dict[str, int]:
    """Returns for each value slot of the HTML part how many octets its longest value takes.

    Each expression is evaluated by itself, outside of the condition around it.
    """
    holes = [each for each in compiled.html.segments if isinstance(each, Hole)]
    loops = {
        found.group(1): TEXT
        for hole in holes
        if hole.slot.kind is SlotKind.tag and (found := _LOOP.match(hole.slot.source.strip()))
    }
    wanted = [hole for hole in holes if hole.slot.kind is SlotKind.value]
    program = Program(
        [piece for hole in wanted for piece in (hole, _APART)],
        quoted=False,
        kinds=compiled.kinds,
        language=compiled.language,
        blank_ok=True,
    )
    names = {
        **values,
        **loops,
        **compiled.public,
        "email": person.email or person.to,
        "unsubscribe_url": person.unsubscribe_url,
        "preferences_url": person.preferences_url,
        "reconfirm_url": person.reconfirm_url,
    }
    rendered = program.render(names, []).split(_APART)
    sizes: dict[str, int] = {}
    for hole, text in zip(wanted, rendered, strict=False):
        size = len(text.encode())
        sizes[hole.slot.sentinel] = max(size, sizes.get(hole.slot.sentinel, 0))
    return sizes

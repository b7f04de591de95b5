"""What a rule may look at: the issue as written, as rendered, and as the longest reader gets it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from lxml import etree

from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from mailer.compose.rules.audiences import EVERYONE, Audience
from mailer.compose.rules.boxes import Run, runs_of
from mailer.compose.rules.features import Use, used_features
from mailer.compose.rules.stylesheet import Sheet, sheets_of
from mailer.model.words import Slot, SlotKind, Trail

# One character for one character, so that offsets into the source hold.
_PLAIN = str.maketrans("“”„«»‘’‚–—\u00a0\u202f", '"""""\'\'\'--  ')
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Letter:
    """The mail of the invented reader with the longest values.

    ``message`` is the bytes that would go on the wire. ``widths`` says for each value slot of the
    HTML how many octets its longest value takes.
    """

    subject: str
    preheader: str
    html: str
    text: str
    message: bytes
    widths: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """One composed issue. ``trails`` says where its links led, if somebody followed them."""

    composed: Composed
    letter: Letter | None = None
    audience: Audience = EVERYONE
    trails: Mapping[str, Trail] | None = None

    @cached_property
    def known(self) -> dict[str, Slot]:
        return {slot.sentinel: slot for slot in self.composed.rendition.slots}

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self.known)) or r"(?!)")

    @cached_property
    def root(self) -> etree._Element:
        return parse(self.composed.rendition.html)

    @cached_property
    def body(self) -> etree._Element:
        found = self.root.find("body")
        return found if found is not None else self.root

    @cached_property
    def runs(self) -> list[Run]:
        """Every stretch of text in the order of reading, with how it looks."""
        return runs_of(self.body)

    @cached_property
    def sheets(self) -> list[Sheet]:
        """Every style block that mail programs other than Outlook for Windows read."""
        return sheets_of(self.root)

    @cached_property
    def links(self) -> list[tuple[etree._Element, str, str]]:
        """Every link with its target and its words."""
        return [
            (link, link.get("href") or "", squeezed("".join(link.itertext())))
            for link in self.root.iter("a")
        ]

    @cached_property
    def uses(self) -> dict[str, Use]:
        """Every feature of HTML and CSS that it uses."""
        return used_features(self.root, self.sheets)

    @cached_property
    def _plain(self) -> str:
        return self.composed.source.translate(_PLAIN)

    def line(self, fragment: str) -> int | None:
        """Returns the first line of the issue that holds a text; None if the layout wrote it.

        Quotes and dashes of the typographer count as the plain ones. Where the whole is not found,
        because markup stands inside of it, its first words are looked for.
        """
        wanted = self.pattern.split(fragment)[0] if self.known else fragment
        wanted = wanted.translate(_PLAIN).strip() or fragment.strip()
        for piece in _shorter(wanted):
            at = self._plain.find(piece)
            if at >= 0:
                return self._plain.count("\n", 0, at) + 1
        return None

    def exact_line(self, fragment: str) -> int | None:
        """Returns the first line of the issue that holds exactly this text."""
        at = self.composed.source.find(fragment) if fragment else -1
        return self.composed.source.count("\n", 0, at) + 1 if at >= 0 else None

    def slots(self, text: str) -> list[Slot]:
        """Returns the slots that stand in a text, in order, each once."""
        return [self.known[each] for each in dict.fromkeys(self.pattern.findall(text))]

    def bare(self, text: str) -> str:
        """Returns a text without its slots."""
        return self.pattern.sub("", text)

    def shown(self, text: str) -> str:
        """Returns a text with each slot as the author wrote it, for a message."""
        return self.pattern.sub(lambda each: self._written(self.known[each.group()]), text)

    def begins_personal(self, href: str) -> bool:
        """Says whether an address is known only per person."""
        found = self.slots(href)
        tags = any(slot.kind is SlotKind.tag for slot in found)
        return tags or (bool(found) and href.startswith(found[0].sentinel))

    @staticmethod
    def _written(slot: Slot) -> str:
        return f"{{{{ {slot.source} }}}}" if slot.kind is SlotKind.value else ""


def squeezed(text: str) -> str:
    """Returns a text with single blanks and none at its ends."""
    return " ".join(text.split())


def _shorter(text: str) -> list[str]:
    """A text, then its first six words, then its first three; never fewer, or they'd mislead."""
    words = list(_WORD.finditer(text))
    pieces = [text] if text else []
    for many in (6, 3):
        if len(words) > many:
            pieces.append(text[: words[many - 1].end()])
    return pieces

"""Scans HTML around the sentinels, and tells for each in what context it stands.

The document is not parsed into a tree: the bytes between the sentinels are final. What stands
inside of an MSO conditional comment is scanned like the rest, because Outlook reads it as HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mailer.errors import Fault
from mailer.message.contexts import Context, Cutter, Hole, Segment
from mailer.model.words import Slot, SlotKind

RULE = "merge"

_URL_ATTRIBUTES = frozenset(
    {"href", "src", "background", "action", "formaction", "poster", "cite", "data", "xlink:href"}
)
_TOKEN = re.compile(
    r"""
      (?P<opens><!--\[if[^\]>]*\]>(?:<!-->|-->)?)        # <!--[if mso]>, <!--[if !mso]><!-->
    | (?P<closes><!--<!\[endif\]-->|<!\[endif\]-->)
    | (?P<comment><!--(?P<inside>.*?)(?:-->|\Z))
    | (?P<tag></?(?P<name>[A-Za-z][^\s/>]*)(?P<rest>(?:[^"'>]|"[^"]*"|'[^']*')*+)>)
    | (?P<other><[!?/][^>]*>)
    """,
    re.VERBOSE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'<>]+)""")
_RAW = ("style", "script")  # nothing is a tag inside of them, and no value may stand there
_PLAIN = ("title", "textarea")  # nothing is a tag inside of them, but text is text


def html_segments(
    document: str, cutter: Cutter, each_tag: Callable[[str], list[Segment]] = lambda tag: [tag]
) -> tuple[list[Segment], list[Fault]]:
    """Cuts a document into constants and holes; the faults name slots that can't stand there.

    ``each_tag`` is given every tag in which no slot stands, and says what is to stand there.
    """
    scanner = _Scanner(cutter, each_tag)
    scanner.run(document)
    return scanner.segments, scanner.faults


@dataclass(slots=True)
class _Scanner:
    cutter: Cutter
    each_tag: Callable[[str], list[Segment]]
    segments: list[Segment] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    homes: int = 0
    mso: int = 0  # the home of the MSO conditional comment around, or 0

    def run(self, document: str) -> None:
        at = 0
        while found := _TOKEN.search(document, at):
            self._text(document[at : found.start()], self.mso)
            at = found.end()
            if found["opens"]:
                self.segments.append(found.group())
                # With `-->` at its end every client reads what follows; else Outlook alone.
                self.mso = 0 if found.group().endswith("-->") else self._home()
            elif found["closes"]:
                self.segments.append(found.group())
                self.mso = 0
            elif found["comment"]:
                self._comment(found)
            elif found["tag"]:
                self._tag(found)
                at = self._content(document, at, found)
            else:
                self._nowhere(found.group(), "a declaration")
        self._text(document[at:], self.mso)

    def _home(self) -> int:
        self.homes += 1
        return self.homes

    def _text(self, text: str, home: int) -> None:
        for piece in self.cutter.cut(text):
            self.segments.append(
                piece if isinstance(piece, str) else Hole(piece, Context.html, home)
            )

    def _comment(self, found: re.Match[str]) -> None:
        pieces = self.cutter.cut(found["inside"].strip())
        if not pieces or any(not isinstance(p, Slot) or p.kind is not SlotKind.tag for p in pieces):
            self._nowhere(found.group(), "a comment")
            return
        for slot in pieces:
            if isinstance(slot, Slot):
                if self.mso:
                    self._fault(slot, "can't stand inside of a part that only Outlook reads.")
                self.segments.append(Hole(slot, Context.html, self.mso))

    def _content(self, document: str, at: int, found: re.Match[str]) -> int:
        """Takes what stands inside of a style sheet, script or title; returns where it ends."""
        name = found["name"].lower()
        if found.group().startswith("</") or name not in (*_RAW, *_PLAIN):
            return at
        end = re.compile(rf"</{name}\b", re.IGNORECASE).search(document, at)
        stop = end.start() if end else len(document)
        if name in _RAW:
            self._nowhere(document[at:stop], f"<{name}>")
        else:
            self._text(document[at:stop], self._home())
        return stop

    def _tag(self, found: re.Match[str]) -> None:
        """Takes a tag: a slot may stand in a quoted value only."""
        tag = found.group()
        if not any(isinstance(piece, Slot) for piece in self.cutter.cut(tag)):
            self.segments += self.each_tag(tag)
            return
        at = 0
        offset = found.start("rest") - found.start()
        for attribute in _ATTRIBUTE.finditer(tag, offset, len(tag) - 1):
            self._nowhere(tag[at : attribute.start(3)], "a tag's or an attribute's name")
            value = attribute[3]
            if value[0] in "\"'":
                self.segments.append(value[0])
                self._attribute(attribute[1].lower(), value[1:-1], tag)
                self.segments.append(value[0])
            else:
                self._nowhere(value, "a value without quotes")
            at = attribute.end()
        self._nowhere(tag[at:], "a tag's or an attribute's name")

    def _attribute(self, name: str, value: str, tag: str) -> None:
        home = self._home()
        pieces = self.cutter.cut(value)
        holds_value = any(isinstance(p, Slot) and p.kind is SlotKind.value for p in pieces)
        refresh = name == "content" and "http-equiv" in tag.lower()
        if holds_value and (name in ("style", "srcset", "srcdoc") or name[:2] == "on" or refresh):
            self._nowhere(value, f"the attribute `{name}`")
            return
        contexts = _url_contexts(pieces) if name in _URL_ATTRIBUTES else None
        for number, piece in enumerate(pieces):
            if isinstance(piece, str):
                self.segments.append(piece)
            else:
                context = contexts[number] if contexts else Context.attribute
                self.segments.append(Hole(piece, context, home))

    def _nowhere(self, text: str, place: str) -> None:
        """Keeps constant text, and reports each slot that stands in it."""
        for piece in self.cutter.cut(text):
            if isinstance(piece, str):
                self.segments.append(piece)
            else:
                self._fault(piece, f"can't stand in {place}.")

    def _fault(self, slot: Slot, what: str) -> None:
        self.faults.append(
            Fault(f"`{slot.source.strip()}` {what}", slot.file, slot.line, None, RULE)
        )


def _url_contexts(pieces: Iterable[str | Slot]) -> list[Context]:
    """Tells for each piece of a URL whether a value there begins the URL, or is a part of it.

    Each branch of a condition begins where the condition began.
    """
    contexts = []
    begun = False
    branches: list[list[bool]] = []  # whether it had begun: at the opening tag; after any branch
    for piece in pieces:
        contexts.append(Context.url_part if begun else Context.url)
        if isinstance(piece, str):
            begun = begun or bool(piece.strip())
            continue
        word = piece.source.split(None, 1)[0] if piece.kind is SlotKind.tag else ""
        if not word:
            begun = True
        elif word in ("if", "for"):
            branches.append([begun, begun])
        elif word in ("elif", "else") and branches:
            branches[-1][1] |= begun
            begun = branches[-1][0]
        elif branches:
            begun = branches.pop()[1] or begun
    return contexts

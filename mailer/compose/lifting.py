"""Lifts merge expressions out of an issue before Markdown and MJML can spoil them.

``{{ … }}`` and ``{% … %}`` become sentinels of letters and digits; ``{# … #}`` is dropped.
Nothing is evaluated here: what an expression means is the message's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from mailer.errors import Fault
from mailer.model.words import Slot, SlotKind

_OPEN = re.compile(r"\{\{|\{%|\{#|\}\}|%\}|#\}")
# What may stand in an expression: strings on one line, and anything that does not close it.
# A string is taken whole, so that `{{ "}}" }}` is one expression.
# It is bounded, so that a page of open braces costs no more than a page of text.
_STRINGS = r"""\"(?:\\.|[^\"\\\n]){0,2000}+\"|'(?:\\.|[^'\\\n]){0,2000}+'"""
_VALUE_END = re.compile(rf"""(?:{_STRINGS}|[^"'}}]|\}}(?!\}})){{0,2000}}?\}}\}}""")
_TAG_END = re.compile(rf"""(?:{_STRINGS}|[^"'%]|%(?!\}})){{0,2000}}?%\}}""")
_MOST_FAULTS = 20  # then the rest is taken as text
_QUOTED_KEY = re.compile(r"""[A-Za-z_]+[ \t]*:[ \t]+(["'])""")
OPENERS = {"if": "endif", "for": "endfor"}
_MIDDLES = {"elif": "if", "else": "if"}
_CLOSERS = {"endif": "if", "endfor": "for"}


@dataclass(frozen=True, slots=True)
class Lifted:
    """Text without expressions; ``numbers`` holds the author's line for each of its lines."""

    text: str
    numbers: tuple[int, ...]


@dataclass(slots=True)
class Lifter:
    """Hands out sentinels and remembers what each stands for, in the order of the source."""

    where: str
    prefix: str
    faults: list[Fault]
    slots: dict[str, Slot] = field(default_factory=dict)

    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._pattern = re.compile(f"{self.prefix}[0-9]+z")

    def take(self, kind: SlotKind, source: str, line: int, *, file: str | None = None) -> str:
        """Registers an expression and returns its sentinel."""
        sentinel = f"{self.prefix}{len(self.slots) + 1}z"
        self.slots[sentinel] = Slot(sentinel, kind, source, file or self.where, line)
        return sentinel

    def found(self, text: str) -> list[Slot]:
        """Returns the slots whose sentinels stand in a text, in order."""
        if self.prefix not in text:
            return []
        return [self.slots[each] for each in self._pattern.findall(text) if each in self.slots]

    def tags(self, text: str) -> list[Slot]:
        """Returns the tag slots of a text, in order."""
        return [slot for slot in self.found(text) if slot.kind is SlotKind.tag]

    def bare(self, text: str, *, value: str = "") -> str:
        """Returns a text without tags, and with ``value`` in the place of each expression."""
        if self.prefix not in text:
            return text
        return self._pattern.sub(
            lambda m: (
                value
                if m.group() in self.slots and self.slots[m.group()].kind is SlotKind.value
                else ""
            ),
            text,
        )

    def hollow(self, text: str, filler: str) -> str:
        """Returns a text of the same length in which tags are filled up with one character."""
        if self.prefix not in text:
            return text

        def fill(found: re.Match[str]) -> str:
            slot = self.slots.get(found.group())
            tag = slot is not None and slot.kind is SlotKind.tag
            return filler * len(found.group()) if tag else found.group()

        return self._pattern.sub(fill, text)

    def only_tags(self, line: str) -> list[Slot]:
        """Returns the tags of a line that holds nothing else, or an empty list."""
        if self.prefix not in line or self.bare(line, value="x").strip():
            return []
        return self.tags(line)

    def lift(self, text: str, first_line: int, *, yaml: bool = False) -> Lifted:
        """Replaces every expression; a ``yaml`` text may escape quotes as YAML does."""
        return _Lift(self, text, first_line, yaml).run()


def choose_prefix(texts: Iterable[str]) -> str:
    """Chooses a prefix that occurs in none of the texts; the same texts give the same prefix."""
    joined = "\n".join(texts)
    folded = joined.casefold()
    digest = sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()
    for start in range(len(digest) - 4):
        prefix = f"q{digest[start : start + 4]}n"
        if prefix not in folded:
            return prefix
    number = 0
    while f"q{number}n" in folded:
        number += 1
    return f"q{number}n"


@dataclass(slots=True)
class _Lift:
    lifter: Lifter
    text: str
    first_line: int
    yaml: bool
    pieces: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    at: int = 0
    line: int = 0

    def run(self) -> Lifted:
        self.line = self.first_line
        self.numbers.append(self.first_line)
        before = len(self.lifter.faults)
        while found := _OPEN.search(self.text, self.at):
            if len(self.lifter.faults) - before >= _MOST_FAULTS:
                break
            self._keep(found.start())
            opening = found.group()
            if opening == "{#":
                self._comment(found.end())
            elif opening in ("{{", "{%"):
                self._expression(opening, found.end())
            else:
                if opening != "#}":  # a colour or an anchor may well end so
                    self._fault(f"`{opening}` closes nothing.", "Delete it, or open it before.")
                self._keep(found.end())
        self._keep(len(self.text))
        return Lifted("".join(self.pieces), tuple(self.numbers))

    def _keep(self, end: int) -> None:
        piece = self.text[self.at : end]
        self.pieces.append(piece)
        for _ in range(piece.count("\n")):
            self.line += 1
            self.numbers.append(self.line)
        self.at = end

    def _skip(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end

    def _fault(self, message: str, hint: str) -> None:
        self.lifter.faults.append(
            Fault(message, self.lifter.where, self.line, hint, rule="personal-text")
        )

    def _comment(self, inside: int) -> None:
        end = self.text.find("#}", inside)
        if end < 0:
            self._fault("A comment `{#` never closes.", "Close it with `#}`.")
            self._keep(inside)
            return
        before = self.text.rfind("\n", 0, self.at) + 1
        after = self.text.find("\n", end + 2)
        after = len(self.text) if after < 0 else after
        alone = not self.text[before : self.at].strip() and not self.text[end + 2 : after].strip()
        self._skip(end + 2)
        if alone and after < len(self.text):  # its line goes too, or it would end a paragraph
            self.pieces[-1] = self.pieces[-1].rstrip(" \t")
            self._skip(after + 1)
            self.numbers[-1] = self.line

    def _expression(self, opening: str, inside: int) -> None:
        value = opening == "{{"
        quote = self._yaml_quote()
        ending = _VALUE_END if value else _TAG_END
        if quote == '"':  # the same length, so that offsets hold
            line_end = self.text.find("\n", inside)
            line_end = len(self.text) if line_end < 0 else line_end
            window = self.text[inside:line_end].replace('\\"', ' "')
            found = ending.match(window)
            end = inside + (found.end() if found else 0)
        else:
            found = ending.match(self.text, inside)
            end = found.end() if found else 0
        if found is None:
            self._fault(
                f"`{opening}` never closes.",
                f"Close it with `{'}}' if value else '%}'}`; an odd quote inside hides the end.",
            )
            self._keep(inside)
            return
        source = self.text[inside : end - 2]
        if quote:
            source = source.replace('\\"', '"') if quote == '"' else source.replace("''", "'")
        line = self.line
        trims_left = source[:1] in "-+" and bool(source[:1])
        trims_right = source[-1:] == "-"
        if trims_left and source[0] == "-":
            self.pieces[-1] = self.pieces[-1].rstrip(" \t")
        source = source.lstrip("-+") if trims_left else source
        source = source.removesuffix("-").strip()
        if not source:
            self._fault(f"There is nothing between `{opening}` and its end.", "Name a field.")
        kind = SlotKind.value if value else SlotKind.tag
        self.pieces.append(self.lifter.take(kind, source, line))
        self._skip(end)
        if trims_right:
            while self.text[self.at : self.at + 1] in (" ", "\t"):
                self.at += 1

    def _yaml_quote(self) -> str:
        """Returns the quote in which the value of this front matter line stands, or nothing."""
        if not self.yaml:
            return ""
        start = self.text.rfind("\n", 0, self.at) + 1
        found = _QUOTED_KEY.match(self.text, start, self.at)
        return found.group(1) if found else ""


def check_nesting(
    slots: Iterable[Slot],
    faults: list[Fault],
    *,
    place: str,
    remedy: str = "Close it there, or put both tags on lines of their own around whole blocks.",
    told: Iterable[Slot] = (),
) -> list[Slot]:
    """Reports each tag that does not close within one place: a paragraph, a heading, a value.

    ``told`` are tags that opened before this place, and were reported. Returns what is left open.
    """
    before = list(told)
    opened = list(before)
    for slot in slots:
        if slot.kind is not SlotKind.tag:
            continue
        word = slot.source.split(None, 1)[0] if slot.source else ""
        if word in OPENERS:
            opened.append(slot)
        elif word not in _MIDDLES and word not in _CLOSERS:
            known = "There are `if`, `elif`, `else`, `endif`, `for` and `endfor`."
            faults.append(_at(slot, f"`{{% {word[:40]} %}}` can't be used in an issue.", known))
        elif not opened or not _answers(word, opened[-1]):
            message = f"`{{% {word} %}}` closes nothing in {place} where it stands."
            faults.append(_at(slot, message, remedy))
        elif word in _CLOSERS:
            opened.pop()
    for slot in opened:
        if slot not in before:
            shown = f"`{{% {slot.source[:60]} %}}`"
            message = f"{shown} does not close in {place} where it opened."
            faults.append(_at(slot, message, remedy))
    return opened


def _answers(word: str, opened: Slot) -> bool:
    """Says whether a tag belongs to the one that opened last."""
    kind = opened.source.split(None, 1)[0]
    wanted = _CLOSERS.get(word) or _MIDDLES[word]
    return kind == wanted or (word == "else" and kind == "for")


def _at(slot: Slot, message: str, hint: str) -> Fault:
    return Fault(message, slot.file, slot.line, hint, rule="personal-text")

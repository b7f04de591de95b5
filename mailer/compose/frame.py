"""Carries the frame of an edition over to the next one: its blocks stay, its news goes.

What recurs is kept as it was written: contacts, sponsors, share rows, dividers, the banner,
includes, headings of sections. Every other text becomes a hint, which begins with HINT, so that
the check can name those that are still there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from mailer.compose.block_kinds import BlockKind, OptionKind
from mailer.compose.directives import Block, Body, Option
from mailer.compose.outline import Outline, read_outline
from mailer.errors import Fault, InputError

HINT = "✎"
PLACEHOLDER = "placeholder.jpg"
KEPT = ("contacts", "sponsor", "share", "divider", "banner", "include")
_AS_IT_IS = ("choice", "words", "flag", "zone")
_ALWAYS = ("when", "lang", "dir")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# What no bracket closes is taken whole as well, with no `)` at its end: one try for each place.
_LINK = re.compile(r"\[(?:[^\]\\]|\\.)*+(?:\](\([^)]*+\)?)?)?")
_GREETING = re.compile(r"[^\n{]{0,60}\{\{[^}]*\}\}[^.!?:,\n{]{0,40}[.!?:,]")
_FRONT_KEY = re.compile(r"([a-z_]+)[ \t]*:")
_FRONT = {
    "subject": f"{HINT} What this edition is about, in 40 to 70 characters",
    "preheader": f"{HINT} One sentence that adds to the subject and does not repeat it",
}
# A silence is about one edition's texts, and so is its second subject.
_DROPPED = ("silence", "subject_b")


@dataclass(slots=True)
class Frame:
    """The text of the next edition, and the names of the files that it still shows."""

    text: str
    files: set[str] = field(default_factory=set)
    placeholder: bool = False  # it shows PLACEHOLDER


def next_date(previous: date | None, today: date) -> date:
    """The first day from today on that is whole weeks after the previous edition."""
    if previous is None:
        return today
    weeks = max(1, -(-(today - previous).days // 7))
    return previous + timedelta(weeks=weeks)


def carry_over(
    text: str, where: str, kinds: Mapping[str, BlockKind], *, day: date, moved: timedelta
) -> Frame:
    """Returns the frame of an edition for the next one, dated ``day``.

    Days of events move by ``moved``. Raises InputError for blocks that can't be read, or that the
    layout does not have.
    """
    outline = read_outline(text, where)
    return _Carrier(outline, where, kinds, day, moved).carry()


class _Carrier:
    def __init__(
        self,
        outline: Outline,
        where: str,
        kinds: Mapping[str, BlockKind],
        day: date,
        moved: timedelta,
    ) -> None:
        self.outline, self.where, self.kinds = outline, where, kinds
        self.day, self.moved = day, moved
        self.frame = Frame("")
        self.links = 0
        self.texts = 0

    def carry(self) -> Frame:
        pieces = [self._front()]
        for number, part in enumerate(self.outline.parts):
            if isinstance(part, Body):
                piece = self._plain(part)
            elif part.name in KEPT:
                self._keep_pictures(part)
                piece = self.outline.written(number)
            else:
                piece = "\n".join(self._block(part))
            if piece:
                pieces.append(piece)
        self.frame.text = "\n\n".join(pieces) + "\n"
        return self.frame

    def _front(self) -> str:
        lines: list[str] = []
        skipping = False
        for line in self.outline.lines[: self.outline.head]:
            found = _FRONT_KEY.match(line)
            if found is None:
                if not skipping or line.rstrip() == "---":
                    lines.append(line)
                continue
            key = found[1]
            skipping = key in _FRONT or key in _DROPPED or key == "date"
            if key in _FRONT:
                lines.append(f"{key}: {_FRONT[key]}")
            elif key == "date":
                lines.append(f"date: {self.day.isoformat()}")
            elif not skipping:
                lines.append(line)
        return "\n".join(lines).strip("\n")

    def _plain(self, body: Body) -> str:
        """A heading and a greeting by name stay; everything else between blocks is news."""
        kept = [line for line in body.text.split("\n") if line.startswith("#")]
        greeting = (
            "" if self.texts else (found[0] if (found := _GREETING.search(body.text)) else "")
        )
        self.texts += 1
        what = (
            "Say in two sentences why this edition is worth five minutes."
            if self.texts == 1
            else "A sentence or two that lead on, or delete this line."
        )
        return "\n\n".join([*kept, f"{greeting.strip()} {HINT} {what}".strip()])

    def _block(self, block: Block) -> list[str]:
        kind = self.kinds.get(block.name)
        if kind is None:
            if block.name == "include":
                return [
                    f"{':' * block.colons} include {' '.join(block.options)}",
                    ":" * block.colons,
                ]
            message = f"The layout has no block `{block.name}`."
            raise InputError(Fault(message, self.where, block.line, rule="blocks"))
        fence = ":" * block.colons
        lines = [f"{fence} {block.name}"]
        for name, option in block.options.items():
            value = self._option(kind, name, option)
            if value is not None:
                lines.append(f"{name}: {value}" if value else f"{name}:")
        body = self._body(block, kind)
        if body:
            lines += ["", *body] if kind.body != "blocks" else body
        return [*lines, fence]

    def _body(self, block: Block, kind: BlockKind) -> list[str]:
        if kind.body == "blocks":
            rows: list[str] = []
            for child in block.children:
                if child.name in KEPT:
                    self._keep_pictures(child)
                rows += self._block(child)
            return rows
        if block.body.empty:
            return []
        if block.name in KEPT:
            return block.body.text.strip("\n").split("\n")
        if kind.body == "items":
            hint = f"- **{HINT} The source** told in one sentence [{self._link()}]({self._url()})."
            return [hint]
        if kind.body == "table":
            head = [row for row in block.body.text.split("\n") if row.strip()][:2]
            return [
                *head,
                "| " + " | ".join([HINT] * (head[0].strip().strip("|").count("|") + 1)) + " |",
            ]
        return [f"{HINT} The text. Leave a blank line, and the next paragraph begins."]

    def _option(self, kind: BlockKind, name: str, option: Option) -> str | None:
        """The option's value in the next edition; None when it goes."""
        wanted = kind.options.get(name)
        value = option.value
        if name in _ALWAYS or wanted is None or kind.name in KEPT or wanted.type in _AS_IT_IS:
            return "yes" if value is None else value
        if name == "title" and kind.body in ("items", "blocks"):
            return value
        return self._emptied(wanted, value or "")

    def _emptied(self, wanted: OptionKind, value: str) -> str:
        if wanted.type == "picture":
            self.frame.placeholder = True
            return PLACEHOLDER
        if wanted.type == "moment":
            return _DAY.sub(self._later, value)
        if wanted.type == "url":
            return self._url()
        if wanted.type == "links":
            many = max(1, sum(each.endswith(")") for each in _LINK.findall(value)))
            return " | ".join(f"[{self._link()}]({self._url()})" for _ in range(many))
        hint = wanted.what.rstrip(".") or wanted.name
        return f"{HINT} {hint}"

    def _later(self, found: re.Match[str]) -> str:
        try:
            return (date.fromisoformat(found[0]) + self.moved).isoformat()
        except (ValueError, OverflowError):
            return found[0]

    def _link(self) -> str:
        self.links += 1
        return f"{HINT} Where link {self.links} leads"

    def _url(self) -> str:
        return f"https://example.org/{self.links or 1}"

    def _keep_pictures(self, block: Block) -> None:
        kind = self.kinds.get(block.name)
        for name, option in block.options.items():
            wanted = kind.options.get(name) if kind else None
            if wanted is not None and wanted.type == "picture" and option.value:
                self.frame.files.add(option.value)

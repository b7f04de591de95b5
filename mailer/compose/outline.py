"""Reads an issue as its author sees it: front matter as lines, blocks with their options, text.

Nothing is composed: expressions and includes stand where they were written.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailer.compose.directives import Block, Body, Part, read_blocks
from mailer.compose.lifting import Lifted
from mailer.compose.source import clean, split
from mailer.errors import Fault, InputError


@dataclass(frozen=True, slots=True)
class Outline:
    """An issue's lines, how many of them are front matter with its fences, and its parts."""

    lines: tuple[str, ...]
    head: int
    parts: tuple[Part, ...]

    def start(self, number: int) -> int:
        """Returns the line on which a part begins; one after the last for a part beyond."""
        if number >= len(self.parts):
            return len(self.lines) + 1
        part = self.parts[number]
        return part.line if isinstance(part, Block) else part.numbers[0]

    def written(self, number: int) -> str:
        """Returns a part as it was written."""
        lines = self.lines[self.start(number) - 1 : self.start(number + 1) - 1]
        return "\n".join(lines).strip("\n")


def read_outline(text: str, where: str) -> Outline:
    """Raises InputError when the blocks can't be told apart."""
    faults: list[Fault] = []
    text = clean(text, where, faults)
    halves = split(text, where, faults)
    rows = halves.body.split("\n")
    numbers = tuple(range(halves.body_line, halves.body_line + len(rows)))
    parts = read_blocks(Lifted(halves.body, numbers), where, faults)
    if faults:
        raise InputError(faults)
    return Outline(tuple(text.split("\n")), halves.body_line - 1, tuple(parts))


def label(part: Part) -> str:
    """Returns what people call a part: its block, and the words that tell it from others."""
    if isinstance(part, Body):
        return "text"
    for name in ("headline", "title", "name", "label", "line", "caption"):
        if name in part.options and part.options[name].value:
            return f"{part.name} “{part.options[name].value}”"
    return part.name

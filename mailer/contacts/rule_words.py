"""Cuts a rule's text into words, and knows where each stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from mailer.contacts.rule import LONGEST, Flaw, RuleError


class Shape(StrEnum):
    word = "word"
    text = "text"
    number = "number"
    date = "date"
    sign = "sign"
    end = "end"


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of a rule; ``value`` of a text is without quotes, of a word case-folded."""

    shape: Shape
    value: str
    start: int
    end: int


_SPELLINGS = {"==": "=", "<>": "!=", "≠": "!=", "≤": "<=", "≥": ">=", "[": "(", "]": ")"}
_CLOSING = {'"': '"', "'": "'", "“": "”", "„": "“”", "«": "»", "‘": "’"}  # as people paste them
_PIECE = re.compile(
    r"""
    (?P<blank>\s+)
    | (?P<date>\d{4}-\d{2}-\d{2}(?![\w-]))
    | (?P<number>[+-]?\d+(?:\.\d+)?(?![\w.]))
    | (?P<word>[^\W\d]\w*)
    | (?P<sign><=|>=|!=|<>|==|[=<>≠≤≥().,\[\]])
    | (?P<quote>["'“„«‘])
    """,
    re.VERBOSE,
)


def words(text: str) -> list[Word]:
    """The words of a rule, and one of shape ``end`` behind them. Raises RuleError."""
    if len(text) > LONGEST:
        raise RuleError(
            f"A rule has at most {LONGEST:,} characters; this one has {len(text):,}.",
            hint='Make segments of its parts, and join them: segment("a") and segment("b").',
        )
    if broken := re.search("[\ud800-\udfff]", text):  # what a terminal sent was no UTF-8
        raise RuleError(Flaw("This character is broken.", *broken.span()).fault(text))
    found: list[Word] = []
    place = 0
    while place < len(text):
        piece = _PIECE.match(text, place)
        if piece is None:
            flaw = Flaw(f"“{text[place]}” means nothing here.", place, place + 1)
            raise RuleError(flaw.fault(text))
        kind, start, place = piece.lastgroup, place, piece.end()
        if kind == "quote":
            value, place = _quoted(text, start)
            found.append(Word(Shape.text, value, start, place))
        elif kind != "blank":
            value = piece.group()
            value = value.casefold() if kind == "word" else _SPELLINGS.get(value, value)
            found.append(Word(Shape(str(kind)), value, start, place))
    found.append(Word(Shape.end, "", len(text.rstrip()), len(text.rstrip()) + 1))
    return found


def _quoted(text: str, start: int) -> tuple[str, int]:
    """A text in quotes: what it says, and where it ends. A backslash takes its meaning away."""
    closing = _CLOSING[text[start]]
    said: list[str] = []
    place = start + 1
    while place < len(text) and text[place] not in closing:
        if text[place] == "\\" and place + 1 < len(text):
            place += 1
        if text[place] < " ":
            flaw = Flaw("A text can't hold a control character or a line end.", place, place + 1)
            raise RuleError(flaw.fault(text))
        said.append(text[place])
        place += 1
    if place >= len(text):
        flaw = Flaw("This quote never closes.", start, start + 1, f"Put {closing[-1]} behind it.")
        raise RuleError(flaw.fault(text))
    return "".join(said), place + 1

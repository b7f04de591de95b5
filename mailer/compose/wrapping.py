"""Wraps plain text by the columns that it takes on a screen, in any script.

Han, kana and hangul take two columns and may break between any two characters, but for a few signs
that must not begin or end a line (JIS X 4051, GB/T 15834); combining marks take none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from unicodedata import bidirectional, category, east_asian_width

WIDTH = 72  # leaves room for quotation marks in a reply (RFC 3676 section 4.2: at most 78)
_NEVER_FIRST = frozenset("、。，．！？：；）］｝〉》」』】〕〗’”…‥ー々・％")
_NEVER_LAST = frozenset("（［｛〈《「『【〔〖‘“￥＄")
_BLANKS = re.compile(r"[ \t\n\r\f\v]+")  # not the no-break ones
_NUMBER = re.compile(r"\[[0-9]+\][^\w\s]*\Z")  # of a link: it stays with the word before it
_LRM, _RLM = "\u200e", "\u200f"


def columns(text: str) -> int:
    """Returns how many columns a text takes in a fixed-width font."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def wrapped(text: str, width: int = WIDTH, *, first: str = "", later: str = "") -> list[str]:
    """Wraps a paragraph; an address is never broken, a line break of the author's stays."""
    lines: list[str] = []
    for piece in text.split("\n"):
        indent = later if lines else first
        if len(indent) + len(piece) <= width and piece.isascii() and indent.isascii():
            words = " ".join(word for word in _BLANKS.split(piece) if word)
            lines.append(indent + words if words else indent.rstrip())
            continue
        line, used = indent, columns(indent)
        empty = True
        for glue, chunk in _chunks(piece):
            glue = "" if empty else glue
            size = columns(chunk)
            if not empty and used + len(glue) + size > width:
                lines.append(line)
                line, used, glue = later, columns(later), ""
            line += glue + chunk
            used += len(glue) + size
            empty = False
        lines.append(line if not empty else line.rstrip())
    return lines


def _chunks(text: str) -> Iterable[tuple[str, str]]:
    """Yields what must stay on one line, each with what joins it to the one before."""
    held: tuple[str, str] | None = None
    for word in _BLANKS.split(text):
        if held is not None and _NUMBER.match(word):
            held = (held[0], f"{held[1]} {word}")
            continue
        for number, part in enumerate(_parts(word)):
            if held is not None:
                yield held
            held = (" " if number == 0 else "", part)
    if held is not None:
        yield held


def _parts(word: str) -> list[str]:
    """Cuts a word where a line may break inside of it: between wide characters."""
    if word.isascii():
        return [word] if word else []
    parts = [word[0]]
    for before, character in pairwise(word):
        wide = east_asian_width(before) in "WF" or east_asian_width(character) in "WF"
        breaks = wide and character not in _NEVER_FIRST and before not in _NEVER_LAST
        if breaks and _columns(character) and before != "\u200d":
            parts.append(character)
        else:
            parts[-1] += character
    return parts


def anchored(line: str, direction: str) -> str:
    """Keeps a line in its text's direction, where it begins with a word of the other one.

    A mail program gives each line of plain text the direction of its first strong character
    (Unicode Standard Annex 9, rules P2 and P3), so that a wrapped line which happens to begin with
    a Latin name would run to the wrong side. A line wholly in the other script stays as it is.
    """
    if direction == "ltr" and line.isascii():
        return line
    strong = [kind for kind in map(bidirectional, line) if kind in ("L", "R", "AL")]
    if not strong:
        return line
    rightwards = strong[0] == "L"
    if direction == "rtl" and rightwards and any(kind != "L" for kind in strong):
        return _RLM + line
    if direction == "ltr" and not rightwards and "L" in strong:
        return _LRM + line
    return line

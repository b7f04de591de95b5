"""Keeps words and numbers of the other direction together inside of Arabic, Hebrew, or Latin text.

Without it, a telephone number or a Latin name in an Arabic sentence comes apart: the plus sign
moves to the other end, and a full stop behind the name jumps before it (UAX 9, Unicode
Bidirectional Algorithm). ``bdi`` isolates; ``dir`` says which way, where it is known.
"""

from __future__ import annotations

import re

from markdown_it.common.utils import escapeHtml

from mailer.compose.lifting import Lifter
from mailer.model.words import SlotKind

_LATIN = r"A-Za-z\u00aa\u00ba\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff"
_WORDS = re.compile(rf"[+#@]?[{_LATIN}0-9](?:[{_LATIN}0-9 .,:/@&'’_+\-–—]*[{_LATIN}0-9+])?")
_LETTER = re.compile(f"[{_LATIN}]")
_APART = re.compile(r"[ +:/\-–—]")  # what would let the parts of a number change places
_RTL = r"\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_RTL_WORDS = re.compile(rf"[{_RTL}](?:[{_RTL}\s.,،؛:'’\"״׳\-–]*[{_RTL}])?")


def isolated(text: str, direction: str, lifter: Lifter | None) -> str:
    """Returns a text as HTML, with what runs the other way in elements of its own."""
    html = ""
    at = 0
    for slot in lifter.found(text) if lifter is not None else ():
        start = text.index(slot.sentinel, at)
        html += _runs(text[at:start], direction)
        at = start + len(slot.sentinel)
        value = direction == "rtl" and slot.kind is SlotKind.value
        html += f"<bdi>{slot.sentinel}</bdi>" if value else slot.sentinel
    return html + _runs(text[at:], direction)


def _runs(text: str, direction: str) -> str:
    pattern, other = (_WORDS, "ltr") if direction == "rtl" else (_RTL_WORDS, "rtl")
    html = ""
    at = 0
    for found in pattern.finditer(text):
        run = found.group()
        if other == "ltr" and not _LETTER.search(run) and not _APART.search(run):
            continue  # a plain number keeps its order by itself
        html += f'{escapeHtml(text[at : found.start()])}<bdi dir="{other}">{escapeHtml(run)}</bdi>'
        at = found.end()
    return html + escapeHtml(text[at:])

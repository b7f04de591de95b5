"""Numbers footnotes through an issue, and writes them under the block that they belong to.

No links lead to them and back: mail programs rename what a link inside of a mail would lead to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

NOTE = "footnote_ref"  # the token of a mark, in the text and before the note
MISSING_NOTE = re.compile(r"\[\^([^\]\s]+)\]")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_notes(tokens: list[Token], before: int) -> int:
    """Gives each mark its number, ``before`` being those so far; returns how many notes there are.

    A note gets its mark before its first words, and loses the plugin's link back.
    """
    notes = 0
    waiting: Token | None = None
    for token in tokens:
        if token.type == "footnote_open":
            notes += 1
            waiting = Token(NOTE, "", 0, meta={"id": token.meta["id"], "own": True})
        if token.type != "inline" or token.children is None:
            continue
        token.children = [each for each in token.children if each.type != "footnote_anchor"]
        if waiting is not None:
            token.children.insert(0, waiting)
            waiting = None
        for child in token.children:
            if child.type == NOTE:
                child.meta["number"] = before + child.meta["id"] + 1
    tokens[:] = [token for token in tokens if token.type != "footnote_anchor"]
    return notes


def raised(meta: dict[str, Any]) -> str:
    """A mark in plain text, such as ¹; a note's own has a blank behind it."""
    return str(meta["number"]).translate(_RAISED) + (" " if meta.get("own") else "")


def add_note_rules(engine: MarkdownIt) -> None:
    """Makes an engine write marks and notes."""
    engine.add_render_rule(NOTE, _mark)
    for name, html in {
        "footnote_block_open": '<div class="footnotes">\n',
        "footnote_block_close": "</div>\n",
        "footnote_open": "",
        "footnote_close": "",
    }.items():
        engine.add_render_rule(name, _fixed(html))


def _fixed(html: str) -> Any:
    return lambda *_: html


def _mark(
    renderer: object, tokens: Sequence[Token], index: int, options: object, env: object
) -> str:
    meta = tokens[index].meta
    return f"<sup>{meta['number']}</sup>{' ' if meta.get('own') else ''}"

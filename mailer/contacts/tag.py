"""Tags: words that officers put on people."""

from __future__ import annotations

import unicodedata

LONGEST = 60  # characters


class TagError(ValueError):
    """A word that can't be a tag; its text is one sentence for people."""


def parse_tag(text: str) -> str:
    """A tag as it is stored: NFC, case-folded, no white space around it. Raises TagError."""
    tag = unicodedata.normalize("NFC", text.strip().casefold())
    if not tag or len(tag) > LONGEST or not tag.isprintable() or "," in tag:
        raise TagError(
            f"“{text[:LONGEST]}” can't be a tag: 1 to {LONGEST} printable characters without comma."
        )
    return tag

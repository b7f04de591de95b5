"""How a mail carries its pictures: fetched from the site, inside of the message, or not at all.

The web version always shows them from the site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lxml import etree

from mailer.compose.inline import serialise
from mailer.model.words import Picture

HOSTED, EMBEDDED, NONE = "hosted", "embedded", "none"
WAYS = (HOSTED, EMBEDDED, NONE)
MOST_EMBEDDED = 5_000_000  # bytes in one mail; as base64 it has a third more
# What of a picture's style its words keep: how its alternative text was to look.
_KEPT = re.compile(
    r"(?:color|background-color|font-[a-z]+|line-height|text-align|direction|letter-spacing"
    r"|border-radius)\Z"
)


def carried(root: etree._Element, way: str, pictures: Mapping[str, Picture]) -> str:
    """Returns the mail's document as text; ``pictures`` are by the address that shows each."""
    if way == NONE:
        for image in list(root.iter("img")):
            _in_words(image)
    html = serialise(root)
    if way == HOSTED or not pictures:
        return html
    addresses = re.compile(
        r"""((?:\ssrc=|\sbackground=|url\()["']?)("""
        + "|".join(re.escape(each) for each in sorted(pictures, key=len, reverse=True))
        + r""")(?=["')\s>])"""
    )
    if way == NONE:  # backgrounds, and what only Outlook reads
        return addresses.sub(r"\1", html)
    return addresses.sub(lambda found: f"{found[1]}cid:{pictures[found[2]].content_id}", html)


def embedded_in(html: str, pictures: Sequence[Picture]) -> tuple[str, ...]:
    """Returns the names of the pictures that a document shows from inside of the message."""
    return tuple(each.name for each in pictures if f"cid:{each.content_id}" in html)


def _in_words(image: etree._Element) -> None:
    """Puts a picture's alternative text in its place; a decoration goes without a trace."""
    parent = image.getparent()
    if parent is None:
        return
    words = (image.get("alt") or "").strip()
    if not words:
        _drop(image, parent)
        return
    rules = (rule.partition(":") for rule in (image.get("style") or "").split(";"))
    kept = [
        f"{name.strip()}:{value.strip()}" for name, _, value in rules if _KEPT.match(name.strip())
    ]
    text = etree.Element("span", style=";".join(["display:block", "padding:12px", *kept]))
    text.text = words
    text.tail = image.tail
    parent.replace(image, text)


def _drop(image: etree._Element, parent: etree._Element) -> None:
    before = image.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + (image.tail or "")
    else:
        parent.text = (parent.text or "") + (image.tail or "")
    parent.remove(image)
    if parent.tag == "a" and not len(parent) and not (parent.text or "").strip():
        above = parent.getparent()  # a link around a decoration leads somewhere, but says nothing
        if above is not None:
            _drop(parent, above)

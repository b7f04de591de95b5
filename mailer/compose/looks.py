"""Shows a mail as one mail program or another would: dark, inverted, without its style block.

A look changes a copy of the finished HTML for a browser; the mail itself stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree
from lxml import html as lxml_html

from mailer.errors import InputError

COLOURS = ("light", "dark", "inverted")
_STYLE = re.compile(r"<style\b[^>]*>.*?</style>", re.DOTALL | re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_HEAD_END = re.compile(r"</head>", re.IGNORECASE)
_PREFERS = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_SCHEME = re.compile(
    r"""(<meta\b[^>]*name="(?:supported-)?color-schemes?"[^>]*content=")[^"]*(")"""
    r"""|((?<![-\w])(?:supported-)?color-schemes?\s*:)[^;}"]*""",
    re.IGNORECASE,
)
_CID = re.compile(r"(?<=[\"'(])cid:([^\"')\s]+)")
# What a query about the width always, and never, answers: the look decides, not the machine.
_ALWAYS, _NEVER = "(min-width: 0)", "(max-width: 0)"
# Lightness turned over and hue kept, as Gmail and Outlook do it; pictures are turned back.
_INVERT = (
    "<style>html{background:#fff;filter:invert(1) hue-rotate(180deg)}"
    "img{filter:invert(1) hue-rotate(180deg)}</style>"
)
_NO_PICTURES = """<meta http-equiv="Content-Security-Policy" content="img-src 'none'">"""


@dataclass(frozen=True, slots=True)
class Look:
    """How a mail is looked at. ``colours`` is one of COLOURS.

    ``dark`` is what a program shows that asks the mail; ``inverted``, one that asks nobody.
    Without ``styles`` the style block is gone, as in Gmail's app with other accounts.
    """

    images: bool = True
    colours: str = "light"
    styles: bool = True

    def __post_init__(self) -> None:
        if self.colours not in COLOURS:
            raise InputError(f"“{self.colours[:40]}” is none of {', '.join(COLOURS)}.")

    @property
    def name(self) -> str:
        """A short name for files; empty for a mail as it is."""
        words = [] if self.colours == "light" else [self.colours]
        words += [] if self.images else ["images-off"]
        words += [] if self.styles else ["no-styles"]
        return "-".join(words)


PLAIN = Look()
LOOKS = (
    PLAIN,
    Look(images=False),
    Look(colours="dark"),
    Look(colours="inverted"),
    Look(styles=False),
)


def looked_at(html: str, look: Look, *, picture: Callable[[str], str]) -> str:
    """Returns a page that a browser shows as this look has it, wherever the browser is.

    ``picture`` gives the address of an embedded picture by its content id.
    """
    if not look.styles:
        html = _STYLE.sub("", html)
    dark = look.colours == "dark"
    html = _PREFERS.sub(
        lambda found: _ALWAYS if (found[1].lower() == "dark") is dark else _NEVER, html
    )
    scheme = "dark" if dark else "light"
    html = _SCHEME.sub(
        lambda found: f"{found[1]}{scheme}{found[2]}" if found[1] else f"{found[3]}{scheme}", html
    )
    html = _CID.sub(lambda found: picture(found[1]), html)
    # A link that is tried out opens beside the preview, not in place of the mail.
    first = '<base target="_blank">' + ("" if look.images else _NO_PICTURES)
    html = _HEAD.sub(lambda found: found[0] + first, html, count=1)
    if look.colours == "inverted":
        html = _HEAD_END.sub(lambda found: _INVERT + found[0], html, count=1)
    return html


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """A link as readers meet it: its words, or those of its picture, and where it leads."""

    words: str
    url: str


def links_in(html: str) -> list[LinkSeen]:
    """Returns the links of a page in their order, each combination once."""
    try:
        root = lxml_html.document_fromstring(html)
    except etree.ParserError:  # nothing is there
        return []
    found = []
    for link in root.iter("a"):
        url = link.get("href")
        alts = " ".join(each.get("alt") or "" for each in link.iter("img"))
        words = " ".join(f"{link.text_content()} {alts}".split())
        if url:
            found.append(LinkSeen(words or link.get("aria-label") or "", url))
    return list(dict.fromkeys(found))

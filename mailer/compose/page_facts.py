"""Reads what a frozen web version says of itself: for the archive, its feeds and its search."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree, html

LONGEST = 60_000  # characters of text that a search looks through; an edition has some 10,000
_SILENT = ("head", "style", "script", "title", "nav")


@dataclass(frozen=True, slots=True)
class PageFacts:
    """``text`` is everything that a reader sees, one blank between words."""

    title: str
    description: str
    picture: str  # an absolute address, or empty
    text: str


def page_facts(page: str) -> PageFacts:
    """Reads a whole page; what it does not say is empty. No page makes it fail."""
    try:
        root = html.document_fromstring(page)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):  # an empty one
        return PageFacts("", "", "", "")
    metas = {
        each.get("property") or each.get("name") or "": each.get("content") or ""
        for each in root.iter("meta")
    }
    title = metas.get("og:title") or root.findtext(".//title") or ""
    for element in list(root.iter(*_SILENT)):
        element.drop_tree()
    text = _words(" ".join(str(each) for each in root.itertext()))
    description = metas.get("og:description", "")
    return PageFacts(
        _words(title), _words(description), metas.get("og:image", ""), text[:LONGEST].rstrip()
    )


def _words(text: str) -> str:
    return " ".join(text.split())

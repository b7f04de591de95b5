"""Makes the web version from the mail: no parts for Outlook, nothing that is one reader's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

# ``robots`` is what a page says by itself; the site changes it where everybody may find the page.
_METAS = (("robots", "noindex"), ("referrer", "no-referrer"))
_LEAST_WIDTH = 200  # pixels; what is smaller is a logo or an icon, and stands for no issue
# On paper: black on white, nothing to press, no picture torn in two.
_PRINT = """@media print {
  body, body * { background: transparent !important; color: #000 !important; }
  nav { display: none !important; }
  img, tr { break-inside: avoid; }
  img { max-width: 100% !important; height: auto; }
}"""


@dataclass(frozen=True, slots=True)
class Card:
    """What a link to the page shows elsewhere. Both may hold sentinels."""

    title: str
    description: str
    language: str
    site: str = ""  # who publishes it


def web_version(
    root: etree._Element,
    *,
    is_sentinel: frozenset[str],
    card: Card | None = None,
    languages: Sequence[Mapping[str, str]] = (),
) -> etree._Element:
    """Returns a copy of the mail's document for the web; sentinels stay.

    ``languages`` are the other languages of the issue: ``tag``, ``dir``, ``name`` and ``url``.
    """
    page = deepcopy(root)
    for comment in list(page.iter(etree.Comment)):
        if (comment.text or "").strip() not in is_sentinel:
            _drop(comment)
    for element in with_class(page, "mail-only"):
        _drop(element)
    wrapper = page.find("body/div[@role='article']")
    if wrapper is not None:
        wrapper.set("role", "main")  # a mail has no landmarks; a page needs one
        wrapper.attrib.pop("aria-roledescription", None)  # it said "email"
    head = page.find("head")
    if head is not None:
        for name, content in _METAS:
            head.append(etree.Element("meta", name=name, content=content))
        for each in languages:
            link = etree.SubElement(head, "link", rel="alternate", href=each["url"])
            link.set("hreflang", each["tag"])
        if card is not None:
            _describe(head, page, card)
        etree.SubElement(head, "style", media="all").text = _PRINT
    if languages:
        _offer(page, languages)
    return page


def _describe(head: etree._Element, page: etree._Element, card: Card) -> None:
    """Adds what programs show of a link (https://ogp.me, and the cards of X), but the address.

    The address is the site's, which may move; it is added where the page is served.
    """
    picture = _first_picture(page)
    named = {
        "og:type": "article",
        "og:title": card.title,
        "og:description": card.description,
        "og:site_name": card.site,
        "og:locale": card.language.replace("-", "_"),
    }
    if picture is not None:
        named |= {"og:image": picture.get("src") or "", "og:image:alt": picture.get("alt") or ""}
    for name, content in named.items():
        if content:
            etree.SubElement(head, "meta", property=name, content=content)
    shown = "summary" if picture is None else "summary_large_image"
    etree.SubElement(head, "meta", name="twitter:card", content=shown)
    if card.description:
        etree.SubElement(head, "meta", name="description", content=card.description)


def _first_picture(page: etree._Element) -> etree._Element | None:
    for image in page.iter("img"):
        width = image.get("width") or ""
        large = width.isdecimal() and int(width) >= _LEAST_WIDTH
        logo = "mark" in (image.get("class") or "").split()
        hosted = (image.get("src") or "").startswith(("https://", "http://"))
        if large and hosted and not logo:
            return image
    return None


def _offer(page: etree._Element, languages: Sequence[Mapping[str, str]]) -> None:
    """Links to the other languages, unless the layout has done so itself."""
    body = page.find("body")
    shown = {link.get("href") for link in page.iter("a")}
    if body is None or shown.issuperset(each["url"] for each in languages):
        return
    # Its own colours, both of them: what stands around it is the layout's, light or dark.
    bar = etree.Element("nav", style="padding:12px;background:#fff;color:#000;text-align:center")
    for each in languages:
        link = etree.SubElement(bar, "a", href=each["url"], lang=each["tag"], dir=each["dir"])
        link.set("hreflang", each["tag"])
        link.set("style", "display:inline-block;padding:12px;color:#00e;font:16px sans-serif")
        link.text = each["name"]
        link.tail = " "
    body.insert(0, bar)


def with_class(root: etree._Element, css_class: str) -> list[etree._Element]:
    """Returns every element that has a class."""
    return [
        element
        for element in root.iter(etree.Element)
        if css_class in (element.get("class") or "").split()
    ]


def _drop(node: etree._Element) -> None:
    """Takes a node out, and keeps the text that follows it."""
    parent = node.getparent()
    if parent is None:
        return
    tail = node.tail or ""
    before = node.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(node)
    if parent.tag == "tr" and len(parent) == 0 and not (parent.text or "").strip():
        _drop(parent)  # MJML gives each element of a column its own row

"""Makes the web version from the mail: no parts for Outlook, nothing that is one reader's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

from lxml import etree

_METAS = (("robots", "noindex"), ("referrer", "no-referrer"))


def web_version(
    root: etree._Element,
    *,
    is_sentinel: frozenset[str],
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
    if languages:
        _offer(page, languages)
    return page


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

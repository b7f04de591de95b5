"""Makes the web version from the mail: no parts for Outlook, nothing that is one reader's."""

from __future__ import annotations

from copy import deepcopy

from lxml import etree

_METAS = (("robots", "noindex"), ("referrer", "no-referrer"))


def web_version(root: etree._Element, *, is_sentinel: frozenset[str]) -> etree._Element:
    """Returns a copy of the mail's document for the web; sentinels stay."""
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
    return page


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

"""Moves the author's own CSS rules into ``style`` attributes with premailer.

MJML has already inlined its own rules, so premailer is kept off everything that MJML wrote:
its defaults would overwrite the widths that Outlook needs and delete ``!important``.
"""

from __future__ import annotations

import logging
import re

from lxml import etree
from premailer import Premailer

DOCTYPE = "<!doctype html>"
MARK = "/*author*/"  # begins the one style sheet whose rules are inlined
_OPTIONS = {
    "keep_style_tags": True,
    "strip_important": False,
    "remove_classes": False,
    "allow_network": False,
    "allow_loading_external_files": False,
    "disable_validation": True,
    "cssutils_logging_level": logging.CRITICAL,
    "disable_link_rewrites": True,
    "disable_basic_attributes": ["width", "height", "align", "valign", "bgcolor"],
    "align_floating_images": False,
}
# A selector with a state, such as `a:hover {`, can't be inlined: its style sheet stays.
_STAYS = re.compile(r":(?![^{}]*[;}])")


def parse(html: str) -> etree._Element:
    """Returns the root element of a whole HTML document."""
    return etree.fromstring(html, etree.HTMLParser(huge_tree=True))


def serialise(root: etree._Element) -> str:
    """Returns a document as text, with the doctype that libxml2 would lose."""
    return etree.tostring(root, method="html", encoding="unicode", doctype=DOCTYPE)


def inline_styles(root: etree._Element) -> None:
    """Inlines the style sheet that begins with ``MARK``; all else stays as MJML wrote it."""
    own = None
    for style in root.iter("style"):
        if (style.text or "").lstrip().startswith(MARK):
            own = style
        elif style.get("media") is None:  # premailer skips those, and would leave the marker
            style.set("data-premailer", "ignore")
    if own is None:
        return
    own.text = (own.text or "").replace(MARK, "", 1).strip()
    if own.text:
        Premailer(root, **_OPTIONS).transform()
    for style in root.iter("style"):
        style.attrib.pop("data-premailer", None)
    if not _STAYS.search(own.text or ""):
        parent = own.getparent()
        if parent is not None:
            parent.remove(own)

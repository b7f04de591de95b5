"""Moves the author's own CSS rules into ``style`` attributes with premailer.

MJML has already inlined its own rules, so premailer is kept off everything that MJML wrote:
its defaults would overwrite the widths that Outlook needs and delete ``!important``.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import cssutils
from lxml import etree
from premailer import Premailer

from mailer.compose.keeping import KEPT

# premailer has every inline style validated and ignores the answer. With nothing to hold them
# against, cssutils spares 70 ms of compiling patterns; we are its only user in this process.
cssutils.profile.removeProfile(all=True)
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
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_RULE = re.compile(r"(?<![^{}])([^{}]*)\{[^{}]*\}")
_STRING = re.compile(r""""[^"{},\n]*"|'[^'{},\n]*'""")
_NOT_FLAT = re.compile(r"""[@\\"']""")
_BRACKETS = re.compile(r"\[[^\]]*\]|#[\w-]+")
_NAME = re.compile(r"(\.?)([A-Za-z_][\w-]*)")
# A selector with a state, such as `a:hover {`, can't be inlined: its style sheet stays.
_STAYS = re.compile(r":(?![^{}]*[;}])")


class _Premailer(Premailer):  # type: ignore[misc]  # it has no types
    """Reads the rules of one sheet once, for many processes."""

    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> Any:
        """Returns its rules as pairs and triples of text and numbers, and which it passed over.

        The answer hangs on ``_OPTIONS`` too. Were the method called otherwise one day, this one
        would not be asked, and the rules would be read each time.
        """
        read = super()._parse_style_rules
        made_of = ("rules", css_body, ruleset_index, *_OPTIONS.items())
        return KEPT.of(made_of, lambda: read(css_body, ruleset_index))


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
    whole = (own.text or "").replace(MARK, "", 1).strip()
    own.text = rules_that_may_match(whole, root)
    if own.text:
        _Premailer(root, **_OPTIONS).transform()
    own.text = whole
    for style in root.iter("style"):
        style.attrib.pop("data-premailer", None)
    if not _STAYS.search(whole):
        parent = own.getparent()
        if parent is not None:
            parent.remove(own)


def rules_that_may_match(css: str, root: etree._Element) -> str:
    """Returns a style sheet without the rules that name a tag or a class that is not there.

    An issue uses a few of its layout's blocks, and premailer parses and looks for every rule. What
    is not plainly flat (an at-rule, a string, an escape) is returned as it is.
    """
    bare = _COMMENT.sub(" ", css)
    if _NOT_FLAT.search(_STRING.sub("", bare)):
        return css
    tags: set[str] = set()
    classes: set[str] = set()
    for element in root.iter(etree.Element):
        tags.add(str(element.tag))
        classes.update((element.get("class") or "").split())
    return "\n".join(
        rule.group().strip()
        for rule in _RULE.finditer(bare)
        if any(_may_match(selector, tags, classes) for selector in rule.group(1).split(","))
    )


def _may_match(selector: str, tags: set[str], classes: set[str]) -> bool:
    simple = _BRACKETS.sub("", selector.strip().partition(":")[0])
    return all(
        name in classes if sign else name.lower() in tags for sign, name in _NAME.findall(simple)
    )

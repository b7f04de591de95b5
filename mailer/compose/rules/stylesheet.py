"""Reads style blocks into rules, each with the at-rule around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from mailer.compose.rules.boxes import declarations

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_PIECE = re.compile(r"(?<![^{};])([^{};]*)([{};])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CssRule:
    """One rule: its selectors, its declarations, and the at-rules around it, outermost first."""

    selectors: tuple[str, ...]
    declared: tuple[tuple[str, str], ...]
    around: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """One style block. ``in_head`` is False for one that Gmail does not read."""

    css: str
    rules: tuple[CssRule, ...]
    at_rules: tuple[str, ...]
    in_head: bool


def sheets_of(root: etree._Element) -> list[Sheet]:
    """Returns every style block of a document."""
    return [
        Sheet(css, *read_css(css), in_head=any(e.tag == "head" for e in style.iterancestors()))
        for style in root.iter("style")
        if (css := style.text or "")
    ]


@lru_cache(maxsize=20)
def read_css(css: str) -> tuple[tuple[CssRule, ...], tuple[str, ...]]:
    """Returns the rules of a style sheet, and every at-rule's prelude."""
    rules: list[CssRule] = []
    at_rules: list[str] = []
    around: list[str] = []
    body: list[str] | None = None  # the declarations of the rule that is open
    selectors: tuple[str, ...] = ()
    for found in _PIECE.finditer(_COMMENT.sub("", css)):
        text, sign = found.group(1).strip(), found.group(2)
        if sign == "{":
            if text.startswith("@"):
                at_rules.append(text)
                around.append(text)
                if text.startswith(("@font-face", "@page")):
                    body, selectors = [], ()
            else:
                body = []
                selectors = tuple(each.strip() for each in text.split(",") if each.strip())
        elif sign == ";":
            if body is not None:
                body.append(text)
            elif text.startswith("@"):
                at_rules.append(text)
        elif body is not None:
            declared = declarations(";".join([*body, text]))
            if selectors:
                rules.append(CssRule(selectors, declared, tuple(around)))
            else:
                around.pop()
            body = None
        elif around:
            around.pop()
    return tuple(rules), tuple(at_rules)

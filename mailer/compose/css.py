"""Checks the style sheets of a layout before the inliner meets them.

The inliner drops a rule that it can't read without a word, and cuts a selector at every comma.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cssselect import HTMLTranslator, SelectorError

from mailer.compose.mjml_check import Trouble

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_STRING = re.compile(r""""[^"\n]*"|'[^'\n]*'""")
_ELSEWHERE = re.compile(r"@import|url\(\s*[\"']?\s*(?:https?:)?//", re.IGNORECASE)
_RULE = re.compile(r"(?<![^{}])([^{}]*)\{[^{}]*\}")
_INNER_COMMA = re.compile(r"\[[^\]]*,[^\]]*\]|\([^)]*,[^)]*\)")
_AT = re.compile(r"@[\w-]+")


def troubles_of(css: str, *, inlined: bool) -> tuple[Trouble, ...]:
    """Returns what is wrong with a style sheet; ``inlined`` rules must also be simple ones."""
    bare = _COMMENT.sub(_blank, css)
    found = [*_balance(bare), *_forbidden(bare)]
    if inlined and not found:
        found += _at_rules(bare) or _selectors(bare)
    return tuple(found)


def _blank(found: re.Match[str]) -> str:
    """Keeps the length and the lines, so that offsets hold."""
    return re.sub(r"[^\n]", " ", found.group())


def _balance(css: str) -> list[Trouble]:
    opened: list[int] = []
    for found in re.finditer(r"[{}]", _STRING.sub(_blank, css)):
        if found.group() == "{":
            opened.append(found.start())
        elif opened:
            opened.pop()
        else:
            return [Trouble(found.start(), "This `}` closes nothing.")]
    return [Trouble(opened[0], "This `{` never closes.")] if opened else []


def _forbidden(css: str) -> list[Trouble]:
    found = [
        Trouble(each.start(), "A style sheet can't load anything from elsewhere.", "Delete it.")
        for each in _ELSEWHERE.finditer(css)
    ]
    found += [
        Trouble(each.start(), "A `<` can't stand in a style sheet.", "Use min-width or max-width.")
        for each in re.finditer("<", css)
    ]
    return found


def _at_rules(css: str) -> list[Trouble]:
    return [
        Trouble(each.start(), f"`{each.group()}` can't be inlined.", "Put it into media.css.")
        for each in _AT.finditer(css)
    ]


def _selectors(css: str) -> list[Trouble]:
    found: list[Trouble] = []
    for rule in _RULE.finditer(css):
        selectors = rule.group(1)
        at = rule.start(1) + len(selectors) - len(selectors.lstrip())
        if _INNER_COMMA.search(selectors):
            hint = "Write one selector for each."
            found.append(Trouble(at, "A comma inside brackets can't be inlined.", hint))
            continue
        for selector in selectors.split(","):
            if not _readable(selector.strip()):
                shown = selector.strip()[:60]
                found.append(Trouble(at, f"The selector `{shown}` can't be read."))
    return found


@lru_cache(maxsize=1000)
def _readable(selector: str) -> bool:
    """Says whether the inliner's own parser takes a selector; states such as :hover it skips."""
    if ":" in selector:
        return True
    try:
        HTMLTranslator().css_to_xpath(selector)
    except SelectorError:
        return False
    return True

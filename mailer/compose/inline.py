"""Moves the author's own CSS rules into ``style`` attributes.

MJML has already inlined its own rules. What it wrote stays as it is, to the letter, and stands
behind ours, so that a declaration of MJML's goes before a rule of the author's.

The style sheet was checked before (``css.py``): no at-rules, no comma inside of a selector. Its
rules are looked for by tag and class, in one pass over the document for all of them; cssselect and
an XPath do it for what is more than tags, classes and descendants.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

import cssselect
from lxml import etree

DOCTYPE = "<!doctype html>"
MARK = "/*author*/"  # begins the one style sheet whose rules are inlined
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_TEXTS = r""""[^"]*"|'[^']*'"""
_RULE = re.compile(rf"((?:[^{{}}\"']|{_TEXTS})*)\{{((?:[^{{}}\"']|{_TEXTS})*)\}}")
_DECLARATION = re.compile(
    rf"([A-Za-z-][\w-]*)\s*:((?:[^;\"'()]|{_TEXTS}|\((?:[^\"'()]|{_TEXTS})*\))*)(?:;|\Z)"
)
_IMPORTANT = re.compile(r"\s*!\s*important\s*\Z", re.IGNORECASE)
# A selector with a state, such as `a:hover {`, can't be inlined: its style sheet stays.
_STAYS = re.compile(r":(?![^{}]*[;}])")
_SIMPLE = re.compile(r"(?=[\w.*])(\*|[A-Za-z][\w-]*)?((?:\.[A-Za-z_-][\w-]*)*)\Z")

Declarations = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One step of a simple selector: a tag, if it names one, and classes."""

    tag: str | None
    classes: frozenset[str]


@dataclass(slots=True)
class Page:
    """The elements of a document by tag and by class, in the order of the document."""

    root: etree._Element
    tags: dict[str, list[etree._Element]]
    classes: dict[str, list[etree._Element]]
    every: list[etree._Element]

    @classmethod
    def of(cls, root: etree._Element) -> Page:
        """Walks through a document once."""
        page = cls(root, defaultdict(list), defaultdict(list), [])
        for element in root.iter(etree.Element):
            page.every.append(element)
            page.tags[str(element.tag)].append(element)
            for name in set((element.get("class") or "").split()):
                page.classes[name].append(element)
        return page

    def matching(self, selector: str) -> Iterable[etree._Element]:
        """The elements that a selector means."""
        parts = _parts(selector)
        if parts is None:
            return _xpath(selector)(self.root)  # type: ignore[no-any-return]  # a list of elements
        if any(not self._candidates(part) for part in parts):
            return []  # most rules are for blocks that this issue does not use
        first, *below = parts
        found = [each for each in self._candidates(first) if _is(each, first)]
        for part in below:
            inside = (
                each
                for above in found
                for each in above.iterdescendants(part.tag or etree.Element)
                if not part.classes or _is(each, part)
            )
            found = list(dict.fromkeys(inside))
        return found

    def _candidates(self, part: Part) -> list[etree._Element]:
        if part.classes:
            return min((self.classes.get(name, []) for name in part.classes), key=len)
        return self.every if part.tag is None else self.tags.get(part.tag, [])


def parse(html: str) -> etree._Element:
    """Returns the root element of a whole HTML document."""
    return etree.fromstring(html, etree.HTMLParser(huge_tree=True))


def serialise(root: etree._Element) -> str:
    """Returns a document as text, with the doctype that libxml2 would lose."""
    return etree.tostring(root, method="html", encoding="unicode", doctype=DOCTYPE)


def inline_styles(root: etree._Element) -> None:
    """Inlines the style sheet that begins with ``MARK``; all else stays as MJML wrote it."""
    sheets = (each for each in root.iter("style") if (each.text or "").lstrip().startswith(MARK))
    own = next(sheets, None)
    if own is None:
        return
    whole = (own.text or "").replace(MARK, "", 1).strip()
    page = Page.of(root)
    meant: dict[etree._Element, dict[str, str]] = {}
    for selector, declarations in rules_of(whole):
        for element in page.matching(selector):
            style = meant.setdefault(element, {})
            for name, value in declarations.items():
                style.pop(name, None)  # the later one stands behind, where it counts
                style[name] = value
    written: dict[tuple[object, ...], str] = {}
    for element, style in meant.items():
        before = element.get("style") or ""
        key = (before, *style.items())
        if key not in written:
            written[key] = _merged(style, before)
        if written[key]:
            element.set("style", written[key])
    own.text = whole
    if not _STAYS.search(whole):
        parent = own.getparent()
        if parent is not None:
            parent.remove(own)


def rules_of(css: str) -> list[tuple[str, Declarations]]:
    """Returns selectors and what they say, the weakest first; those with a state are left out.

    Of rules that weigh the same the later wins (CSS Cascading 4, section 6.4.3). What is
    ``!important`` weighs more than all that is not.
    """
    order = count()
    rules: list[tuple[tuple[int, tuple[int, int, int], int], str, Declarations]] = []
    for selectors, body in _RULE.findall(_COMMENT.sub(" ", css)):
        told = dict(declarations_of(body))
        loud = {name: value for name, value in told.items() if _IMPORTANT.search(value)}
        calm = {name: value for name, value in told.items() if name not in loud}
        for selector in map(str.strip, selectors.split(",")):
            if not selector or _has_state(selector):
                continue
            weight = _weight(selector)
            for important, declarations in enumerate((calm, loud)):
                if weight is not None and declarations:
                    rules.append(((important, weight, next(order)), selector, declarations))
    rules.sort(key=lambda rule: rule[0])
    return [(selector, declarations) for _, selector, declarations in rules]


def declarations_of(style: str) -> Iterator[tuple[str, str]]:
    """Returns the names, in small letters, and values of a style; the last of a name wins."""
    found: dict[str, str] = {}
    for name, value in _DECLARATION.findall(style):
        shown = " ".join(value.split())
        if shown:
            name = name if name.startswith("--") else name.lower()
            found.pop(name, None)
            found[name] = _IMPORTANT.sub(" !important", shown)
    yield from found.items()


def _merged(style: Declarations, before: str) -> str:
    """Puts ours before what stands there already, without what that says anyway."""
    said = {name.lower() for name, _ in _DECLARATION.findall(before)}
    ours = [f"{name}:{value}" for name, value in style.items() if name not in said]
    return "; ".join([*ours, before.strip()] if before.strip() else ours)


def _has_state(selector: str) -> bool:
    return ":" in re.sub(_TEXTS, "", selector)


@lru_cache(maxsize=1000)
def _parts(selector: str) -> tuple[Part, ...] | None:
    """Reads a selector of tags, classes and descendants; None when there is more to it."""
    parts = []
    for step in selector.split():
        found = _SIMPLE.match(step)
        if found is None:
            return None
        tag = (found[1] or "*").lower()
        parts.append(Part(None if tag == "*" else tag, frozenset(found[2].split(".")[1:])))
    return tuple(parts)


@lru_cache(maxsize=1000)
def _weight(selector: str) -> tuple[int, int, int] | None:
    """A selector's specificity (Selectors 4, section 17); None when it can't be read."""
    parts = _parts(selector)
    if parts is not None:
        classes = sum(len(part.classes) for part in parts)
        return 0, classes, sum(part.tag is not None for part in parts)
    try:
        return cssselect.parse(selector)[0].specificity()
    except cssselect.SelectorError:
        return None


@lru_cache(maxsize=1000)
def _xpath(selector: str) -> etree.XPath:
    return etree.XPath(cssselect.HTMLTranslator().css_to_xpath(selector))


def _is(element: etree._Element, part: Part) -> bool:
    if part.tag is not None and element.tag != part.tag:
        return False
    return not part.classes or part.classes.issubset((element.get("class") or "").split())

"""Walks the mail's elements once and knows how each stretch of text looks without a style block.

Only what is inherited or said inline counts, because many programs drop the style block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from lxml import etree

from mailer.compose.rules.colour import WHITE, Colour, read_colour

_SIZE = re.compile(r"(\d++(?:\.\d*+)?|\.\d++)\s*+(px|pt|em|rem|%)?\s*$")
_FIRST_COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|rgba?\([^)]*\)|\b[a-z]+\b", re.IGNORECASE)
# `url("data:image/svg+xml;…")` holds semicolons; a declaration ends at one outside of brackets,
# and brackets that nobody closes end with the style (CSS Syntax Level 3, “Consume a function”).
_DECLARATION = re.compile(r"((?:[^;(]|\([^)]*+(?:\)|\Z))+)")
_SMALL, _NORMAL = 13.0, 16.0
_HEADINGS = {"h1": 32.0, "h2": 24.0, "h3": 18.72, "h4": 16.0, "h5": 13.28, "h6": 10.72}
_BOLD_TAGS = {"b", "strong", "th", *_HEADINGS}
BLOCKS = frozenset(
    ("address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt",
     "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
     "li", "main", "ol", "p", "pre", "section", "table", "tbody", "td", "th", "thead", "tr", "ul")
)  # fmt: skip
_NEVER_SHOWN = frozenset(("head", "script", "style", "template", "title"))


@dataclass(frozen=True, slots=True)
class Look:
    """How text looks at one place. ``hidden`` says how it is hidden, if it is."""

    colour: Colour = (0, 0, 0)
    ground: Colour = WHITE
    size: float = _NORMAL  # CSS pixels
    bold: bool = False
    hidden: str = ""
    pictured: bool = False  # a picture lies under it, so its ground is not known


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text, the element that holds it, and how it looks.

    ``block`` is the element that begins the paragraph, heading or cell around it. ``alt`` says
    that it is a picture's alternative text, which readers see when pictures are off.
    """

    text: str
    element: etree._Element
    block: etree._Element
    look: Look
    alt: bool = False


@lru_cache(maxsize=4000)
def declarations(style: str) -> tuple[tuple[str, str], ...]:
    """Returns the properties of a style attribute, in order, names in lower case."""
    found = []
    for piece in _DECLARATION.findall(style):
        name, colon, value = piece.partition(":")
        if colon:
            found.append((name.strip().lower(), value.strip()))
    return tuple(found)


def runs_of(body: etree._Element) -> list[Run]:
    """Returns every stretch of text in the order of reading, alternative texts among them."""
    runs: list[Run] = []
    look = Look()
    # What is open: the element, its look, its block, and the child that was read last. A child
    # leads to the next one: its number would be counted from the first each time.
    stack: list[tuple[etree._Element, Look, etree._Element, etree._Element | None]]
    stack = [(body, look, body, None)]
    while stack:
        element, look, block, last = stack.pop()
        if last is None:
            if not isinstance(element.tag, str) or element.tag in _NEVER_SHOWN:
                continue
            look = _look(element, look)
            if element.tag in BLOCKS:
                block = element
            if element.tag == "img" and (element.get("alt") or "").strip():
                runs.append(Run(element.get("alt") or "", element, block, look, alt=True))
            if element.text and element.text.strip():
                runs.append(Run(element.text, element, block, _seen(look)))
            child = element[0] if len(element) else None
        else:
            tail = last.tail
            if tail and tail.strip():
                runs.append(Run(tail, element, block, _seen(look)))
            child = last.getnext()
        if child is not None:
            stack.append((element, look, block, child))
            stack.append((child, look, block, None))
    return runs


def _seen(look: Look) -> Look:
    """Text of no size is hidden; a cell of no size around text of another is how MJML lays out."""
    if look.size < 2 and not look.hidden:
        return replace(look, hidden=f"font-size:{look.size:g}px")
    return look


def _look(element: etree._Element, above: Look) -> Look:
    tag = str(element.tag)
    style = element.get("style")
    ground = element.get("bgcolor")
    if tag not in _BOLD_TAGS and tag != "a" and not style and not ground:
        if element.get("hidden") is not None and not above.hidden:
            return replace(above, hidden="hidden")
        return above
    return _styled(above, tag, style or "", ground or "", element.get("hidden") is not None)


@lru_cache(maxsize=4000)
def _styled(above: Look, tag: str, style: str, ground: str, hidden: bool) -> Look:
    colour, back, size = above.colour, above.ground, above.size
    bold, how, pictured = above.bold, above.hidden, above.pictured
    if tag == "a":
        colour = (0, 0, 238)
    if tag in _BOLD_TAGS:
        bold = True
        size = _HEADINGS.get(tag, size)
    if ground and (said := read_colour(ground)):
        back, pictured = said, False
    if hidden:
        how = how or "hidden"
    for name, value in declarations(style):
        value = value.replace("!important", "").strip()
        if name == "color":
            colour = read_colour(value) or (above.colour if value == "inherit" else colour)
        elif name == "background-color":
            if said := read_colour(value):
                back, pictured = said, False
        elif name in ("background", "background-image"):
            found = [read_colour(each) for each in _FIRST_COLOUR.findall(value.split("url(")[0])]
            said = next((each for each in found if each), None)
            if said:
                back, pictured = said, False
            if "url(" in value or "gradient(" in value:
                pictured = True
        elif name == "font-size":
            size = _size(value, above.size)
        elif name == "font-weight":
            bold = value in ("bold", "bolder") or (value.isdigit() and int(value) >= 600)
        if not how:
            how = _hides(name, value)
    return Look(colour, back, size, bold, how, pictured)


def _hides(name: str, value: str) -> str:
    """Says how a declaration hides text, or nothing."""
    value = value.lower()
    hides = (
        (name == "display" and value == "none")
        or (name == "visibility" and value in ("hidden", "collapse"))
        or (name == "opacity" and value in ("0", "0.0", "0%"))
        or (name == "mso-hide" and value == "all")
        or (name in ("max-height", "max-width") and value in ("0", "0px"))
        or (name == "text-indent" and value.startswith("-") and len(value) > 5)
        or (name == "clip" and "0" in value and "rect" in value)
        or (name in ("left", "top") and value.startswith("-9"))
    )
    return f"{name}:{value}" if hides else ""


def _size(value: str, above: float) -> float:
    found = _SIZE.match(value)
    if not found:
        return {"small": _SMALL, "smaller": above / 1.2, "x-small": 10.0}.get(value, above)
    number = float(found.group(1))
    match found.group(2):
        case "pt":
            return number * 96 / 72
        case "em":
            return number * above
        case "%":
            return number * above / 100
        case "rem":
            return number * _NORMAL
        case _:
            return number

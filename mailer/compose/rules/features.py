"""Finds which features of HTML and CSS a mail uses, by the names that Can I Email gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from mailer.compose.rules.boxes import declarations
from mailer.compose.rules.can_i_email import SUPPORT
from mailer.compose.rules.stylesheet import CssRule, Sheet

_FUNCTIONS = {
    "calc": "css-unit-calc",
    "clamp": "css-function-clamp",
    "conic-gradient": "css-conic-gradient",
    "lab": "css-modern-color",
    "lch": "css-modern-color",
    "light-dark": "css-function-light-dark",
    "linear-gradient": "css-linear-gradient",
    "max": "css-function-max",
    "min": "css-function-min",
    "oklab": "css-modern-color",
    "oklch": "css-modern-color",
    "radial-gradient": "css-radial-gradient",
    "rgb": "css-rgb",
    "rgba": "css-rgba",
    "var": "css-variables",
}
_KEYWORDS = {
    "initial": "css-unit-initial",
    "fit-content": "css-intrinsic-size",
    "max-content": "css-intrinsic-size",
    "min-content": "css-intrinsic-size",
    **dict.fromkeys(
        ("system-ui", "ui-serif", "ui-sans-serif", "ui-rounded", "ui-monospace"), "css-sytem-ui"
    ),
}
_DISPLAY = {
    "flex": "css-display-flex",
    "inline-flex": "css-display-flex",
    "grid": "css-display-grid",
    "inline-grid": "css-display-grid",
    "none": "css-display-none",
}
# Properties whose feature has another name than their own.
_PROPERTIES = {
    **dict.fromkeys(("bottom", "left", "right", "top"), "css-left-right-top-bottom"),
    **dict.fromkeys(("block-size",), "css-block-inline-size"),
    **dict.fromkeys(("column-gap", "row-gap", "grid-gap"), "css-gap"),
    **dict.fromkeys(("columns", "column-rule", "column-width"), "css-column-layout-properties"),
    **dict.fromkeys(("margin-block", "margin-inline"), "css-margin-inline-block"),
    **dict.fromkeys(("padding-block", "padding-inline"), "css-padding-inline-block"),
    **dict.fromkeys(("border-block", "border-inline"), "css-border-inline-block"),
    "mask": "css-mask-image",
    "scroll-snap-type": "css-scroll-snap",
}
_LOGICAL = re.compile(r"(margin|padding)-(block|inline)-(?:start|end)")
# `margin-top` is tested as margin; `background-size` has its own name, and comes first.
_PARENTS = ("border", "font", "grid-template", "list-style", "margin", "outline", "overflow",
            "padding", "text-decoration", "transition", "animation")  # fmt: skip
_NOT_ITS_PARENTS = {"font-family", "font-style", "font-variant"}
_UNIT = re.compile(r"(?<![\w#-])[-+]?(?:\d*\.)?\d+(%|[a-z]+)")
_FUNCTION = re.compile(r"(?<![a-z-])([a-z-]+)\(")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|url\([^)]*\)")
_PSEUDO = re.compile(r"(::?)([a-z-]+)")
_MEDIA = ("prefers-color-scheme", "prefers-reduced-motion", "hover", "orientation")
_SEMANTIC = ("article", "aside", "details", "figcaption", "figure", "footer", "header", "main",
             "mark", "nav", "section", "summary", "time")  # fmt: skip
_ELEMENTS = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "html-h1-h6"),
    **dict.fromkeys(("ul", "ol", "dl"), "html-lists"),
    **dict.fromkeys(("area", "map"), "html-image-maps"),
    **dict.fromkeys(_SEMANTIC, "html-semantics"),
    "s": "html-strike",
}
_ATTRIBUTES = {
    **{name: f"html-{name}" for name in (
        "align", "background", "cellpadding", "cellspacing", "dir", "height", "hidden", "lang",
        "required", "role", "srcset", "target", "valign", "width", "popover", "aria-describedby",
        "aria-hidden", "aria-label", "aria-labelledby", "aria-live")},
    "inert": "css-inert-attribute",
    "loading": "html-loading-attribute",
}  # fmt: skip
_INPUTS = ("checkbox", "hidden", "radio", "reset", "submit", "text")
_KINDS = {"jpeg": "jpg", "tif": "tiff", "heic": "heif"}


@dataclass(slots=True)
class Use:
    """How often a feature is used, and whether everywhere only where a program asks for it.

    ``guarded`` uses stand inside of ``@media`` or ``@supports``: a program without them has what
    stands outside.
    """

    times: int = 0
    guarded: bool = True


def used_features(root: etree._Element, sheets: Iterable[Sheet]) -> dict[str, Use]:
    """Returns every feature that a document uses and that Can I Email has tested."""
    found: dict[str, Use] = {}
    for element in root.iter():
        if not isinstance(element.tag, str):
            _count(found, ("html-comments",))
            continue
        _count(found, _of_element(element))
        style = element.get("style")
        if style:
            _count(found, _of_style(style))
    for sheet in sheets:
        if "/*" in sheet.css:
            _count(found, ("css-comments",))
        for at_rule in sheet.at_rules:
            _count(found, _of_at_rule(at_rule))
        for rule in sheet.rules:
            _count(found, _of_rule(rule), guarded=bool(rule.around))
    return found


def _count(found: dict[str, Use], names: Iterable[str], *, guarded: bool = False) -> None:
    for name in names:
        if name in SUPPORT:
            use = found.setdefault(name, Use())
            use.times += 1
            use.guarded = use.guarded and guarded


def _of_element(element: etree._Element) -> Iterator[str]:
    tag = str(element.tag)
    yield _ELEMENTS.get(tag) or f"html-{tag}"
    for name in element.keys():  # noqa: SIM118  # an element is no mapping
        if str(name) in _ATTRIBUTES:
            yield _ATTRIBUTES[str(name)]
    if tag == "input" and element.get("type", "text") in _INPUTS:
        yield f"html-input-{element.get('type', 'text')}"
    elif tag == "button":
        yield f"html-button-{element.get('type', 'submit')}"
    elif tag == "meta" and element.get("name") == "color-scheme":
        yield "html-meta-color-scheme"
    elif tag == "a":
        href = element.get("href") or ""
        if href.startswith("#"):
            yield "html-anchor-links"
        elif href.startswith("mailto:"):
            yield "html-mailto-links"
    elif tag == "img":
        yield from _of_picture(element.get("src") or "")


def _of_picture(source: str) -> Iterator[str]:
    if source.startswith("data:"):
        yield "image-base64"
        return
    ending = source.split("?")[0].rpartition(".")[2].lower()
    yield f"image-{_KINDS.get(ending, ending)}"


@lru_cache(maxsize=4000)
def _of_style(style: str) -> frozenset[str]:
    return frozenset(
        each for name, value in declarations(style) for each in _of_declaration(name, value)
    )


def _of_declaration(name: str, value: str) -> Iterator[str]:
    value = value.lower()
    if value == "normal":
        return  # it sets back what is so already; a program that does not know it loses nothing
    if name.startswith("--"):
        yield "css-variables"
    else:
        yield _of_property(name)
    if name == "display" and (value.split() or [""])[0] in _DISPLAY:
        yield _DISPLAY[value.split()[0]]
    if "url(" in value:
        yield from _of_picture(value.partition("url(")[2].partition(")")[0].strip("\"' "))
    bare = _QUOTED.sub(" ", value)
    if "!important" in bare:
        yield "css-important"
    for unit in _UNIT.findall(bare):
        yield "css-unit-percent" if unit == "%" else f"css-unit-{unit}"
    for function in _FUNCTION.findall(bare):
        if function in _FUNCTIONS:
            yield _FUNCTIONS[function]
    for word in re.split(r"[\s,!]+", bare):
        if word in _KEYWORDS:
            yield _KEYWORDS[word]


def _of_property(name: str) -> str:
    if name in _PROPERTIES:
        return _PROPERTIES[name]
    logical = _LOGICAL.fullmatch(name)
    if logical:
        return f"css-{logical.group(1)}-{logical.group(2)}-start-end"
    if f"css-{name}" in SUPPORT:
        return f"css-{name}"
    if name in _NOT_ITS_PARENTS:
        return ""
    parent = next((each for each in _PARENTS if name.startswith(f"{each}-")), "")
    return f"css-{parent}"


def _of_at_rule(text: str) -> Iterator[str]:
    word = text.split("(")[0].split()[0].removeprefix("@")
    yield f"css-at-{word.removeprefix('-webkit-')}"
    if word == "media":
        for feature in _MEDIA:
            if f"({feature}" in text.replace(" ", ""):
                yield f"css-at-media-{feature}"
        if "device-pixel-ratio" in text:
            yield "css-at-media-device-pixel-ratio"


def _of_rule(rule: CssRule) -> Iterator[str]:
    if len(rule.selectors) > 1:
        yield "css-selector-grouping"
    for selector in rule.selectors:
        yield from _of_selector(selector)
    for name, value in rule.declared:
        yield from _of_declaration(name, value)


@lru_cache(maxsize=1000)
def _of_selector(selector: str) -> frozenset[str]:
    found = {
        f"css-pseudo-{'element' if colons == '::' else 'class'}-{name}"
        for colons, name in _PSEUDO.findall(selector)
    }
    bare = re.sub(r"\[[^\]]*\]", "[]", re.sub(r"::?[a-z-]+(\([^)]*\))?", "", selector))
    parts = [each for each in re.split(r"\s*[>+~]\s*|\s+", bare.strip()) if each]
    signs = {
        "[": "attribute",
        ">": "child",
        "+": "adjacent-sibling",
        "~": "general-sibling",
        "*": "universal",
        ".": "class",
        "#": "id",
    }
    found |= {f"css-selector-{name}" for sign, name in signs.items() if sign in bare}
    if "&" in selector:
        found.add("css-nesting")
    if re.search(r"[\w\])*]\s+[\w.#\[*]", bare):
        found.add("css-selector-descendant")
    for part in parts:
        if part[0].isalpha():
            found.add("css-selector-type")
        if len(re.findall(r"[.#\[]", part)) > 1:
            found.add("css-selector-chaining")
    return frozenset(found)

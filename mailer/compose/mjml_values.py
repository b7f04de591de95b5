"""What the attributes of MJML take: lengths, colours, addresses, one of some words.

The engine copies any value into the mail. A length without its unit, or a colour that is none,
then breaks the mail in one mail program and passes unseen in another. The types follow the
reference of MJML 4.18; what mail programs can't show (``rem``, ``hsl()``) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from PIL.ImageColor import colormap

from mailer.compose.names import did_you_mean


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of value: what it is, for people, and how it is written."""

    what: str
    pattern: re.Pattern[str]
    words: tuple[str, ...] = ()


_SCHEMES = ("https", "http", "mailto", "tel", "sms", "cid")
_SLOT = re.compile(r"q[0-9a-f]+n[0-9]+z")  # what is filled in for each person
_PX = r"(?:0|\d+(?:\.\d+)?px)"
_LENGTH = r"(?:0|\d+(?:\.\d+)?(?:px|%))"
_SIGNED = r"-?(?:0|\d+(?:\.\d+)?(?:px|em))"
_COLOUR = (
    r"(?:#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}|rgba?\([\d.,%\s/]+\)|transparent|inherit|"
    + "|".join(sorted(colormap, key=len, reverse=True))
    + ")"
)
_LINES = "none hidden dotted dashed solid double groove ridge inset outset"
_STYLE = f"(?:{_LINES.replace(' ', '|')})"
_ANY_ORDER = rf"(?:(?:{_PX}|thin|medium|thick|{_STYLE}|{_COLOUR})(?:\s+|$)){{1,3}}"


def _kind(what: str, pattern: str) -> Kind:
    return Kind(what, re.compile(rf"(?:{pattern})\Z", re.IGNORECASE))


def _among(text: str) -> Kind:
    words = tuple(text.split())
    return Kind("one of " + ", ".join(words), re.compile(rf"(?:{'|'.join(words)})\Z"), words)


PX = _kind("a length in pixels, such as `12px`", _PX)
LENGTH = _kind("a length such as `12px` or `50%`", _LENGTH)
LENGTHS = _kind("one to four lengths such as `10px 20px`", rf"{_LENGTH}(?:\s+{_LENGTH}){{0,3}}")
SPACING = _kind("a length such as `1px` or `0.1em`", f"{_SIGNED}|normal")
COLOUR = _kind("a colour such as `#1a2b3c` or `navy`", _COLOUR)
BORDER = _kind("a line such as `1px solid #ccc`, or `none`", _ANY_ORDER)
LEADING = _kind("a height such as `24px` or `1.5`", r"\d+(?:\.\d+)?(?:px|%|em)?|normal")
WEIGHT = _kind("a weight such as `bold` or `700`", "normal|bold|bolder|lighter|[1-9]00|inherit")
NUMBER = _kind("a whole number", r"\d+")
SIZE = _kind(
    "`auto`, `cover`, `contain`, or one or two lengths",
    rf"auto|cover|contain|{_LENGTH}(?:\s+(?:{_LENGTH}|auto))?",
)
WIDTH = _kind("`auto`, or a length such as `550px` or `50%`", f"auto|{_LENGTH}")
POSITION = _kind(
    "one or two of top, bottom, left, right, center and lengths",
    rf"(?:top|bottom|left|right|center|{_LENGTH})(?:\s+(?:top|bottom|left|right|center|{_LENGTH}))?",
)
ADDRESS = Kind("a whole address such as `https://example.org/`", re.compile(""))
DECORATION = _kind(
    "none, underline, overline or line-through", "none|underline|overline|line-through"
)

_SIDES = ("top", "right", "bottom", "left")
_BY_NAME: Mapping[str, Kind] = {
    **dict.fromkeys(("padding", "inner-padding", "icon-padding", "text-padding"), LENGTHS),
    **dict.fromkeys(("ico-padding", "border-radius", "inner-border-radius"), LENGTHS),
    "tb-border-radius": LENGTHS,
    **{f"{kind}-{side}": LENGTH for kind in ("padding", "inner-padding") for side in _SIDES},
    **{f"ico-padding-{side}": LENGTH for side in _SIDES},
    **dict.fromkeys(("border", "inner-border", "tb-border"), BORDER),
    **{f"{kind}-{side}": BORDER for kind in ("border", "inner-border") for side in _SIDES},
    **dict.fromkeys(
        (
            "background-color", "border-color", "color", "container-background-color",
            "ico-color", "inner-background-color", "tb-hover-border-color",
            "tb-selected-border-color",
        ),
        COLOUR,
    ),
    **dict.fromkeys(("font-size", "ico-font-size"), PX),
    **dict.fromkeys(("icon-size", "icon-height", "icon-width"), LENGTH),
    **dict.fromkeys(("background-width", "background-height", "border-width", "tb-width"), PX),
    **dict.fromkeys(("line-height", "ico-line-height"), LEADING),
    **dict.fromkeys(("background-position-x", "background-position-y"), POSITION),
    **dict.fromkeys(("text-decoration", "ico-text-decoration"), DECORATION),
    **dict.fromkeys(
        ("text-transform", "ico-text-transform"), _among("none capitalize uppercase lowercase")
    ),
    **dict.fromkeys(
        (
            "href", "src", "background-url", "thumbnails-src", "base-url", "left-icon",
            "right-icon", "icon-wrapped-url", "icon-unwrapped-url",
        ),
        ADDRESS,
    ),
    "align": _among("left center right justify"),
    "text-align": _among("left center right justify"),
    "ico-align": _among("left center right"),
    "background-position": POSITION,
    "background-repeat": _among("repeat no-repeat repeat-x repeat-y"),
    "background-size": SIZE,
    "border-style": _among(_LINES),
    "cellpadding": NUMBER,
    "cellspacing": NUMBER,
    "dir": _among("ltr rtl auto"),
    "direction": _among("ltr rtl"),
    "fluid-on-mobile": _among("true false"),
    "font-style": _among("normal italic oblique"),
    "font-weight": WEIGHT,
    "full-width": _among("full-width false"),
    "height": LENGTH,
    "icon-align": _among("top middle bottom"),
    "icon-position": _among("left right"),
    "letter-spacing": SPACING,
    "max-height": LENGTH,
    "mode": _among("horizontal vertical"),
    "table-layout": _among("auto fixed"),
    "thumbnails": _among("visible hidden supported"),
    "vertical-align": _among("top middle bottom"),
    "width": LENGTH,
}  # fmt: skip
_BY_TAG: Mapping[tuple[str, str], Kind] = {
    ("mj-body", "width"): PX,
    ("mj-breakpoint", "width"): PX,
    ("mj-hero", "width"): PX,
    ("mj-image", "width"): PX,
    ("mj-image", "height"): WIDTH,
    ("mj-table", "width"): WIDTH,
    ("mj-raw", "position"): _among("file-start"),
    ("mj-navbar", "hamburger"): _among("hamburger"),
}


def kind_of(tag: str, attribute: str) -> Kind | None:
    """Returns what an attribute takes; None when any text will do."""
    return _BY_TAG.get((tag, attribute)) or _BY_NAME.get(attribute)


def trouble_with(tag: str, attribute: str, value: str) -> tuple[str, str | None] | None:
    """Says what is wrong with a value, and what to do; None when nothing is."""
    kind = kind_of(tag, attribute)
    if kind is None or _SLOT.search(value):
        return None
    value = value.strip()
    if kind is ADDRESS:
        return _address_trouble(attribute, value)
    if kind.pattern.match(value):
        return None
    hint = f"It takes {kind.what}."
    if kind.words:
        hint = did_you_mean(value, kind.words, kind="words")
    elif re.fullmatch(r"[1-9]\d*(?:\.\d+)?", value) and "px" in kind.what:
        hint = f"Did you mean `{value}px`?"
    shown = f"`{attribute}` can't be `{value[:60]}`." if value else f"`{attribute}` is empty."
    return shown, hint


def _address_trouble(attribute: str, value: str) -> tuple[str, str | None] | None:
    if value.startswith("#") and attribute == "href":
        return None
    try:
        found = urlsplit(value)
    except ValueError:
        return f"`{attribute}` can't be `{value[:60]}`.", f"It takes {ADDRESS.what}."
    if found.scheme in _SCHEMES and (found.netloc or found.scheme not in ("http", "https")):
        return None
    shown = f"`{attribute}` can't be `{value[:60]}`." if value else f"`{attribute}` is empty."
    return shown, f"It takes {ADDRESS.what}: a mail has no folder and runs no script."

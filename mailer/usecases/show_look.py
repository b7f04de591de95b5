"""Shows how the site's pages are to look: the brand of a layout, as far as pages take it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailer.compose.layout_files import THEME, stack
from mailer.compose.templates import Source
from mailer.compose.theme import LEAST, contrast, luminance, read_theme
from mailer.errors import Fault, InputError
from mailer.ports import Folder

_TEXTS = ("ink", "quiet", "accent", "link")
_GROUNDS = ("paper", "tint", "desk")
_OTHERS = ("button", "on_button", "rule", "strong_rule")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}").fullmatch
_SHORT = re.compile(r"#[0-9a-fA-F]{3}").fullmatch
_FONTS = re.compile(r"""[A-Za-z0-9 ,'"_-]{1,300}""").fullmatch
_PICTURE = re.compile(r"[\w./-]{1,200}\.(?:png|jpe?g|gif|webp)", re.ASCII).fullmatch
_LARGEST_LOGO = 300_000  # octets
_EDGE = 3.2  # of a control: WCAG 2.2, success criterion 1.4.11 asks for 3


@dataclass(frozen=True, slots=True)
class Logo:
    """The brand's mark, a picture for each scheme; ``width`` is in pixels."""

    day: tuple[str, bytes]  # ending and data
    night: tuple[str, bytes] | None
    alt: str
    width: int


@dataclass(frozen=True, slots=True)
class Look:
    """Colours by name for light and for dark, ``#rrggbb`` each, fonts, and a logo if there is one.

    A scheme is whole and readable, or empty: then the site's own stands in.
    """

    light: Mapping[str, str]
    dark: Mapping[str, str]
    fonts: Mapping[str, str]
    logo: Logo | None = None


def show_look(name: str, *, layouts: Callable[[str], Folder]) -> Look:
    """The look of a layout of this name.

    Raises InputError when there is none, or its brand tokens can't be read.
    """
    folders = stack(name, layouts).folders
    sources = [
        Source(THEME, each.where(THEME), each.text(THEME))
        for each in reversed(folders)
        if THEME in each.names()
    ]
    faults: list[Fault] = []
    tokens = read_theme(sources, faults).tokens
    if faults:
        raise InputError(faults)
    dark = tokens.get("dark")
    fonts = {
        each: str(tokens[each])
        for each in ("serif", "sans")
        if _FONTS(str(tokens.get(each, ""))) and str(tokens[each]).count('"') % 2 == 0
        if str(tokens[each]).count("'") % 2 == 0
    }
    return Look(
        _scheme(tokens),
        _scheme(dark) if isinstance(dark, dict) else {},
        fonts,
        _logo(tokens, folders),
    )


def _scheme(tokens: Mapping[str, Any]) -> dict[str, str]:
    """The colours of a scheme with those that pages derive; empty when one is missing or pale."""
    colours = {name: _long(str(tokens.get(name, ""))) for name in (*_TEXTS, *_GROUNDS, *_OTHERS)}
    if not all(colours.values()):
        return {}
    pairs = [(text, ground) for text in _TEXTS for ground in _GROUNDS] + [("on_button", "button")]
    if any((contrast(colours[one], colours[two]) or 0) < LEAST for one, two in pairs):
        return {}
    colours["edge"] = _edge(colours)
    colours["button_over"] = _pressed(colours["button"], colours["on_button"])
    return {name.replace("_", "-"): colour for name, colour in colours.items()}


def _edge(colours: Mapping[str, str]) -> str:
    """A line as light as it may be: between quiet text and paper."""
    for share in (0.5, 0.4, 0.3, 0.2, 0.1):
        line = _mixed(colours["quiet"], colours["paper"], share)
        if all((contrast(line, colours[each]) or 0) >= _EDGE for each in _GROUNDS):
            return line
    return colours["quiet"]


def _pressed(button: str, text: str) -> str:
    """The button under a pointer: further away from its text."""
    away = "#000000" if luminance(text) > luminance(button) else "#ffffff"
    return _mixed(button, away, 0.3)


def _mixed(one: str, other: str, share: float) -> str:
    parts = (
        round(int(one[at : at + 2], 16) * (1 - share) + int(other[at : at + 2], 16) * share)
        for at in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02x}" for part in parts)


def _long(colour: str) -> str:
    if _SHORT(colour):
        colour = "#" + "".join(each * 2 for each in colour[1:])
    return colour.lower() if _COLOUR(colour) else ""


def _logo(tokens: Mapping[str, Any], folders: Sequence[Folder]) -> Logo | None:
    day = _picture(str(tokens.get("logo") or ""), folders)
    if day is None:
        return None
    width = tokens.get("logo_width")
    return Logo(
        day,
        _picture(str(tokens.get("logo_dark") or ""), folders),
        str(tokens.get("logo_alt") or ""),
        width if isinstance(width, int) and 16 <= width <= 600 else 200,
    )


def _picture(name: str, folders: Sequence[Folder]) -> tuple[str, bytes] | None:
    """The file of the first layout that has it; what is too large is left out."""
    if not _PICTURE(name):
        return None
    for folder in folders:
        if name in folder.names():
            data = folder.data(name)
            ending = name.rpartition(".")[2].lower()
            return (ending, data) if len(data) <= _LARGEST_LOGO else None
    return None

"""Colours as mail programs see them: contrast, and what an inverting program makes of them.

Contrast is WCAG 2.2's (success criterion 1.4.3, "relative luminance" and "contrast ratio").
"""

from __future__ import annotations

import colorsys
import re
from functools import lru_cache

from PIL import ImageColor

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
_RGBA = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)(?:[\s,/]+([\d.]+)(%?))?\s*\)", re.I)


@lru_cache(maxsize=2000)
def read_colour(text: str) -> Colour | None:
    """Returns a CSS colour; None when it is transparent, inherited, or not understood."""
    text = text.replace("!important", "").strip().lower()
    if text in ("", "transparent", "inherit", "initial", "currentcolor", "none", "unset"):
        return None
    found = _RGBA.fullmatch(text)
    if found:
        if found.group(4) is not None and float(found.group(4)) == 0:
            return None
        red, green, blue = (min(255, int(found.group(each))) for each in (1, 2, 3))
        return red, green, blue
    try:
        named = ImageColor.getrgb(text)
    except ValueError:
        return None
    if len(named) == 4 and named[3] == 0:
        return None
    return named[0], named[1], named[2]


def _channel(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


@lru_cache(maxsize=2000)
def luminance(colour: Colour) -> float:
    """Returns the relative luminance, from 0 (black) to 1 (white)."""
    red, green, blue = (_channel(each) for each in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """Returns the contrast ratio of two colours, from 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@lru_cache(maxsize=2000)
def turned(colour: Colour) -> Colour:
    """Returns a colour with its lightness inverted and its hue kept, as mail programs do it."""
    hue, light, vivid = colorsys.rgb_to_hls(*(each / 255 for each in colour))
    red, green, blue = colorsys.hls_to_rgb(hue, 1 - light, vivid)
    return round(red * 255), round(green * 255), round(blue * 255)


def negative(colour: Colour) -> Colour:
    """Returns a colour with every channel inverted, as a screen's own inversion does it."""
    return 255 - colour[0], 255 - colour[1], 255 - colour[2]


def hexed(colour: Colour) -> str:
    """Returns a colour as people write it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)

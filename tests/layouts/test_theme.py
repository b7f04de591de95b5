"""The brand's colours keep their contrast in light, in dark, and inverted by a mail program."""

from __future__ import annotations

from collections.abc import Mapping
from colorsys import hls_to_rgb, rgb_to_hls
from typing import Any

import pytest

from mailer.compose.layout import Layout

GROUNDS = ("paper", "tint", "desk")
TEXTS = ("ink", "quiet", "accent", "link")
PAIRS = [(text, ground) for text in TEXTS for ground in GROUNDS] + [("on_button", "button")]
LEAST = 4.5  # WCAG 2.2, success criterion 1.4.3

Colour = tuple[float, float, float]


def colour(token: str) -> Colour:
    red, green, blue = (int(token[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.2's contrast ratio."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(shown: Colour) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in shown
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def negative(shown: Colour) -> Colour:
    """Every channel inverted, as a screen's own inversion does it."""
    red, green, blue = shown
    return 1 - red, 1 - green, 1 - blue


def turned(shown: Colour) -> Colour:
    """The lightness inverted and the hue kept, as mail programs do it."""
    hue, lightness, saturation = rgb_to_hls(*shown)
    return hls_to_rgb(hue, 1 - lightness, saturation)


@pytest.mark.parametrize(("text", "ground"), PAIRS)
@pytest.mark.parametrize("inverted", [None, negative, turned])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(
    newsroom: Layout, scheme: str, inverted: Any, text: str, ground: str
) -> None:
    theme: Mapping[str, str] = newsroom.theme if scheme == "light" else newsroom.theme["dark"]
    one, other = colour(theme[text]), colour(theme[ground])
    if inverted is not None:
        one, other = inverted(one), inverted(other)

    assert contrast(one, other) >= LEAST


def test_no_ground_is_pure_white_or_black(newsroom: Layout) -> None:
    for theme in (newsroom.theme, newsroom.theme["dark"]):
        assert not {"#ffffff", "#000000"} & {theme[name].lower() for name in (*GROUNDS, "ink")}


def test_every_colour_of_the_light_scheme_has_a_dark_one(newsroom: Layout) -> None:
    light = {
        name
        for name, token in newsroom.theme.items()
        if isinstance(token, str) and token.startswith("#")
    }

    assert light == set(newsroom.theme["dark"])


@pytest.mark.parametrize("language", ["ar", "de", "en", "es", "fr", "pt", "ru", "zh"])
def test_every_language_says_everything(newsroom: Layout, language: str) -> None:
    (source,) = newsroom.word_sources[language]
    english = newsroom.words("en")
    said = {row.partition(":")[0] for row in source.text.splitlines() if row and row[0] != "#"}

    assert set(newsroom.languages) == {"ar", "de", "en", "es", "fr", "pt", "ru", "zh"}
    assert said == set(english)
    assert all(newsroom.words(language).values())

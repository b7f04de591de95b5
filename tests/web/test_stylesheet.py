"""The colours can be read, in light and in dark (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re

import pytest

from mailer.web.pages import Pages

SHEET = Pages(organisation="", postal_address="", prefix="").stylesheet.data.decode()
LIGHT, DARK = re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL)[:2]


def _colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("block", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_controls_stand_out(block: str) -> None:
    colour = _colours(block)
    for ground in ("paper", "tint"):
        for text in ("ink", "quiet", "accent", "link"):
            assert _contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
        assert _contrast(colour["edge"], colour[ground]) >= 3, ground
    for button in ("button", "button-over"):
        assert _contrast(colour["on-button"], colour[button]) >= 4.5


def test_dark_has_every_colour_that_light_has() -> None:
    assert set(_colours(DARK)) == set(_colours(LIGHT))


def test_what_can_be_pressed_is_large_enough() -> None:
    """WCAG 2.2, 2.5.5: 44 pixels, which are 2.75rem."""
    for rule in (r"\nbutton \{[^}]*", r"footer \.languages a \{[^}]*"):
        found = re.search(rule, SHEET)
        assert found is not None
        assert "min-block-size: 2.75rem" in found[0]
        assert "min-inline-size: 2.75rem" in found[0]


def test_a_right_to_left_language_needs_no_rule_of_its_own() -> None:
    assert not re.search(r"\b(left|right)\b\s*[:;]|-(left|right)\s*:", SHEET)

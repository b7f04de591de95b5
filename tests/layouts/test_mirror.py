"""A right-to-left edition is the mirror image of the same edition set left-to-right."""

from __future__ import annotations

import re
from collections.abc import Callable

from lxml import etree

from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from tests.layouts.conftest import edition_text

SIDES = re.compile(r"\b(left|right|ltr|rtl)\b")
OTHER = {"left": "right", "right": "left", "ltr": "rtl", "rtl": "ltr"}
LATIN = ("letter-spacing", "font-style")  # what Latin letters alone are given
# The engine writes this on every column, and it has no effect: each text says its own side.
CONSTANT = re.compile(r"text-align:\s*left;direction")


def sides(composed: Composed) -> list[list[str]]:
    """What says left or right in each element of the body."""
    body = parse(composed.rendition.html).find("body")
    assert body is not None
    shown: list[list[str]] = []
    for element in body.iter(etree.Element):
        if element.tag == "bdi":  # what keeps its own direction
            continue
        style = CONSTANT.sub("direction", str(element.get("style") or ""))
        rules = {each.strip().replace(" ", "") for each in style.split(";")}
        rules = {each for each in rules if not each.startswith(LATIN)}
        shown.append([str(element.tag), str(element.get("align") or ""), *sorted(rules)])
    return shown


def mirrored(shown: list[list[str]]) -> list[list[str]]:
    swapped = [
        [SIDES.sub(lambda found: OTHER[found.group()], each) for each in row] for row in shown
    ]
    return [[tag, align, *sorted(rules)] for tag, align, *rules in swapped]


def test_everything_that_has_a_side_changes_it(compose: Callable[..., Composed]) -> None:
    for name in ("arabic", "english"):
        text = edition_text(name)
        ltr = sides(compose(re.sub(r"\ndir: ...\n", "\ndir: ltr\n", text)))
        rtl = sides(compose(re.sub(r"\ndir: ...\n", "\ndir: rtl\n", text)))

        assert rtl == mirrored(ltr)
        assert rtl != ltr


def test_an_address_in_latin_letters_keeps_its_direction(editions: dict[str, Composed]) -> None:
    page = parse(editions["arabic"].rendition.html)
    contact = page.xpath("//a[starts-with(@href, 'mailto:editor')]/span")[0]
    address = page.xpath("//p[contains(., 'Lamp Quay')]")[0]

    assert contact.get("dir") == "ltr"
    assert address.get("dir") == "auto"

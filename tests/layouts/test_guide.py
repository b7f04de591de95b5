"""The writers' guide: a picture beside every block, and everything that it shows composes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from PIL import Image

from mailer.compose.check import check
from mailer.compose.compose import Composed
from mailer.compose.layout import Layout
from tests.block_pictures import HEAD, MOST, PICTURES, Example, examples
from tests.layouts.conftest import ROOT

EXAMPLES = list(examples())


def test_every_block_has_its_picture_beside_it(newsroom: Layout) -> None:
    shown = {block for example in EXAMPLES if example.picture for block in example.blocks}

    assert set(newsroom.blocks) - {"text"} - shown == set()  # else: python -m tests.block_pictures


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_a_picture_is_small_and_has_words_for_those_who_do_not_see_it(example: Example) -> None:
    file = PICTURES / example.name
    with Image.open(file) as opened:
        size = opened.size

    assert example.picture == f"pictures/{example.name}"
    assert len(example.alt) > 20
    assert file.stat().st_size < MOST
    assert 200 < size[0] <= 600
    assert size[1] > 30


def test_no_picture_is_left_over() -> None:
    assert {file.name for file in PICTURES.iterdir()} == {each.name for each in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_what_the_guide_shows_composes_clean(
    example: Example, compose: Callable[..., Composed]
) -> None:
    text = re.sub(r"'city == [^']*'", "'list == \"coast\"'", example.text)

    assert check(compose(HEAD + text, picture="net.jpg")).errors == ()


def test_the_guide_leads_from_an_empty_folder_to_a_checked_edition() -> None:
    guide = (ROOT / "docs" / "writing.md").read_text("utf-8")
    steps = ("init", "issues new", "issues preview", "issues check", "issues test")
    places = [guide.index(f"$ mailer {step}") for step in steps]

    assert places == sorted(places)
    assert re.findall(r"!\[[^\]]*\]\((?!pictures/)", guide) == []

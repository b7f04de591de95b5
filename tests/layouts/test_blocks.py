"""Each block does what its page says: its example composes, and its edge cases hold together."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from mailer.compose.check import check
from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from mailer.compose.layout import Layout
from tests.layout_pages import render_page
from tests.layouts.conftest import NEWSROOM, ROOT

HEAD = "---\nsubject: Boats are back\npreheader: A quay again\ntitle: Boats\n---\n"
BLOCKS = sorted(
    path.stem for path in (NEWSROOM / "blocks").glob("*.mjml") if not path.stem.startswith("_")
)
Compose = Callable[..., Composed]


def html(composed: Composed) -> etree._Element:
    return parse(composed.rendition.html)


def said(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())


@pytest.mark.parametrize("block", BLOCKS)
def test_a_blocks_own_example_composes_clean(
    block: str, newsroom: Layout, compose: Compose
) -> None:
    composed = compose(HEAD + newsroom.blocks[block].example, picture="net.jpg")
    found = check(composed)

    assert (found.errors, found.warnings) == ((), ())


def test_the_page_tells_of_every_block_and_option(newsroom: Layout) -> None:
    page = (NEWSROOM / "README.md").read_text(encoding="utf-8")

    assert page == render_page(newsroom)  # else: python -m tests.layout_pages
    assert page.count("\n## `") == len(newsroom.blocks)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_writers_guide_shows_every_block(block: str) -> None:
    guide = (ROOT / "docs" / "writing.md").read_text(encoding="utf-8")

    assert block == "text" or f"::: {block}" in guide


@pytest.mark.parametrize("style", ["lead", "standard", "compact", "left", "right"])
@pytest.mark.parametrize("picture", ["", "picture=net.jpg alt='Two people mend a net'"])
def test_a_story_holds_together_in_every_style_with_and_without_a_picture(
    style: str, picture: str, compose: Compose
) -> None:
    composed = compose(
        f"{HEAD}::: story style={style} {picture}\nheadline: Nets *again*\ndateline: Tilvane\n"
        "caption: A net\ncredit: Somebody\nkicker: Work\n"
        "links: [One](https://e.example.org/1) | [Two](https://e.example.org/2)\nshare: x mail\n\n"
        "First.\n\nSecond.\n:::\n"
    )
    page = html(composed)

    assert said(page.xpath("//h2")[0]) == "Nets again"
    assert "Tilvane – First." in [said(each) for each in page.iter("p")]
    assert [said(each) for each in page.xpath("//p[@class='actions']/a")] == ["One", "Two"]
    assert [said(each) for each in page.xpath("//p[@class='share']/a")] == ["X", "email"]
    assert said(page.xpath("//p[@class='caption']")[0]) == "A net Somebody"
    assert len(page.xpath("//img[not(@class='glyph')]")) == bool(picture)
    assert page.xpath("//a[img[not(@class='glyph')]]/@href") == ["https://e.example.org/1"] * bool(
        picture
    )
    assert "Tilvane – First.\n\nSecond." in composed.rendition.text


def test_links_of_a_row_stay_apart(compose: Compose) -> None:
    composed = compose(
        HEAD + "::: story headline=A\nlinks: [One](https://e.example.org/1)"
        " | [Two](https://e.example.org/2)\nshare: facebook x\n\nText.\n:::\n"
    )
    rows = html(composed).xpath("//p[@class='actions' or @class='share']")

    assert [said(row) for row in rows] == ["One Two", "Share on Facebook X"]


def test_share_links_lead_to_the_story_and_are_told_apart_when_read_aloud(compose: Compose) -> None:
    composed = compose(
        HEAD + "::: story headline='Nets & lines' url=https://e.example.org/nets\n"
        "share: facebook\n\nText.\n:::\n"
    )
    link = html(composed).xpath("//p[@class='share']/a")[0]

    assert "u=https%3A%2F%2Fe.example.org%2Fnets" in link.get("href")
    assert link.get("aria-label") == "Share on Facebook: Nets & lines"


def test_a_dateline_before_a_list_stands_by_itself(compose: Compose) -> None:
    composed = compose(HEAD + "::: story headline=A dateline=Tilvane\n\n- one\n- two\n:::\n")

    assert said(html(composed).xpath("//p[@class='dateline']")[0]) == "Tilvane"
    assert "\nTilvane\n\n- one\n- two\n" in composed.rendition.text


def test_decoration_is_no_link_and_needs_no_words(compose: Compose) -> None:
    composed = compose(
        HEAD + "::: story headline=A picture=net.jpg decorative\n"
        "links: [One](https://e.example.org/1)\n\nText.\n:::\n"
    )
    page = html(composed)

    assert [image.get("alt") for image in page.iter("img")] == [""]
    assert not page.xpath("//a[img]")
    assert check(composed).errors == ()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("The sea decides.", "“The sea decides.”"),
        ("“Ask the sea,” she said.", "“Ask the sea,” she said."),
        ("One.\n\nTwo.", "“One. Two.”"),
    ],
)
def test_a_quote_gets_its_marks_once(written: str, shown: str, compose: Compose) -> None:
    composed = compose(f"{HEAD}::: quote name=Ada\n\n{written}\n:::\n")
    quote = html(composed).xpath("//blockquote")[0]

    assert " ".join(said(each) for each in quote.iter("p")) == shown
    assert " ".join(composed.rendition.text.split()).count(shown) == 1


def test_every_top_level_block_takes_a_condition(newsroom: Layout, compose: Compose) -> None:
    for block in newsroom.blocks:
        if newsroom.blocks[block].inside:
            continue
        example = newsroom.blocks[block].example
        if f"::: {block}" not in example.split("\n", 1)[0]:
            example = f"::: {block}\n\n{example}\n:::\n"
        first, rest = example.split("\n", 1)
        composed = compose(f"{HEAD}{first} when='city == \"Oskarra\"'\n{rest}", picture="net.jpg")
        tags = [slot for slot in composed.rendition.slots if slot.kind == "tag"]

        assert [slot.source for slot in tags] == ['if city == "Oskarra"', "endif"]
        for slot in tags:
            assert composed.rendition.html.count(f"<!--{slot.sentinel}-->") == 1


def test_a_language_that_the_layout_does_not_speak_gets_english_words(compose: Compose) -> None:
    composed = compose(HEAD.replace("title:", "lang: fi\ntitle:") + "Terve.\n")

    assert "Unable to see images? Click here" in composed.rendition.html


def test_the_sample_with_every_block_has_every_block(newsroom: Layout) -> None:
    text = (ROOT / "tests/samples/editions/every-block.md").read_text("utf-8")
    used = {name for name in newsroom.blocks if f"::: {name}" in text}

    assert used | {"text"} == set(newsroom.blocks)

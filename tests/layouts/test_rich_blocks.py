"""The blocks that hold blocks, tables, times and stills say what they are given, and refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from mailer.compose.check import check
from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from mailer.errors import Fault, InputError
from tests.layouts.conftest import PICTURES, ROOT
from tests.layouts.test_blocks import HEAD, html, said

Compose = Callable[..., Composed]
EVENT = (
    "::: event title='Open night'\nstart: 2026-12-04 18:00\nend: 20:00\nzone: Europe/Zurich\n"
    "place: Loft 3\n\nCome.\n:::\n"
)
COLUMNS = (
    ":::: columns\n::: column headline=One\nFirst.\n:::\n::: column headline=Two\nSecond.\n:::\n"
    "::::\n"
)


def faults(compose: Compose, body: str) -> list[Fault]:
    with pytest.raises(InputError) as caught:
        compose(HEAD + body)
    return list(caught.value.faults)


def test_an_event_leads_to_a_calendar_file_that_goes_with_the_edition(compose: Compose) -> None:
    rendition = compose(HEAD + EVENT).rendition
    (file,) = rendition.files
    links = [link for link in parse(rendition.html).iter("a") if ".ics" in str(link.get("href"))]

    assert [(link.get("href"), said(link)) for link in links] == [
        (PICTURES + file.name, "Add to your calendar")
    ]
    assert f"Add to your calendar:\n{PICTURES}{file.name}\n" in rendition.text
    assert b"DTSTART:20261204T170000Z\r\n" in file.data
    assert file in rendition.served
    assert "Friday, 4 December 2026, 18:00–20:00 (Zurich, UTC+1)\nLoft 3\n" in rendition.text


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("zone: Europe/Zurich\n", "", 6, "a time needs its `zone`"),
        ("Europe/Zurich", "Europe/Zürich", 9, "Did you mean `Europe/Zurich`?"),
        ("2026-12-04 18:00", "4 December", 7, "is no day and time"),
        ("20:00", "17:00", 6, "the end is not after the start"),
        ("Open night", "Open {{ city }}", 6, "`title` can't hold personal text"),
        ("2026-12-04 18:00", "2026-03-29 02:30", 6, "the clocks of Europe/Zurich jump over"),
    ],
)
def test_an_event_that_can_not_be_is_told_with_its_line(
    old: str, new: str, line: int, words: str, compose: Compose
) -> None:
    (fault,) = faults(compose, EVENT.replace(old, new))

    assert (fault.file, fault.line) == ("issue.md", line)
    assert words in str(fault)


def test_columns_stand_side_by_side_in_one_section(compose: Compose) -> None:
    composed = compose(HEAD + COLUMNS)
    page = html(composed)
    widths = re.findall(r"mj-column-per-50", composed.rendition.html)

    assert [said(each) for each in page.xpath("//h2")] == ["One", "Two"]
    assert len(widths) >= 2
    assert "One\n---\n\nFirst.\n\nTwo\n---\n\nSecond.\n" in composed.rendition.text


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        (COLUMNS.replace("::: column headline=Two\nSecond.\n:::\n", ""), 6, "holds 2 to 3 blocks"),
        (COLUMNS.replace("column headline=Two", "button"), 10, "`columns` can't hold `button`"),
        ("::: column headline=One\nFirst.\n:::\n", 6, "`column` stands inside of `columns`"),
        (COLUMNS.replace("columns\n", "columns\nWords\n"), 7, "takes blocks and no text"),
        (
            COLUMNS.replace("headline=Two", "headline=Two when='a == 1'"),
            10,
            "Give `columns` the condition",
        ),
    ],
)
def test_columns_that_can_not_be_are_told_with_their_line(
    body: str, line: int, words: str, compose: Compose
) -> None:
    assert (line, True) in [(fault.line, words in str(fault)) for fault in faults(compose, body)]


def test_a_table_has_headings_for_its_columns_and_rows(compose: Compose) -> None:
    composed = compose(
        HEAD
        + "::: table title=Boats named\n\n| Harbour | 2026 |\n|---|--:|\n| Tilvane | 19 |\n:::\n"
    )
    table = html(composed).xpath("//table[caption]")[0]

    assert [(each.get("scope"), said(each)) for each in table.iter("th")] == [
        ("col", "Harbour"),
        ("col", "2026"),
        ("row", "Tilvane"),
    ]
    assert [said(each) for each in table.iter("td")] == ["19"]
    assert said(table.find("caption")) == "Boats"
    assert "Harbour  2026\n-------  ----\nTilvane  19\n" in composed.rendition.text


def test_a_table_holds_a_table_and_nothing_else(compose: Compose) -> None:
    (fault,) = faults(compose, "::: table\n\nWords.\n:::\n")

    assert (fault.line, fault.message) == (8, "`table` holds one table and nothing else.")


def test_the_play_mark_is_painted_into_the_still(compose: Compose) -> None:
    body = (
        "::: {} picture=net.jpg url=https://e.example.org/v\n"
        "alt: A net is mended\n{}: A video\n:::\n"
    )
    marked = compose(HEAD + body.format("video", "title")).rendition
    plain = compose(HEAD + body.format("promo", "line")).rendition
    with (
        Image.open(BytesIO(marked.pictures[0].data)) as still,
        Image.open(BytesIO(plain.pictures[0].data)) as before,
    ):
        middle = (before.width // 2, before.height // 2)

        assert still.size == before.size
        assert still.format == "JPEG"
        assert still.getpixel(middle) == pytest.approx((255, 255, 255), abs=12)  # the triangle
        assert before.getpixel(middle) != pytest.approx((255, 255, 255), abs=40)
    image = parse(marked.html).xpath("//img")[0]
    assert image.get("alt") == "Watch the video, A net is mended"


def test_share_icons_are_ours_and_say_their_name_beside_them(compose: Compose) -> None:
    names = "facebook x linkedin whatsapp telegram bluesky mastodon mail"
    composed = compose(f"{HEAD}::: share on='{names}'\n:::\n")
    icons = html(composed).xpath("//img[@class='glyph']")
    links = [image.getparent() for image in icons]

    assert [said(link) for link in links] == [
        "Facebook", "X", "LinkedIn", "WhatsApp", "Telegram", "Bluesky", "Mastodon", "email",
    ]  # fmt: skip
    assert {image.get("src") for image in icons} <= composed.picture_urls
    assert [image.get("alt") for image in icons] == [""] * 8  # else the name is told twice
    assert all(link.get("aria-label").startswith("Share on ") for link in links)


def test_left_and_right_change_sides_and_the_picture_comes_first_on_a_phone(
    compose: Compose,
) -> None:
    def sides(style: str, direction: str) -> tuple[str, ...]:
        page = html(
            compose(
                HEAD.replace("title:", f"dir: {direction}\ntitle:")
                + f"::: story style={style} picture=net.jpg alt=Nets headline=A\n\nText.\n:::\n"
            )
        )
        cell = page.xpath("//img[@alt='Nets']/ancestor::td[contains(@style, 'direction')]")[-1]
        columns = cell.xpath("./div")
        way = re.search(r"direction:\s*(ltr|rtl)", cell.get("style"))
        assert way is not None
        return (way.group(1), "img" if columns[0].xpath(".//img") else "text")

    assert sides("left", "ltr") == ("ltr", "img")
    assert sides("right", "ltr") == ("rtl", "img")
    assert sides("left", "rtl") == ("rtl", "img")
    assert sides("right", "rtl") == ("ltr", "img")


@pytest.mark.parametrize("name", ["every-block.md", "every-block.ar.md"])
def test_the_samples_with_every_block_are_sound(name: str, compose: Compose) -> None:
    text = (ROOT / "tests/samples/editions" / name).read_text("utf-8")
    found = check(compose(text))

    assert [fault.rule for fault in (*found.errors, *found.warnings)] in ([], ["html-size"])

"""The shipped editions compose without a fault or a warning, into mail that reads well anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import urlsplit

from lxml import etree
from PIL import Image

from mailer.compose.check import check
from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from tests.layouts.conftest import PICTURES, TIDE_TABLE, edition_text

HIDDEN = ("display:none", "display: none")


def said(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())


def texts(page: etree._Element) -> list[str]:
    """The body's pieces of text, in the order of reading."""
    body = page.find("body")
    assert body is not None
    return [text.strip() for text in body.itertext(etree.Element) if text.strip()]


def sentinel_of(edition: Composed, source: str) -> str:
    return next(slot.sentinel for slot in edition.rendition.slots if slot.source == source)


def test_nothing_is_to_be_said_about_an_edition(edition: Composed) -> None:
    found = check(edition)

    assert (found.errors, found.warnings) == ((), ())


def test_the_mail_stays_far_from_where_gmail_cuts(edition: Composed) -> None:
    assert len(edition.rendition.html.encode()) < 75_000


def test_language_and_direction_stand_on_the_document_and_on_the_first_element(
    edition: Composed, page: etree._Element
) -> None:
    wanted = (edition.front.lang, edition.front.dir)
    article = page.xpath("//body//*[@role='article']")[0]

    assert (page.get("lang"), page.get("dir")) == wanted
    assert (article.get("lang"), article.get("dir")) == wanted


def test_the_preheader_is_the_first_text_and_the_fallback_line_the_second(
    edition: Composed, page: etree._Element
) -> None:
    words = texts(page)
    fallback = page.xpath("//*[contains(@class, 'mail-only')]//a")[0]

    assert words[0] == edition.rendition.preheader
    assert words[1] == said(fallback)
    assert fallback.get("href") == sentinel_of(edition, "web_url")


def test_the_whole_english_fallback_sentence_is_the_link(editions: dict[str, Composed]) -> None:
    edition = editions["english"]
    web_url = sentinel_of(edition, "web_url")
    link = parse(edition.rendition.html).xpath(f"//a[@href='{web_url}']")[0]

    assert said(link) == "Unable to see images? Click here"
    assert said(link.getparent()) == said(link)


def test_nothing_is_loaded_but_the_editions_own_pictures(
    edition: Composed, page: etree._Element
) -> None:
    loaded = page.xpath("//@src | //@background | //link/@href")
    styles = " ".join(page.xpath("//@style") + [style.text or "" for style in page.iter("style")])

    assert {src.removeprefix(PICTURES) for src in loaded} == {
        picture.name for picture in edition.rendition.pictures
    }
    assert "url(" not in styles
    assert "@import" not in styles
    assert not page.xpath("//script | //form | //iframe | //object | //base")


def test_every_link_is_whole_and_underlined_without_the_style_block(
    edition: Composed, page: etree._Element
) -> None:
    sentinels = {slot.sentinel for slot in edition.rendition.slots}
    for link in page.iter("a"):
        href, style = str(link.get("href")), str(link.get("style"))
        whole = href in sentinels or urlsplit(href).scheme in ("https", "mailto")
        holds_picture = link.find("img") is not None
        is_button = "display:inline-block;background:" in style.replace(" ", "")

        assert whole, href
        assert "underline" in style or holds_picture or is_button, said(link)


def test_there_is_one_first_heading_and_no_level_is_jumped_over(page: etree._Element) -> None:
    levels = [int(str(each.tag)[1]) for each in page.iter("h1", "h2", "h3", "h4")]

    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later - level <= 1 for level, later in pairwise(levels))


def test_pictures_say_what_they_show_and_keep_their_widths_for_outlook(
    page: etree._Element,
) -> None:
    images = page.xpath("//img[not(@class='glyph')]")  # beside a glyph stands its name

    assert images
    for image in images:
        assert len(str(image.get("alt"))) > 20
        assert 100 <= int(str(image.get("width"))) <= 600
        assert "background-color" in str(image.get("style"))


def test_no_text_is_smaller_than_fourteen_pixels(page: etree._Element) -> None:
    body = page.find("body")
    assert body is not None
    for element in body.iter(etree.Element):
        if not (element.text or "").strip() or any(
            hidden in str(each.get("style"))
            for hidden in HIDDEN
            for each in (element, *element.iterancestors())
        ):
            continue
        sizes = [
            found.group(1)
            for each in (element, *element.iterancestors())
            if (found := re.search(r"font-size:\s*([0-9.]+)px", str(each.get("style"))))
        ]

        assert float(sizes[0]) >= 14, said(element)


def test_actions_are_tall_enough_for_a_thumb(page: etree._Element) -> None:
    for link in page.xpath("//p[@class='actions']/a"):
        height = re.search(r"line-height:\s*(\d+)px", str(link.getparent().get("style")))
        padding = re.search(r"padding:\s*(\d+)px 0", str(link.get("style")))

        assert height is not None
        assert padding is not None
        assert int(height.group(1)) + 2 * int(padding.group(1)) >= 44


def test_style_blocks_stay_small_and_clear_of_a_rule_that_some_mail_programs_misread(
    page: etree._Element,
) -> None:
    for style in page.iter("style"):
        rules = style.text or ""

        assert len(rules) < 8_000
        assert not re.search(r"[^ ]!important", rules)


def test_dark_mode_is_declared_and_survives_inlining(page: etree._Element) -> None:
    names = page.xpath("//meta/@name")
    rules = " ".join(style.text or "" for style in page.iter("style"))

    assert {"color-scheme", "supported-color-schemes"} <= set(names)
    assert "@media (prefers-color-scheme: dark)" in rules
    assert "[data-ogsc] .ink" in rules
    assert "[data-ogsb] .paper" in rules


def test_the_footer_names_the_sender_and_lets_the_reader_go(
    edition: Composed, page: etree._Element
) -> None:
    hrefs = page.xpath("//a/@href")
    words = said(page.xpath("//body")[0])

    assert sentinel_of(edition, "unsubscribe_url") in hrefs
    assert sentinel_of(edition, "preferences_url") in hrefs
    assert "Marren Coast Network" in words
    assert "4 Lamp Quay, Port Elsin" in words


def test_the_web_version_holds_nothing_of_one_readers(edition: Composed) -> None:
    web = edition.rendition.web_html

    assert edition.front.title in web
    assert "4 Lamp Quay" in web
    for source in ("unsubscribe_url", "preferences_url", "email"):
        assert sentinel_of(edition, source) not in web
    assert "[if mso" not in web


def test_the_text_part_has_short_lines_and_every_link_once_in_a_block(edition: Composed) -> None:
    text = edition.rendition.text
    personal = [slot.sentinel for slot in edition.rendition.slots]
    long = [
        line
        for line in text.split("\n")
        if len(line) > 76 and "://" not in line and not any(each in line for each in personal)
    ]

    assert long == []
    assert "\n\n\n" not in text
    assert not re.search(r"<[a-z/]|&[a-z]+;", text)


def test_the_text_part_tells_everything_in_order(editions: dict[str, Composed]) -> None:
    text = editions["english"].rendition.text
    places = [
        text.index(words)
        for words in (
            "The Tide Table\n==============",
            "24 November 2026",
            "Comments/questions: editor@marren.example.org",
            "Low Tavren goes home, two metres higher\n---",
            "Low Tavren – Nine months after",
            "In the picture: Sunday morning",
            "Meet all forty-one families:\nhttps://tidetable.example.org/low-tavren\n",
            "“You do not stop the water.",
            "– Sennet Oduvar, harbour pilot, Port Elsin",
            "Listen: four minutes aboard the last ferry of the day\nhttps://",
            "New publication: Where the Water Goes",
            "- The Elsin Courier reported that the night ferry will run all\n  winter [1]",
            "[1] https://courier.example.com/night-ferry",
            "Media contacts",
            "4 Lamp Quay, Port Elsin",
            "Unsubscribe:\n",
        )
    ]

    assert places == sorted(places)


def test_the_sample_has_what_the_demo_shows(editions: dict[str, Composed]) -> None:
    sources = {slot.source for slot in editions["english"].rendition.slots}

    assert 'first_name | default("reader")' in sources
    assert 'if city == "Port Elsin"' in sources


def test_the_starter_asks_for_no_field_since_a_new_workspace_has_none(
    editions: dict[str, Composed],
) -> None:
    slots = editions["starter"].rendition.slots

    assert {slot.source for slot in slots} == {
        "unsubscribe_url",
        "preferences_url",
        "web_url",
        "email",
    }


def test_the_samples_pictures_are_light_and_wide_enough() -> None:
    pictures = sorted(TIDE_TABLE.glob("*.jpg"))

    assert len(pictures) == 6
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width >= 600
            assert not picture.getexif()
        assert path.stat().st_size <= 150_000


def test_without_pictures_an_edition_says_in_the_layouts_manner_what_they_show(
    compose: Callable[..., Composed],
) -> None:
    text = edition_text("english")
    plain = compose(text.replace("\nlang: en\n", "\nlang: en\nimages: none\n"))
    whole = compose(text)
    page = parse(plain.rendition.html)
    alts = [img.get("alt") for img in parse(whole.rendition.html).iter("img")]
    words = page.xpath("//span[contains(@style, 'padding:12px')]")

    assert len(alts) >= 4
    assert [each.text for each in words] == [alt for alt in alts if alt]
    assert all("background-color:" in each.get("style") for each in words)
    assert PICTURES not in plain.rendition.html
    assert check(plain).errors == ()

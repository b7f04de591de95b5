"""A block may speak another language than its issue: set its own way, and mirrored alone."""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from mailer.errors import Fault, InputError
from tests.layouts.test_mirror import CONSTANT, LATIN, SIDES, mirrored

Compose = Callable[..., Composed]
HEAD = "---\nsubject: Boats\npreheader: Back\nlang: en\n---\n\nHello.\n\n"
STORY = """\
::: story{} style=compact picture=harbour.jpg
alt: Boats at the quay
headline: Boats
kicker: The sea
dateline: Elsin
share: facebook mail

They are back.

- one
- two

> said
:::

Bye.
"""


def block(composed: Composed) -> list[list[str]]:
    """What has a side in each element of the story."""
    page = parse(composed.rendition.html)
    (head,) = [each for each in page.iter("h2") if "".join(each.itertext()) == "Boats"]
    top = head
    while "max-width" not in (top.get("style") or ""):
        parent = top.getparent()
        assert parent is not None
        top = parent
    shown = []
    for element in top.iter(etree.Element):
        if element.tag == "bdi":
            continue
        style = CONSTANT.sub("direction", element.get("style") or "")
        rules = {each.strip().replace(" ", "") for each in style.split(";")}
        kept = sorted(each for each in rules if not each.startswith(LATIN))
        shown.append([str(element.tag), element.get("align") or "", *kept])
    return shown


def test_a_block_is_mirrored_alone(compose: Compose) -> None:
    plain = compose(HEAD + STORY.format(""))
    turned = compose(HEAD + STORY.format(" dir=rtl"))

    assert block(turned) == mirrored(block(plain))
    assert any(SIDES.search(" ".join(row)) for row in block(plain))
    page = parse(turned.rendition.html)
    for element in page.xpath("//*[@dir='rtl']"):
        element.getparent().remove(element)
    assert not [e for e in page.iter(etree.Element) if "rtl" in (e.get("style") or "")]


def test_an_arabic_block_says_its_language_and_speaks_it(compose: Compose) -> None:
    story = STORY.format(" lang=ar").replace("They are back.", 'قال "نعم" على +00 555 0142')
    composed = compose(HEAD + story)
    page = parse(composed.rendition.html)
    said = page.xpath("//h2[text()='Boats' or bdi]/ancestor::*[@lang][1]")

    assert [(each.get("lang"), each.get("dir")) for each in said] == [("ar", "rtl")]
    assert (page.get("lang"), page.get("dir")) == ("en", "ltr")
    assert "قال «نعم» على" in "".join(page.itertext())
    assert '<bdi dir="ltr">+00 555 0142</bdi>' in composed.rendition.html
    assert "شارك عبر" in composed.rendition.html
    assert "speech" not in composed.rendition.html
    web = parse(composed.rendition.web_html)
    assert len(web.xpath("//*[@lang='ar']")) >= 1


def test_a_condition_may_stand_around_it(compose: Compose) -> None:
    story = STORY.format(" lang=ar when='city == \"Elsin\"'")
    html = compose(HEAD + story).rendition.html
    slots = [s.sentinel for s in compose(HEAD + story).rendition.slots if s.source != "city"]

    assert 'lang="ar"' in html
    assert sum(f"<!--{sentinel}-->" in html for sentinel in slots) == 2


def test_what_is_no_language_is_told(compose: Compose) -> None:
    found: list[Fault] = []
    for option in (' lang="a b"', " dir=up"):
        try:
            compose(HEAD + STORY.format(option))
        except InputError as error:
            found += error.faults

    assert [(fault.line, fault.message) for fault in found] == [
        (9, "`a b` is no language."),
        (9, "`dir` is `ltr` or `rtl`, not `up`."),
    ]

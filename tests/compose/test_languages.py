"""A reader gets the language that is nearest to theirs; an issue in several says so everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose.compose import Composed, Variants
from mailer.compose.inline import parse
from mailer.compose.languages import Offered, choose, direction, lookups
from mailer.compose.layout import Layout
from mailer.errors import Fault

OFFERED = [
    Offered("en"),
    Offered("ar"),
    Offered("pt-BR", also_for=("es", "ca")),
    Offered("zh-Hant"),
    Offered("fr"),
]


@pytest.mark.parametrize(
    ("wanted", "given_tag"),
    [
        (None, "en"),
        ("", "en"),
        ("ar", "ar"),
        ("AR", "ar"),
        ("ar-EG", "ar"),
        ("ar_EG", "ar"),
        ("pt-BR", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh-CN", "zh-Hant"),
        ("es-MX", "pt-BR"),
        ("ca", "pt-BR"),
        ("fr-x-quay", "fr"),
        ("de", "en"),
        ("arc", "en"),
    ],
)
def test_the_chain_goes_from_the_whole_tag_to_the_default(
    wanted: str | None, given_tag: str
) -> None:
    assert OFFERED[choose(wanted, OFFERED)].tag == given_tag


@given(st.text(max_size=60))
def test_whatever_a_list_holds_as_a_language_somebody_is_chosen(wanted: str) -> None:
    assert 0 <= choose(wanted, OFFERED) < len(OFFERED)


def test_a_tag_is_shortened_from_the_right() -> None:
    assert list(lookups("zh-Hant-x-quay")) == ["zh-hant-x-quay", "zh-hant", "zh"]


@pytest.mark.parametrize(
    ("tag", "side"),
    [("ar", "rtl"), ("he-IL", "rtl"), ("en", "ltr"), ("ku-Latn", "ltr"), ("az-Arab", "rtl")],
)
def test_the_script_decides_the_direction_else_the_language(tag: str, side: str) -> None:
    assert direction(tag) == side


def test_a_language_calls_itself_by_its_own_name() -> None:
    assert [Offered(tag).name for tag in ("ar", "pt-BR", "zh-Hant", "tlh")] == [
        "العربية",
        "português",
        "繁體中文",
        "tlh",
    ]


def test_the_file_name_says_the_language_and_the_first_file_the_rest(
    compose: Callable[..., Composed], faults_of: Callable[..., list[Fault]]
) -> None:
    variants = Variants("ar", {"date": "2026-11-24", "contact": "desk@example.org"})
    composed = compose("---\nsubject: x\n---\nنص", variants=variants)

    assert (composed.front.lang, composed.front.dir) == ("ar", "rtl")
    assert (str(composed.front.date), composed.front.contact) == ("2026-11-24", "desk@example.org")
    assert [
        (fault.line, fault.message)
        for fault in faults_of(compose, "---\nsubject: x\nlang: fr\n---\n", variants=variants)
    ] == [(3, "The file's name says `ar`, and its `lang` is `fr`.")]


def test_a_page_leads_to_the_other_languages_whatever_the_layout(
    compose: Callable[..., Composed],
    tiny: Layout,
) -> None:
    others = (Offered("ar"), Offered("fr"))
    composed = compose("Hello", variants=Variants(others=others))
    page = parse(composed.rendition.web_html)
    home = next(s.sentinel for s in composed.rendition.slots if s.source == "web_home")
    links: list[Any] = page.xpath("//body/nav/a")

    assert [(a.get("href"), a.get("lang"), a.get("dir"), a.text) for a in links] == [
        (f"{home}/ar", "ar", "rtl", "العربية"),
        (f"{home}/fr", "fr", "ltr", "français"),
    ]
    assert page.xpath("//head/link[@rel='alternate']/@hreflang") == ["ar", "fr"]
    assert "<nav" not in composed.rendition.html


def test_tags_that_also_get_a_variant_are_checked(
    compose: Callable[..., Composed], faults_of: Callable[..., list[Fault]]
) -> None:
    assert compose("Hello", also_for="ca, gl").front.also_for == ("ca", "gl")
    assert [fault.message for fault in faults_of(compose, "Hello", also_for="ca x!")] == [
        "`x!` is no language."
    ]

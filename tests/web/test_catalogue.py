"""Every language says everything, and the language that is chosen is the one that was wished."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mailer.web
from mailer.usecases import show_unsubscribe
from mailer.web.catalogue import FALLBACK, accepted, load_catalogue

CATALOGUE = load_catalogue()
ROOM = Path(mailer.web.__file__).parent
POSITIONS = Path(show_unsubscribe.__file__)  # whose words name sentences


def _slots(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_seven_languages_are_there() -> None:
    assert {"ar", "de", "en", "es", "fr", "ru", "zh"} <= set(CATALOGUE.languages)
    assert [code for code, each in CATALOGUE.languages.items() if each.direction == "rtl"] == ["ar"]


@pytest.mark.parametrize("code", sorted(CATALOGUE.languages))
def test_a_language_is_complete(code: str) -> None:
    language, english = CATALOGUE.languages[code], CATALOGUE.languages[FALLBACK]

    assert set(language.sentences) == set(english.sentences)
    assert language.direction in ("ltr", "rtl")
    assert language.name
    for name, sentence in language.sentences.items():
        assert sentence.strip() == sentence != "", name
        assert _slots(sentence) == _slots(english.sentences[name]), name
        assert not re.search(r"[<>&]", sentence), name  # sentences are text, templates are markup


def test_every_sentence_is_used_and_every_used_one_is_there() -> None:
    sources = [*ROOM.glob("templates/*.html"), *ROOM.glob("*.py"), POSITIONS]
    text = "\n".join(file.read_text("utf-8") for file in sources)
    for name in CATALOGUE.languages[FALLBACK].sentences:
        group, _, leaf = name.partition(".")
        named = f'"{name}"' in text
        by_its_beginning = any(
            f'"{name[:end]}" ~' in text or f'f"{name[:end]}{{' in text
            for end in range(len(group), len(name))
        )
        by_its_end = f'~ ".{leaf}"' in text and f'"{group}"' in text
        assert named or by_its_beginning or by_its_end, name
    for name in re.findall(r'(?:say|plain)\("([a-z_.]+)"[,)]', text):
        assert name in CATALOGUE.languages[FALLBACK].sentences


@pytest.mark.parametrize("code", sorted(CATALOGUE.languages))
def test_values_are_escaped_and_isolated(code: str) -> None:
    language = CATALOGUE.languages[code]

    said = language.say("unsubscribe.title", list="<b>&")
    assert "<bdi>&lt;b&gt;&amp;</bdi>" in said
    assert "<b>&" in language.plain("unsubscribe.title", list="<b>&")


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ((), "en"),
        (("", ""), "en"),
        (("fr",), "fr"),
        (("FR-ch",), "fr"),
        (("tlh", "fr"), "fr"),
        (("en", "fr"), "en"),
        (("../en",), "en"),
    ],
)
def test_the_first_known_wish_counts(wishes: tuple[str, ...], code: str) -> None:
    assert CATALOGUE.choose(*wishes).code == code


@pytest.mark.parametrize(
    ("header", "codes"),
    [
        ("", []),
        ("fr", ["fr"]),
        ("fr-CH, fr;q=0.9, en;q=0.8", ["fr-CH", "fr", "en"]),
        ("en;q=0.1, de ; q=0.7, fr;q=0", ["de", "en"]),
        ("en;q=x, fr", ["fr"]),
        (";;;,,,", []),
    ],
)
def test_accept_language_is_read_by_weight(header: str, codes: list[str]) -> None:
    assert accepted(header) == codes


@given(st.text())
def test_no_header_breaks_the_choice(header: str) -> None:
    assert CATALOGUE.choose(*accepted(header)).code in CATALOGUE.languages

"""Dates, names and share links are written as people expect them."""

from __future__ import annotations

from datetime import date

import pytest

from mailer.compose.dates import day_in_words
from mailer.compose.links import NETWORKS, share, trouble_with
from mailer.compose.names import did_you_mean, nearest


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "1 March 2026"),
        ("en-GB", "1 March 2026"),
        ("en-US", "March 1, 2026"),
        ("fr", "1er mars 2026"),
        ("de-CH", "1. März 2026"),
        ("es", "1 de marzo de 2026"),
        ("pt-BR", "1 de março de 2026"),
        ("ar", "1 مارس 2026"),
        ("zh", "2026年3月1日"),
        ("tlh", "2026-03-01"),
    ],
)
def test_a_day_is_written_in_the_language_of_the_issue(language: str, words: str) -> None:
    assert day_in_words(date(2026, 3, 1), language) == words


def test_every_language_has_twelve_months() -> None:
    for language in ("ar", "de", "en", "es", "fr", "it", "nl", "pt", "ru"):
        assert len({day_in_words(date(2026, month, 2), language) for month in range(1, 13)}) == 12


@pytest.mark.parametrize(
    ("network", "url"),
    [
        ("facebook", "https://www.facebook.com/sharer/sharer.php?u=https%3A%2F%2Fe.org%2F%3Fa%3Db"),
        ("x", "https://x.com/intent/tweet?url=https%3A%2F%2Fe.org%2F%3Fa%3Db&text=A%20%26%20B"),
        (
            "linkedin",
            "https://www.linkedin.com/sharing/share-offsite/?url=https%3A%2F%2Fe.org%2F%3Fa%3Db",
        ),
        ("whatsapp", "https://wa.me/?text=A%20%26%20B%20https%3A%2F%2Fe.org%2F%3Fa%3Db"),
        ("telegram", "https://t.me/share/url?url=https%3A%2F%2Fe.org%2F%3Fa%3Db&text=A%20%26%20B"),
        ("mail", "mailto:?subject=A%20%26%20B&body=https%3A%2F%2Fe.org%2F%3Fa%3Db"),
    ],
)
def test_share_links_are_plain_links(network: str, url: str) -> None:
    assert share(network, "https://e.org/?a=b", "A & B") == url
    assert network in NETWORKS


def test_a_sentinel_survives_a_share_link() -> None:
    assert share("facebook", "q1234n1z").endswith("?u=q1234n1z")


@pytest.mark.parametrize(
    "url", ["https://example.org", "http://a.b/c?d#e", "mailto:a@b.org", "tel:+41221234567"]
)
def test_whole_addresses_are_fine(url: str) -> None:
    assert trouble_with(url) is None


@pytest.mark.parametrize(
    "url", ["", "a/b", "#x", "ftp://a", "https://", "https://[", "https://a b"]
)
def test_others_are_not(url: str) -> None:
    assert trouble_with(url)


def test_the_nearest_name_is_found() -> None:
    assert nearest("headlin", ["headline", "links"]) == "headline"
    assert nearest("zzz", ["headline", "links"]) is None
    assert did_you_mean("zzz", ["b", "a"], kind="blocks") == "Known blocks: a, b."
    assert did_you_mean("stroy", ["story"], kind="blocks") == "Did you mean `story`?"
    assert did_you_mean("x", [], kind="blocks") == "There is no blocks to choose from."

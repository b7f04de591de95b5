"""A mail shows its pictures from the site, from inside of itself, or says what they show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailer.compose import compose as composing
from mailer.compose.check import check
from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from mailer.errors import Fault

Compose = Callable[..., Composed]
STORY = "::: story picture=boat.png\nalt: A boat at the quay\nheadline: Boats\n\nBack.\n:::"
DECORATION = "::: story picture=boat.png decorative\nheadline: Boats\n\nBack.\n:::"


def shown(composed: Composed, *, web: bool = False) -> list[tuple[str, str]]:
    rendition = composed.rendition
    page = parse(rendition.web_html if web else rendition.html)
    return [(str(img.get("src")), str(img.get("alt"))) for img in page.iter("img")]


def test_a_mail_shows_its_pictures_as_the_front_matter_wants(compose: Compose) -> None:
    hosted = compose(STORY)
    ((address, alt),) = shown(hosted)
    (picture,) = hosted.rendition.pictures
    embedded = compose(STORY, images="embedded")
    none = compose(STORY, images="none")

    assert (address, alt) == (f"https://news.example.org/i/{picture.name}", "A boat at the quay")
    assert shown(embedded) == [(f"cid:{picture.content_id}", alt)]
    assert (embedded.rendition.embedded, hosted.rendition.embedded) == ((picture.name,), ())
    assert shown(none) == []
    assert "A boat at the quay" in "".join(parse(none.rendition.html).itertext())
    assert picture.name not in none.rendition.html
    for each in (hosted, embedded, none):
        assert shown(each, web=True) == [(address, alt)]
        assert each.rendition.pictures == (picture,)
        assert check(each).errors == check(hosted).errors


def test_a_decoration_goes_without_a_trace(compose: Compose) -> None:
    assert shown(compose(DECORATION)) != []
    assert shown(compose(DECORATION, images="none")) == []


def test_other_words_are_refused(compose: Compose, faults_of: Callable[..., list[Fault]]) -> None:
    (fault,) = faults_of(compose, "Hello", images="embeded")

    assert (fault.message, fault.hint) == (
        "`images` can't be `embeded`.",
        "Did you mean `embedded`?",
    )
    assert fault.line == 4


def test_too_much_is_not_put_into_every_mail(
    compose: Compose, faults_of: Callable[..., list[Fault]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composing, "MOST_EMBEDDED", 10)
    (fault,) = faults_of(compose, STORY, images="embedded")

    assert (fault.rule, fault.line) == ("pictures", 4)
    assert compose(STORY).rendition.pictures

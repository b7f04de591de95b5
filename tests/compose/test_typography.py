"""Quotation marks, dashes and spaces come out as each language wants them, and in nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose.compose import Composed
from mailer.compose.directives import Body
from mailer.compose.lifting import Lifter, choose_prefix
from mailer.compose.markdown import Markdown
from mailer.compose.typography import typeset
from mailer.errors import Fault

N, T = "\u00a0", "\u202f"


def html(text: str, language: str, direction: str = "ltr") -> str:
    faults: list[Fault] = []
    lifter = Lifter("issue.md", choose_prefix([text]), faults)
    lifted = lifter.lift(text, 1)
    markdown = Markdown(language, lifter, faults, direction=direction)
    done = markdown.html(markdown.parse(Body(lifted.text, lifted.numbers)))
    assert faults == []
    for slot in lifter.slots.values():
        done = done.replace(slot.sentinel, f"<{slot.source}>")
    return done.removeprefix("<p>").removesuffix("</p>")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "“a ‘b’ c”"),
        ("en-US", "“a ‘b’ c”"),
        ("fr", f"«{N}a “b” c{N}»"),
        ("fr-CH", f"«{T}a ‹{T}b{T}› c{T}»"),
        ("de", "„a ‚b‘ c“"),
        ("de-CH", "«a ‹b› c»"),
        ("es", "«a “b” c»"),
        ("es-MX", "“a ‘b’ c”"),
        ("ru", "«a „b“ c»"),
        ("pl", "„a «b» c”"),
        ("sv", "”a ’b’ c”"),
        ("ja", "「a 『b』 c」"),
        ("ar", "«a “b” c»"),
        ("sw", "&quot;a 'b' c&quot;"),
    ],
)
def test_quotation_marks_are_those_of_the_language(language: str, said: str) -> None:
    assert html("\"a 'b' c\"", language) == said


@pytest.mark.parametrize(
    ("written", "set_as"),
    [
        ("it's the '90s, rock 'n' roll", "it’s the ’90s, rock ‘n’ roll"),
        ("the boats' crews don't", "the boats’ crews don’t"),
        ('"*Now*," she said, "go."', "“<em>Now</em>,” she said, “go.”"),
        ('("a") and [b](https://x.org/"c")', '(“a”) and <a href="https://x.org/%22c%22">b</a>'),
        ('5" of rain', "5&quot; of rain"),
        ('a "b "c" d" e', "a “b ‘c’ d” e"),
        ('\\"straight\\"', "&quot;straight&quot;"),
        ("a - b -- c, d--e, f---g", "a – b – c, d–e, f—g"),
        ("so... and .... and ..", "so… and .... and .."),
        ("--json stays, x-y too, 1990-1995", "--json stays, x-y too, 1990-1995"),
        ('`"a" -- b...` and https://x.org/a--b...', None),
        ("write to o'neil--x@example.org", "write to o'neil--x@example.org"),
        ('"{{ name | default("x--y...") }}"', '“<name | default("x--y...")>”'),
        ('{% if a %}"yes"{% endif %}', "<if a>“yes”<endif>"),
        ('"one\ntwo"', "“one two”"),
    ],
)
def test_in_english_marks_pair_and_code_addresses_and_values_stay(
    written: str, set_as: str | None
) -> None:
    if set_as is None:
        set_as = "<code>&quot;a&quot; -- b...</code> and https://x.org/a--b..."
    assert html(written, "en") == set_as


@pytest.mark.parametrize(
    ("written", "set_as"),
    [
        ("Quoi ? Oui ! Non ; bien : voilà", f"Quoi{T}? Oui{T}! Non{T}; bien{N}: voilà"),
        ("Quoi? Oui! *Ici* ! Là:", f"Quoi{T}? Oui{T}! <em>Ici</em>{T}! Là{N}:"),
        ("« ici » et «là»", f"«{N}ici{N}» et «{N}là{N}»"),
        ("Vraiment ?! (oui !)", f"Vraiment{T}?! (oui{T}!)"),
        ("10:30, https://x.org/?a=b : 12 000 bateaux, 15 %", None),
        ("l'eau d'\"ici\"", f"l’eau d’«{N}ici{N}»"),
        ("{{ prenom }} !", f"<prenom>{T}!"),
    ],
)
def test_in_french_the_spaces_do_not_break(written: str, set_as: str | None) -> None:
    if set_as is None:
        set_as = f"10:30, https://x.org/?a=b{N}: 12{T}000 bateaux, 15{N}%"
    assert html(written, "fr") == set_as


def test_other_lands_and_languages_have_their_own() -> None:
    assert html("Quoi? Bien : oui", "fr-CA") == f"Quoi? Bien{N}: oui"
    assert html("Вода - сила", "ru") == f"Вода{N}— сила"
    assert html("5 % Regen", "de") == f"5{N}% Regen"
    assert (
        html('צה"ל אמר "שלום"', "he") == '<bdi dir="rtl">צה״ל אמר</bdi> ”<bdi dir="rtl">שלום</bdi>”'
    )


def test_subject_and_plain_options_are_set_too(compose: Callable[..., Composed]) -> None:
    composed = compose(
        '::: story headline="It\'s" picture=boat.png alt="The \'Ada\'..."\n\nBack.\n:::',
        subject='It\'s the "big" day',
    )

    assert composed.rendition.subject == "It’s the “big” day"
    assert "The ‘Ada’…" in composed.rendition.html


def test_a_line_of_plain_text_is_set_alike() -> None:
    assert typeset('The "big" day...', "en") == "The “big” day…"
    assert typeset('The "big" day...', "sw") == 'The "big" day...'


@given(
    st.text(st.sampled_from(list("ab \"'-.:!?«»()1\n")), max_size=60),
    st.sampled_from(["en", "fr", "de", "he"]),
)
def test_nothing_but_signs_and_spaces_changes(text: str, language: str) -> None:
    done = typeset(text, language)

    letters = [sign for sign in text if sign.isalnum()]
    assert [sign for sign in done if sign.isalnum()] == letters
    assert done.count('"') <= text.count('"')


@pytest.mark.timeout(60)  # it takes a second; with the square of their number it took minutes
def test_many_marks_come_to_an_end() -> None:
    for text in ('"' * 100_000, "'a" * 50_000, '"a ' * 30_000, "«" * 100_000, "-" * 100_000):
        typeset(text, "fr")
        assert len(typeset(text, "en")) >= len(text) // 3


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("اتصل على +00 555 0142 الآن", 'اتصل على <bdi dir="ltr">+00 555 0142</bdi> الآن'),
        ("قالت Radio Tilvane 99.5. ثم", 'قالت <bdi dir="ltr">Radio Tilvane 99.5</bdi>. ثم'),
        ("عاد 41 شخصًا في 2026-11-24", 'عاد 41 شخصًا في <bdi dir="ltr">2026-11-24</bdi>'),
        ("صباح الخير يا {{ name }}.", "صباح الخير يا <bdi><name></bdi>."),
        ("{% if a %}نعم{% endif %}", "<if a>نعم<endif>"),
        ("**AT&T** هنا", '<strong><bdi dir="ltr">AT&amp;T</bdi></strong> هنا'),
    ],
)
def test_what_runs_the_other_way_is_isolated(written: str, shown: str) -> None:
    assert html(written, "ar", "rtl") == shown


def test_arabic_inside_of_english_is_isolated_and_english_is_not() -> None:
    assert html("Say صباح الخير, 3 times.", "en") == 'Say <bdi dir="rtl">صباح الخير</bdi>, 3 times.'

"""Merge expressions leave a text as sentinels, and every line keeps the author's number."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose.lifting import Lifted, Lifter, check_nesting, choose_prefix
from mailer.errors import Fault
from mailer.model.words import Slot, SlotKind


def lift(text: str, *, line: int = 1, yaml: bool = False) -> tuple[Lifted, Lifter]:
    lifter = Lifter("issue.md", choose_prefix([text]), [])
    return lifter.lift(text, line, yaml=yaml), lifter


def sources(lifter: Lifter) -> list[str]:
    return [slot.source for slot in lifter.slots.values()]


def test_values_and_tags_become_sentinels() -> None:
    lifted, lifter = lift("Dear {{ name }}, {% if a == 'b' %}hi{% endif %}.", line=7)

    first, second, third = lifter.slots
    assert lifted.text == f"Dear {first}, {second}hi{third}."
    assert [(slot.kind, slot.source, slot.line) for slot in lifter.slots.values()] == [
        (SlotKind.value, "name", 7),
        (SlotKind.tag, "if a == 'b'", 7),
        (SlotKind.tag, "endif", 7),
    ]
    assert all(sentinel.isascii() and sentinel.isalnum() for sentinel in lifter.slots)


def test_lines_keep_their_numbers_behind_an_expression_of_several_lines() -> None:
    lifted, lifter = lift("a\n{{ name |\n  default('x')\n}}\nb\n{{ city }}\nc", line=10)

    assert lifted.text.split("\n")[2] == "b"
    assert lifted.numbers == (10, 11, 14, 15, 16)
    assert [slot.line for slot in lifter.slots.values()] == [11, 15]


@pytest.mark.parametrize(
    ("text", "result", "numbers"),
    [
        ("a {# note #}b", "a b", (1,)),
        ("a\n{# note #}\nb", "a\nb", (1, 3)),
        ("a\n  {# no\nte #}  \nb", "a\nb", (1, 4)),
        ("{# {{ x }} #}a", "a", (1,)),
        ("a\n{# end #}", "a\n", (1, 2)),
    ],
)
def test_comments_are_dropped_with_the_line_that_was_only_theirs(
    text: str, result: str, numbers: tuple[int, ...]
) -> None:
    lifted, lifter = lift(text)

    assert (lifted.text, lifted.numbers) == (result, numbers)
    assert lifter.faults == []
    assert lifter.slots == {}


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ('{{ "}}" }}', '"}}"'),
        ("{{ '%}' | upper }}", "'%}' | upper"),
        ('{{ a["b}"] }}', 'a["b}"]'),
        (r'{{ "a\"}}" }}', r'"a\"}}"'),
        ("{{- name -}}", "name"),
        ("{{name}}", "name"),
    ],
)
def test_a_string_may_hold_what_would_close_the_expression(text: str, source: str) -> None:
    _, lifter = lift(text)

    assert (sources(lifter), lifter.faults) == ([source], [])


def test_a_dash_takes_the_blanks_beside_it() -> None:
    lifted, lifter = lift("a  {%- if b -%}  c\n{%- endif %} d")

    first, second = lifter.slots
    assert lifted.text == f"a{first}c\n{second} d"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("subject: Hi {{ n | default('x') }}", "n | default('x')"),
        ("""subject: "Hi {{ n | default(\\"x\\") }}\"""", 'n | default("x")'),
        ("subject: 'Hi {{ n | default(''x'') }}'", "n | default('x')"),
        ('subject: {{ n | default("a: b # c") }}', 'n | default("a: b # c")'),
    ],
)
def test_front_matter_may_escape_quotes_as_yaml_does(text: str, source: str) -> None:
    _, lifter = lift(text, yaml=True)

    assert (sources(lifter), lifter.faults) == ([source], [])


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a\n{{ name", 2, "never closes"),
        ("{% if x }}\n", 1, "never closes"),
        ("{# note", 1, "never closes"),
        ("a\n\nb }} c", 3, "closes nothing"),
        ("b %} c", 1, "closes nothing"),
        ("{{ it's }}", 1, "odd quote"),
        ("{{ }}", 1, "nothing between"),
        ("{{ " + "x" * 3000 + " }}", 1, "never closes"),
    ],
)
def test_each_fault_names_its_line(text: str, line: int, says: str) -> None:
    _, lifter = lift(text)

    assert [(fault.line, fault.rule) for fault in lifter.faults][:1] == [(line, "personal-text")]
    assert says in str(lifter.faults[0])


@pytest.mark.parametrize("piece", ["{{ ", '{{ "', "{{ '", "{% x", "}} ", "{{ {% {# "])
def test_a_page_of_open_braces_takes_no_time(piece: str) -> None:
    started = time.monotonic()

    _, lifter = lift(piece * 50_000)

    assert 1 <= len(lifter.faults) <= 20
    assert time.monotonic() - started < 20  # it takes milliseconds; quadratic it took minutes


def test_the_prefix_occurs_in_no_text_and_is_the_same_each_time() -> None:
    texts = ["some text", "and more"]

    prefix = choose_prefix(texts)

    assert prefix == choose_prefix(texts)
    assert prefix not in choose_prefix([*texts, prefix])


def test_no_sentinel_is_the_beginning_of_another() -> None:
    _, lifter = lift("{{ a }}" * 120)

    sentinels = list(lifter.slots)
    assert not any(a != b and b.startswith(a) for a in sentinels for b in sentinels)


plain = st.text(
    st.characters(exclude_characters="{}%#", exclude_categories=("Cs", "Cc")) | st.just("\n"),
    max_size=30,
)
expressions = st.sampled_from(["{{ a }}", "{% if b %}", '{{ c | default("x\\"}}") }}', "{{d\n}}"])


@given(st.lists(st.tuples(plain, expressions), max_size=8), plain)
def test_putting_the_expressions_back_gives_the_source(
    pairs: list[tuple[str, str]], tail: str
) -> None:
    text = "".join(before + expression for before, expression in pairs) + tail

    lifted, lifter = lift(text, line=3)

    back = lifted.text
    for (_, expression), slot in zip(pairs, lifter.slots.values(), strict=True):
        back = back.replace(slot.sentinel, expression, 1)
    assert back == text
    assert len(lifted.numbers) == lifted.text.count("\n") + 1
    rows = text.split("\n")
    for row, number in zip(lifted.text.split("\n"), lifted.numbers, strict=True):
        before = row.split(lifter.prefix)[0]
        assert rows[number - 3].startswith(before) or before in rows[number - 3]


def tags(*found: str) -> list[Slot]:
    return [Slot(f"s{n}", SlotKind.tag, source, "i.md", n + 1) for n, source in enumerate(found)]


@pytest.mark.parametrize(
    "found",
    [
        (),
        ("if a", "endif"),
        ("if a", "elif b", "else", "endif"),
        ("for x in list", "if x", "endif", "else", "endfor"),
    ],
)
def test_tags_that_close_are_fine(found: tuple[str, ...]) -> None:
    faults: list[Fault] = []

    assert check_nesting(tags(*found), faults, place="the paragraph") == []
    assert faults == []


@pytest.mark.parametrize(
    ("found", "line", "says"),
    [
        (("if a",), 1, "does not close in the paragraph"),
        (("if a", "endif", "endif"), 3, "closes nothing in the paragraph"),
        (("if a", "endfor"), 2, "`{% endfor %}` closes nothing"),
        (("for x in y", "elif b", "endfor"), 2, "`{% elif %}` closes nothing"),
        (("else",), 1, "closes nothing"),
        (("set x = 1",), 1, "can't be used"),
        (("include 'x'",), 1, "can't be used"),
        (("raw",), 1, "can't be used"),
    ],
)
def test_tags_that_do_not_close_are_faults(found: tuple[str, ...], line: int, says: str) -> None:
    faults: list[Fault] = []

    check_nesting(tags(*found), faults, place="the paragraph")

    assert faults[0].line == line
    assert says in faults[0].message

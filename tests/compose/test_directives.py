"""The body of an issue is plain Markdown and blocks, and a fence that is wrong names its line."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose.directives import Block, Body, Option, Part, read_blocks, unquote
from mailer.compose.lifting import Lifted
from mailer.errors import Fault


def read(text: str, first: int = 1) -> tuple[list[Part], list[Fault]]:
    faults: list[Fault] = []
    numbers = tuple(range(first, first + text.count("\n") + 1))
    return read_blocks(Lifted(text, numbers), "issue.md", faults), faults


def block(text: str) -> Block:
    parts, faults = read(text)
    assert faults == []
    (part,) = parts
    assert isinstance(part, Block)
    return part


def test_plain_markdown_stands_before_between_and_after_blocks() -> None:
    parts, faults = read("One\n\n::: a\n:::\nTwo\n::: b\n:::\n\nThree", first=5)

    assert faults == []
    assert [part.name if isinstance(part, Block) else part.text.strip() for part in parts] == [
        "One",
        "a",
        "Two",
        "b",
        "Three",
    ]
    assert isinstance(parts[2], Body)
    assert parts[2].line(0) == 9


def test_options_stand_on_the_opening_line_and_below_it() -> None:
    found = block(
        """::: story picture=boat.png alt="Boats at 'the' quay" wide when='city == "Geneva"'
headline: The new quay
  goes on
links: [Read more](https://example.org/a?b=c) | [Watch](https://example.org)
empty:

Markdown: not an option

Second
:::"""
    )

    assert found.options == {
        "picture": Option("boat.png", 1),
        "alt": Option("Boats at 'the' quay", 1),
        "wide": Option(None, 1),
        "when": Option('city == "Geneva"', 1),
        "headline": Option("The new quay goes on", 2),
        "links": Option("[Read more](https://example.org/a?b=c) | [Watch](https://example.org)", 4),
        "empty": Option("", 5),
    }
    assert found.body.text == "Markdown: not an option\n\nSecond"
    assert found.body.line(2) == 9


def test_a_body_may_begin_at_once() -> None:
    found = block("::: text\nHello *there*.\n\nheadline: text now\n:::")

    assert (found.options, found.body.text) == ({}, "Hello *there*.\n\nheadline: text now")


def test_a_fence_needs_no_blank_behind_its_colons() -> None:
    assert block(":::story\n:::").name == "story"


def test_an_outer_block_has_one_colon_more() -> None:
    outer = block("::::: a\n:::: b\n::: c\nx\n:::\n::: d\n:::\n::::\n:::::")

    inner = outer.children[0]
    assert [child.name for child in inner.children] == ["c", "d"]
    assert inner.children[0].body.text == "x"


def test_colons_in_fenced_code_are_text() -> None:
    found = block("::: text\n\n```\n::: story\n:::\n```\n\nafter\n:::")

    assert found.body.text == "```\n::: story\n:::\n```\n\nafter"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ('"a b"', "a b"),
        ("'a \"b\"'", 'a "b"'),
        (r'"a \"b\" \\ c"', 'a "b" \\ c'),
        ('"A" and "B"', '"A" and "B"'),
        ('"', '"'),
        ("", ""),
        (r"C:\new", r"C:\new"),
    ],
)
def test_quotes_come_off(value: str, plain: str) -> None:
    assert unquote(value) == plain


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a\n\n::: story\nheadline: x\n", 3, "`story` never closes"),
        ("a\n:::\n", 2, "closes nothing"),
        ("::: a\n:::\n:::\n", 3, "closes nothing"),
        ("::: a\n\n::: b\n:::\n", 1, "`a` never closes; `b` opens on line 3"),
        (":::: a\n::: b\n::::\n", 2, "`b` never closes"),
        ("::: a\n::::\n:::\n", 2, "`::::` closes nothing"),
        ("::: a =x\n:::\n", 1, "no option of the form"),
        ('::: a alt="x\n:::\n', 1, "no option of the form"),
        ("::: a alt=x alt=y\n:::\n", 1, "stands twice"),
        ("::: a alt=x\nalt: y\n:::\n", 2, "first on line 1"),
        ("::: a\nalt: y\nSome text\n:::\n", 3, "blank line between the options and the text"),
    ],
)
def test_each_fault_names_its_line(text: str, line: int, says: str) -> None:
    _, faults = read(text)

    assert len(faults) == 1
    assert says in str(faults[0])
    assert (faults[0].file, faults[0].line, faults[0].rule) == ("issue.md", line, "blocks")


def test_all_faults_are_told_together() -> None:
    _, faults = read(":::\n::: a\n::: b\n:::\n\n:::: c\n")

    assert [fault.line for fault in faults] == [1, 2, 6]


def test_two_thousand_levels_are_one_fault() -> None:
    opening = [f"{':' * colons} story" for colons in range(2003, 3, -1)]
    closing = [":" * colons for colons in range(4, 2004)]
    started = time.monotonic()

    _, faults = read("\n".join([*opening, *closing]))

    assert [(fault.line, "nested deeper" in fault.message) for fault in faults] == [(9, True)]
    assert time.monotonic() - started < 20


@given(st.text(st.sampled_from(list(":`~ \nab=\"'\\#")), max_size=80))
def test_no_line_is_lost_or_moved(text: str) -> None:
    """Whatever the fences, every line of text in a body is the line that its number names."""
    parts, _ = read(text)

    rows = text.split("\n")
    todo = list(parts)
    while todo:
        part = todo.pop()
        body = part if isinstance(part, Body) else part.body
        for row, number in zip(body.text.split("\n"), body.numbers, strict=False):
            assert rows[number - 1] == row
        if isinstance(part, Block):
            todo += part.children

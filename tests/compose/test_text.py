"""The text part can be read aloud: wrapped, its links numbered, its lists and tables lined up."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose.directives import Body
from mailer.compose.lifting import Lifter, choose_prefix
from mailer.compose.markdown import Markdown
from mailer.compose.text import References, text_of, tidy
from mailer.compose.wrapping import WIDTH, anchored, columns, wrapped


def text(source: str, references: References | None = None) -> str:
    lifter = Lifter("issue.md", choose_prefix([source]), [])
    lifted = lifter.lift(source, 1)
    parsed = Markdown("fr", lifter, lifter.faults).parse(Body(lifted.text, lifted.numbers))
    result = text_of(parsed, references or References())
    for slot in lifter.slots.values():
        result = result.replace(slot.sentinel, f"<{slot.source}>")
    return result


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (
            "# Head\n\nText *with* **signs** and `code` ~~gone~~",
            "Head\n----\n\nText with signs and code gone",
        ),
        ("a\nb  \nc", "a b\nc"),
        ("- a\n- b\n  - c", "- a\n- b\n\n  - c"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("- a\n\n  b\n- c", "- a\n\n  b\n\n- c"),
        ("> a\n>\n> b", "> a\n>\n> b"),
        ("a\n\n---\n\nb", "a\n\n* * *\n\nb"),
        ("```\nx  y\n```", "    x  y"),
        (
            "<a@example.org> [write](mailto:b@example.org?subject=x)",
            "a@example.org write (b@example.org)",
        ),
        ("<https://example.org/a>", "https://example.org/a"),
        ("a\n{% if x %}\nb\n{% endif %}", "a\n\n<if x>\nb\n\n<endif>"),
        ("{% if x %}\na\n{% endif %}\nb", "<if x>\na\n\n<endif>\nb"),
        ("- a\n{% if x %}\n- b\n{% endif %}\n- c", "- a\n<if x>\n- b\n<endif>\n- c"),
        ("- a\n{% if x %}\n- b\n{% endif %}", "- a\n<if x>\n- b\n<endif>"),
        ("&amp; &lt;", "& <"),
    ],
)
def test_markdown_reads_as_plain_text(source: str, result: str) -> None:
    assert text(source) == result


def test_each_link_has_one_number_and_is_written_out_once() -> None:
    references = References()

    first = text(
        "[a](https://example.org/1) [b](https://example.org/2) [c](https://example.org/1)",
        references,
    )
    listed = references.take()
    second = text("[d](https://example.org/3) [e](https://example.org/2)", references)

    assert first == "a [1] b [2] c [1]"
    assert listed == ["[1] https://example.org/1", "[2] https://example.org/2"]
    assert (second, references.take()) == ("d [3] e [2]", ["[3] https://example.org/3"])


def test_a_link_of_a_block_for_some_is_listed_again_for_the_others() -> None:
    references = References()

    text("[a](https://example.org/1)", references)
    some = references.take(for_all=False)
    text("[b](https://example.org/1)", references)

    assert some == references.take() == ["[1] https://example.org/1"]


def test_a_number_stays_with_its_word() -> None:
    lines = wrapped("word " * 13 + "last [12], and more")

    assert lines == ["word " * 12 + "word", "last [12], and more"]


@pytest.mark.parametrize(
    ("line", "direction", "result"),
    [
        ("UNICEF قالت", "rtl", "\u200fUNICEF قالت"),
        ("قالت UNICEF", "rtl", "قالت UNICEF"),
        ("[1] https://example.org/", "rtl", "[1] https://example.org/"),
        ("- 12 UNICEF קול", "rtl", "\u200f- 12 UNICEF קול"),
        ("שלום says", "ltr", "\u200eשלום says"),
        ("says שלום", "ltr", "says שלום"),
        ("שלום", "ltr", "שלום"),
        ("--- 12 ---", "rtl", "--- 12 ---"),
        ("", "rtl", ""),
    ],
)
def test_a_line_keeps_the_direction_of_its_text(line: str, direction: str, result: str) -> None:
    assert anchored(line, direction) == result


def test_chinese_is_wrapped_by_columns_and_by_its_rules() -> None:
    lines = wrapped("港口重新开放了，" * 12)

    assert "".join(lines) == "港口重新开放了，" * 12
    assert all(columns(line) <= WIDTH for line in lines)
    assert all(columns(line) > WIDTH - 6 for line in lines[:-1])
    assert not any(line.startswith("，") for line in lines)


def test_a_heading_is_underlined_as_wide_as_it_looks() -> None:
    assert text("## 港口") == "港口\n----"


def test_a_small_table_is_lined_up() -> None:
    assert text("| Port | Boats |\n|---|---|\n| Quay | 12 |\n| Old harbour | 3 |") == (
        "Port         Boats\n-----------  -----\nQuay         12\nOld harbour  3"
    )


def test_a_wide_table_is_told_row_by_row() -> None:
    long = "word " * 14
    result = text(f"| Port | News |\n|---|---|\n| Quay | {long}|\n| Pier | {long}|")

    assert result.startswith("Port: Quay\nNews: word word")
    assert "\n\nPort: Pier\n" in result
    assert all(len(line) <= WIDTH for line in result.split("\n"))


def test_an_address_is_never_broken() -> None:
    url = "https://example.org/" + "a" * 100

    assert url in wrapped(f"See {url} for more")


def test_tidy_leaves_one_blank_line_and_no_blanks_at_ends() -> None:
    assert tidy("\n\na  \n\n\n\nb\t\n\n") == "a\n\nb\n"


@given(
    st.lists(st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20), max_size=40)
)
def test_wrapping_loses_no_word(words: list[str]) -> None:
    lines = wrapped(" ".join(words))

    assert "".join("".join(lines).split()) == "".join(words)
    assert all(columns(line) <= WIDTH for line in lines)


@given(st.text(max_size=300), st.integers(1, 80))
def test_wrapping_keeps_every_character_but_blanks(text: str, width: int) -> None:
    lines = wrapped(text, width)

    assert re.sub(r"[ \t\n\r\f\v]", "", "".join(lines)) == re.sub(r"[ \t\n\r\f\v]", "", text)
    assert not any(line != line.strip(" \t") for line in lines)


@given(st.text(max_size=80), st.sampled_from(["ltr", "rtl"]))
def test_an_anchored_line_is_the_line_and_at_most_one_mark(line: str, direction: str) -> None:
    result = anchored(line, direction)

    assert result.endswith(line)
    assert result.removesuffix(line) in ("", "\u200e", "\u200f")
    assert result == line or anchored(result, direction) == result

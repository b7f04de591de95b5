"""The text part can be read aloud: wrapped, its links numbered, its lists and tables lined up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose.directives import Body
from mailer.compose.lifting import Lifter, choose_prefix
from mailer.compose.markdown import Markdown
from mailer.compose.text import WIDTH, References, filled, text_of, tidy


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
            "Head\n\nText with signs and code gone",
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


def test_links_are_numbered_through_the_issue_and_listed_by_block() -> None:
    references = References()

    first = text(
        "[a](https://example.org/1) [b](https://example.org/2) [c](https://example.org/1)",
        references,
    )
    listed = references.take()
    second = text("[d](https://example.org/3)", references)

    assert first == "a [1] b [2] c [1]"
    assert listed == ["[1] https://example.org/1", "[2] https://example.org/2"]
    assert (second, references.take()) == ("d [3]", ["[3] https://example.org/3"])


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

    assert url in filled(f"See {url} for more")


def test_tidy_leaves_one_blank_line_and_no_blanks_at_ends() -> None:
    assert tidy("\n\na  \n\n\n\nb\t\n\n") == "a\n\nb\n"


@given(
    st.lists(st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20), max_size=40)
)
def test_wrapping_loses_no_word(words: list[str]) -> None:
    lines = filled(" ".join(words))

    assert " ".join(lines).split() == words
    assert all(len(line) <= WIDTH for line in lines)

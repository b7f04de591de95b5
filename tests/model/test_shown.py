"""Counts and values read as people write them, on every line that the program prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.model.shown import counted, headcount, shown_value

ROOMS = Path(__file__).parents[2] / "mailer"
MANY = re.compile(
    r" (people|rows|mails|letters|messages|addresses|hashes|suppressions|columns|files|errors"
    r"|warnings|links|pictures|octets|minutes|issues|campaigns|lists)\b"
)


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1234, "1,234 rows")]
)
def test_a_count_agrees_with_its_word(number: int, told: str) -> None:
    assert counted(number, "row") == told


def test_a_word_of_its_own_for_many() -> None:
    assert counted(1, "person is", "people are") == "1 person is"
    assert counted(2, "person is", "people are") == "2 people are"
    assert (headcount(1), headcount(0), headcount(2000)) == ("1 person", "0 people", "2,000 people")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (False, "no"),
        (["tea", "ice", True], "tea, ice, yes"),
        ([], ""),
        (None, ""),
        (12.5, "12.5"),
        (0, "0"),
        ("007", "007"),
    ],
)
def test_a_value_is_shown_as_people_write_it(value: object, shown: str) -> None:
    assert shown_value(value) == shown


def stiff(code: str) -> Iterator[str]:
    """The numbers of a code's texts that stand right before a word for many, limits aside."""
    for text in ast.walk(ast.parse(code)):
        if not isinstance(text, ast.JoinedStr):
            continue
        for number, word in zip(text.values, text.values[1:], strict=False):
            if isinstance(number, ast.FormattedValue) and isinstance(word, ast.Constant):
                name = ast.unparse(number.value)
                if MANY.match(str(word.value)) and not name.strip("_").isupper():
                    yield f"{name}{str(word.value)[:20]}"


def test_no_count_stands_before_a_word_that_it_may_not_fit() -> None:
    found = {
        f"{file.relative_to(ROOMS)}: {each}"
        for room in ("cli", "usecases", "contacts", "store")
        for file in (ROOMS / room).rglob("*.py")
        for each in stiff(file.read_text("utf-8"))
    }

    assert list(stiff('f"{a:,} rows of {b} errors; {MOST} rows, {c}:{d} mailers"')) == [
        "a rows of ",
        "b errors; ",
    ]
    assert found == set()

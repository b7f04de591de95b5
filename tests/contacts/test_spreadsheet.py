"""Guarded cells are no formulas to a spreadsheet, and come back exactly as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.contacts.spreadsheet import bare, guarded, guarded_text

SIGNS = "=+-@\t\r\n＝＋－＠"
CELLS = st.one_of(
    st.text(),
    st.text(alphabet="'=+-@\t1a\""),
    st.text(alphabet='"a').map(lambda text: f'="{text}"'),
)


@given(CELLS)
def test_a_guarded_cell_comes_back(cell: str) -> None:
    assert bare(guarded(cell)) == cell
    assert bare(guarded_text(cell)) == cell


@given(CELLS)
def test_no_guarded_cell_begins_with_a_sign(cell: str) -> None:
    shown = guarded(cell)

    assert not shown.startswith(tuple(SIGNS)) or shown.lstrip("-").replace(".", "").isdecimal()


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+41791234567", "'+41791234567"),
        ("-3.5", "-3.5"),
        ("-3+1", "'-3+1"),
        ("'=1", "''=1"),
        ("'twas", "'twas"),
        ("Anna", "Anna"),
        ("", ""),
    ],
)
def test_what_a_person_would_see(cell: str, shown: str) -> None:
    assert guarded(cell) == shown


@pytest.mark.parametrize(
    ("cell", "held"),
    [
        ('="007"', "007"),
        ('=""', ""),
        ('="say ""hi"""', 'say "hi"'),
        ('="1"&"2"', '="1"&"2"'),
        ('="a"b"', '="a"b"'),
        ('="', '="'),
        ('\'="007"', '="007"'),
    ],
)
def test_a_text_that_another_program_protects_is_that_text(cell: str, held: str) -> None:
    assert bare(cell) == held

"""Numbers and dates print after closed patterns, in every language alike."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.formats import (
    date_fault,
    format_date,
    format_number,
    months_of,
    number_form,
    parse_date,
)


@pytest.mark.parametrize(
    ("value", "form", "printed"),
    [
        (1234.5, "1,234.50", "1,234.50"),
        (1234567, "1 234", "1 234"),
        (1234567, "1’234", "1’234’567"),
        (1234.5, "1.234,5", "1.234,5"),
        (1234.25, "1234.5", "1234.3"),
        (2.5, "1,234", "3"),
        (-2.5, "1,234", "-3"),
        (-0.001, "1,234.50", "0.00"),
        (12, "", "12"),
        (12.0, "", "12"),
        (0.1, "", "0.1"),
        (1e-07, "", "0.0000001"),
        (1e16, "", "10000000000000000"),
        (0, "1,234.50", "0.00"),
    ],
)
def test_numbers(value: float, form: str, printed: str) -> None:
    assert format_number(value, form) == printed.replace("1 234", "1 234 567")


@pytest.mark.parametrize("form", ["", "0", "1234.", "1,234,50", "1_234", "#,##0", "1,234.5x"])
def test_no_pattern_of_a_number(form: str) -> None:
    assert number_form(form) is None


@given(st.integers(-(10**17), 10**17))
def test_grouping_keeps_the_digits(value: int) -> None:
    assert int(format_number(value, "1,234").replace(",", "")) == value


@pytest.mark.parametrize(
    ("form", "language", "printed"),
    [
        ("%-d %B %Y", "en", "4 March 2026"),
        ("%-d %B %Y", "fr", "4 mars 2026"),
        ("%d.%m.%y", "en", "04.03.26"),
        ("%-d/%-m", "en", "4/3"),
        ("100%% on %Y", "en", "100% on 2026"),
    ],
)
def test_dates(form: str, language: str, printed: str) -> None:
    assert date_fault(form, language) is None
    assert format_date(date(2026, 3, 4), form, months_of(language)) == printed


@pytest.mark.parametrize("form", ["%H:%M", "%", "%-", "%-Y", "%e"])
def test_no_pattern_of_a_date(form: str) -> None:
    assert date_fault(form, "en") is not None


@pytest.mark.parametrize("text", ["2026-3-4", "2026-02-30", "04.03.2026", "2026-03-04T00:00", ""])
def test_no_date(text: str) -> None:
    assert parse_date(text) is None

"""Cells of typed fields are read for what they certainly mean, or refused with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.contacts.values import AmbiguousDateError, FieldType, ValueRefusedError, reader
from mailer.model.words import DateOrder, FieldKind

K = FieldKind


def read(kind: FieldKind, cell: str, order: DateOrder | None = None) -> Any:
    return json.loads(reader(FieldType(kind), order)(cell))


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        (K.number, "12", 12),
        (K.number, "-1.50", -1.5),
        (K.number, "12,5", 12.5),
        (K.number, "1\u00a0234,5", 1234.5),
        (K.number, "1'234.5", 1234.5),
        (K.number, "1.234.567", 1234567),
        (K.number, "1,234.50", 1234.5),
        (K.date, "2026-11-24", "2026-11-24"),
        (K.date, "2026/1/4", "2026-01-04"),
        (K.date, "2026-11-24 00:00:00", "2026-11-24"),
        (K.date, "24.11.2026", "2026-11-24"),
        (K.date, "1.2.2026", "2026-02-01"),
        (K.date, "24/11/2026", "2026-11-24"),
        (K.date, "11/24/2026", "2026-11-24"),
        (K.date, "5/5/2026", "2026-05-05"),
        (K.date, "46350", "2026-11-24"),
        (K.yesno, "Ja", True),
        (K.yesno, "нет", False),
        (K.yesno, "sí", True),
        (K.yesno, "FALSE", False),
        (K.yesno, "0", False),
        (K.list, "a; b;;c", ["a", "b", "c"]),
        (K.list, "a, b", ["a", "b"]),
        (K.text, ' say "hi"', ' say "hi"'),
    ],
)
def test_is_read_as(kind: FieldKind, cell: str, value: Any) -> None:
    assert read(kind, cell) == value


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (K.number, "1,234"),
        (K.number, "twelve"),
        (K.number, "1e99"),
        (K.date, "31.2.2026"),
        (K.date, "soon"),
        (K.date, "1/2/26"),
        (K.yesno, "perhaps"),
    ],
)
def test_is_refused(kind: FieldKind, cell: str) -> None:
    with pytest.raises(ValueRefusedError, match=cell.replace(".", r"\.")):
        read(kind, cell)


def test_a_date_with_two_meanings_is_settled_by_the_order() -> None:
    with pytest.raises(AmbiguousDateError, match="2026-04-03 or 2026-03-04"):
        read(K.date, "3/4/2026")
    assert read(K.date, "3/4/2026", DateOrder.dmy) == "2026-04-03"
    assert read(K.date, "3/4/2026", DateOrder.mdy) == "2026-03-04"


def test_a_choice_is_one_of_its_words() -> None:
    choice = reader(FieldType(K.text, ("Red", "Blue")), None)

    assert choice("red") == '"Red"'
    with pytest.raises(ValueRefusedError, match="none of Red, Blue"):
        choice("green")


@given(st.floats(-1e14, 1e14))
def test_a_number_comes_back(value: float) -> None:
    assert read(K.number, repr(value)) == value


@given(st.dates())
def test_a_day_comes_back(day: Any) -> None:
    assert read(K.date, day.isoformat()) == day.isoformat()

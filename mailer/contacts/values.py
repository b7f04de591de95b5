"""Reads the cells of typed fields: numbers, dates, yes or no, one of several words, lists.

What a cell means is never guessed: a date that can be read in two ways is refused with both
readings, and ``--dates`` settles it for the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from json.encoder import encode_basestring
from typing import NamedTuple

from mailer.contacts.headings import squeezed
from mailer.model.words import DateOrder, FieldKind


class FieldType(NamedTuple):
    """A field's declared kind; ``choices`` are the only words that a text may be."""

    kind: FieldKind = FieldKind.text
    choices: tuple[str, ...] = ()


class ValueRefusedError(ValueError):
    """A cell that is not of its field's kind; the text is what is wrong, for people."""


class AmbiguousDateError(ValueError):
    """A date with two meanings; the text names both."""


_BLANKS = "\u00a0\u2007\u2009\u202f '’"
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?").fullmatch
_COMMA = re.compile(r"([+-]?\d+),(\d+)").fullmatch
_GROUPED = re.compile(r"([+-]?\d{1,3}(?:([.,])\d{3})(?:\2\d{3})*)(?:([.,])(\d+))?").fullmatch
_MOST = 1e15  # beyond it a number loses digits

_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ]\d{1,2}:\d{2}.*)?").fullmatch
_SHORT = re.compile(
    r"(\d{1,2})([-/. ]+)(\d{1,2})[-/. ]+(\d{4})(?:[T ,]+\d{1,2}:\d{2}.*)?"
).fullmatch
_SERIAL = re.compile(r"(\d{5})(?:\.\d+)?").fullmatch
_EPOCH = date(1899, 12, 30)  # Excel's day 0, as it counts from March 1900 on

_YES = (
    "yes y true t 1 x on ja j oui o si s sim verdadero verdadeiro vero wahr vrai да д نعم 是 はい ✓"
)
_NO = "no n false f 0 off nein non nao falso falsch faux nee nej не нет н لا 否 いいえ"


def reader(kind: FieldType, order: DateOrder | None) -> Callable[[str], str]:
    """Makes the function from a cell (stripped, not empty) to the JSON text of its value.

    It raises ValueRefusedError, and AmbiguousDateError for a date without ``order``.
    """
    if kind.choices:
        return _choice(kind.choices)
    if kind.kind is FieldKind.date:
        return lru_cache(maxsize=4096)(lambda cell: f'"{_date(cell, order).isoformat()}"')
    return _READERS[kind.kind]


def _choice(choices: tuple[str, ...]) -> Callable[[str], str]:
    known = {choice.casefold(): encode_basestring(choice) for choice in choices}

    def read(cell: str) -> str:
        found = known.get(cell.casefold())
        if found is None:
            raise ValueRefusedError(f"“{cell[:40]}” is none of {', '.join(choices)}")
        return found

    return read


def _number(cell: str) -> str:
    bare = cell.translate(_WITHOUT_BLANKS)
    plain = bare if _NUMBER(bare) else _with_point(bare, cell)
    value = float(plain)
    if abs(value) >= _MOST:
        raise ValueRefusedError(f"“{cell[:40]}” is too large a number")
    return str(int(value)) if value.is_integer() else repr(value)


def _with_point(bare: str, cell: str) -> str:
    """A number with decimal comma, or with signs between thousands, as a program writes it."""
    if grouped := _GROUPED(bare):
        whole, sign, point, decimals = grouped.groups()
        if point is None and whole.count(sign) == 1 and sign == ",":
            raise ValueRefusedError(
                f"“{cell[:40]}” can be {whole.replace(',', '')} or {whole.replace(',', '.')}"
            )
        if point != sign:
            return whole.replace(sign, "") + (f".{decimals}" if decimals else "")
    if comma := _COMMA(bare):
        return f"{comma[1]}.{comma[2]}"
    raise ValueRefusedError(f"“{cell[:40]}” is not a number")


def _date(cell: str, order: DateOrder | None) -> date:
    if found := _ISO(cell):
        return _day(cell, found[1], found[3], found[4])
    if found := _SHORT(cell):
        first, sign, second, year = found.groups()
        return _short(cell, (first, second, year), sign.strip(), order)
    if (serial := _SERIAL(cell)) and 10_000 <= int(serial[1]) < 80_000:
        return _EPOCH + timedelta(days=int(serial[1]))
    raise ValueRefusedError(f"“{cell[:40]}” is not a date such as 2026-11-24")


def _short(cell: str, parts: tuple[str, str, str], sign: str, order: DateOrder | None) -> date:
    """Day and month in the order that was named, or that their sign or their size tells."""
    first, second, year = parts
    if order is DateOrder.mdy and sign != ".":  # dots stand in no date that begins with a month
        return _day(cell, year, first, second)
    if order is DateOrder.dmy or sign == "." or int(first) > 12 or first == second:
        return _day(cell, year, second, first)
    if int(second) > 12:
        return _day(cell, year, first, second)
    one, other = _day(cell, year, second, first), _day(cell, year, first, second)
    raise AmbiguousDateError(f"“{cell}” can be {one.isoformat()} or {other.isoformat()}")


def _day(cell: str, year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise ValueRefusedError(f"“{cell[:40]}” is not a day of the calendar") from None


def _yesno(cell: str) -> str:
    said = _WORDS.get(squeezed(cell) or cell)
    if said is None:
        raise ValueRefusedError(f"“{cell[:40]}” is neither yes nor no")
    return said


def _list(cell: str) -> str:
    sign = ";" if ";" in cell else ","
    words = (word.strip() for word in cell.split(sign))
    return "[" + ",".join(encode_basestring(word) for word in words if word) + "]"


_WITHOUT_BLANKS = dict.fromkeys(map(ord, _BLANKS))
_WORDS: Mapping[str, str] = {
    squeezed(word) or word: said
    for said, words in (("true", _YES), ("false", _NO))
    for word in words.split()
}
_READERS: Mapping[FieldKind, Callable[[str], str]] = {
    FieldKind.text: encode_basestring,
    FieldKind.number: lru_cache(maxsize=4096)(_number),
    FieldKind.yesno: lru_cache(maxsize=256)(_yesno),
    FieldKind.list: lru_cache(maxsize=4096)(_list),
}

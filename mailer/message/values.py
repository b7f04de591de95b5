"""What a person's values are, how the filters change them, and when one can't be used.

A field that is missing, None, blank or an empty list is one thing here: the empty text.
So conditions never fail on it, ``default`` covers it, and printing it is a ``MergeError``.
Kinds of field and how their values look: text is str, number is int or float, date is a str
``YYYY-MM-DD``, yesno is bool, list is a list of str.

Every filter takes the ``Reader`` first and the number of its slot last, so that a fault can say
whose line it is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from jinja2.utils import pass_context

from mailer.errors import Fault
from mailer.message.formats import format_date, format_number, parse_date, plain_number
from mailer.model.words import FieldKind, Slot

Value = object
MOST = 10**18  # a number beyond it is a mistake, and would print as a page of digits


class MergeError(ValueError):
    """A value that can't be printed for one person: which slot, which fields, and why.

    ``reason`` is a word: ``empty``, ``not_text``, ``not_a_number``, ``not_a_date``,
    ``not_yes_or_no``, ``not_a_list``, ``unsafe_url`` or ``control_character``.
    """

    def __init__(self, slot: Slot, reason: str, names: tuple[str, ...] = ()) -> None:
        self.slot = slot
        self.reason = reason
        self.names = names
        self.fault = Fault(_sentence(slot, reason), slot.file, slot.line, rule="merge")
        super().__init__(str(self.fault))


_WHY = {
    "empty": "is empty for this person and has no default.",
    "not_text": "is not a text that can be printed.",
    "not_a_number": "is not a number.",
    "not_a_date": "is not a date like 2026-11-24.",
    "not_yes_or_no": "is neither yes nor no.",
    "not_a_list": "is not a list of words.",
    "unsafe_url": "is not a web address (https, http, mailto or tel).",
    "control_character": "holds a control character, which no header may.",
}


def _sentence(slot: Slot, reason: str) -> str:
    return f"`{slot.source.strip()}` {_WHY[reason]}"


class Blank(str):
    """The empty text on purpose: what ``default("")`` yields, and what may be printed."""

    __slots__ = ()


BLANK = Blank()


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every person: the slots, the language, and how strict to be."""

    slots: tuple[Slot, ...]
    names: tuple[tuple[str, ...], ...]  # the fields that each slot reads
    kinds: Mapping[str, FieldKind]  # of the fields that are not text
    first_use: Mapping[str, int]  # a field's name → the first slot that reads it
    months: Sequence[str]
    web: bool = False
    blank_ok: bool = False


class Reader:
    """One person's values, as the compiled template asks for them."""

    __slots__ = ("sink", "terms", "values")

    def __init__(
        self,
        values: Mapping[str, Value],
        terms: Terms,
        sink: list[MergeError] | None = None,
    ) -> None:
        self.values = values
        self.terms = terms
        self.sink = sink

    def resolve_or_missing(self, name: str) -> Value:
        """The value of a field, of the kind that was declared; the empty text when it is empty."""
        value = self.values.get(name, "")
        if not value and not _is_value(value):
            return ""
        if type(value) is str and value.isspace():
            return ""
        kind = self.terms.kinds.get(name)
        return value if kind is None else self._typed(name, kind, value)

    def _typed(self, name: str, kind: FieldKind, value: Value) -> Value:
        fits, reason = _FITS[kind]
        if fits(value):
            return value
        return self.fail(self.terms.first_use[name], reason)

    def fail(self, index: int, reason: str) -> str:
        """Raises a MergeError, or notes it and goes on with the empty text."""
        error = MergeError(self.terms.slots[index], reason, self.terms.names[index])
        if self.sink is None:
            raise error
        self.sink.append(error)
        return BLANK


def _is_value(value: Value) -> bool:
    """Tells zero and no, which are values, from what is empty."""
    return isinstance(value, (bool, int, float))


def _is_number(value: Value) -> TypeGuard[int | float]:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < MOST  # which neither infinity nor "not a number" is
    )


def _is_date(value: Value) -> bool:
    return type(value) is str and parse_date(value) is not None


def _is_list(value: Value) -> TypeGuard[list[str] | tuple[str, ...]]:
    return isinstance(value, (list, tuple)) and all(type(item) is str for item in value)


_FITS: dict[FieldKind, tuple[Callable[[Value], bool], str]] = {
    FieldKind.number: (_is_number, "not_a_number"),
    FieldKind.date: (_is_date, "not_a_date"),
    FieldKind.yesno: (lambda value: isinstance(value, bool), "not_yes_or_no"),
    FieldKind.list: (_is_list, "not_a_list"),
}


def printable(reader: Reader, value: Value, index: int) -> str:
    """Returns what a value prints as, before any escaping; fails when there is nothing to print."""
    if isinstance(value, str):
        if value or value is BLANK or reader.terms.blank_ok:
            return value
        return reader.fail(index, "empty")
    if _is_number(value):
        return plain_number(value)
    return reader.fail(index, "not_text")


# ---- filters ----


@pass_context
def default(reader: Reader, value: Value, instead: Value, index: int) -> Value:
    """Puts ``instead`` in the place of an empty value."""
    return value if value or _is_value(value) else instead


@pass_context
def blank(reader: Reader, value: Value, index: int) -> Value:
    """Prints an empty value as nothing, on purpose: what ``default("")`` becomes."""
    return value if value or _is_value(value) else BLANK


@pass_context
def default_web(reader: Reader, value: Value, instead: Value, index: int) -> Value:
    """Puts ``instead`` in the place of any value in the web version, and none in the mail."""
    if not reader.terms.web:
        return value
    return instead or BLANK


def _changed(change: Callable[[str], str], reader: Reader, value: Value, index: int) -> Value:
    if not value:
        return value
    text = printable(reader, value, index)
    return change(text) if text else text


@pass_context
def upper(reader: Reader, value: Value, index: int) -> Value:
    """Writes it in capitals."""
    return _changed(str.upper, reader, value, index)


@pass_context
def lower(reader: Reader, value: Value, index: int) -> Value:
    """Writes it in small letters."""
    return _changed(str.lower, reader, value, index)


_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


@pass_context
def title(reader: Reader, value: Value, index: int) -> Value:
    """Gives each word a capital: ``anne-marie o'neill`` becomes ``Anne-Marie O'Neill``."""
    return _changed(lambda text: _WORD.sub(_capital, text), reader, value, index)


def _capital(found: re.Match[str]) -> str:
    word = found.group()
    if len(word) > 2 and word[1] in "'’":  # O'Neill, D'Arcy; but don't stays Don't
        return word[0].upper() + word[1] + word[2:].capitalize()
    return word.capitalize()


@pass_context
def number(reader: Reader, value: Value, form: str, index: int) -> Value:
    """Prints a number after a pattern: see ``formats.format_number``."""
    if not value and not _is_value(value):
        return value
    if not _is_number(value):
        return reader.fail(index, "not_a_number")
    return format_number(value, form)


@pass_context
def when(reader: Reader, value: Value, form: str, index: int) -> Value:
    """Prints a date after a pattern (the filter ``date``): see ``formats.format_date``."""
    if not value:
        return value
    day = parse_date(value) if isinstance(value, str) else None
    if day is None:
        return reader.fail(index, "not_a_date")
    return format_date(day, form, reader.terms.months)


# ---- what comparisons and loops become: they never fail on an empty value ----


@pass_context
def compare(reader: Reader, left: Value, sign: str, right: Value, index: int) -> bool:
    """Compares by order: two numbers, or two texts; anything else is not in order."""
    ordered: int
    if _is_number(left) and _is_number(right):
        ordered = (left > right) - (left < right)
    elif left and right and isinstance(left, str) and isinstance(right, str):
        ordered = -1 if left < right else int(left != right)
    else:
        return False
    return {"gt": ordered > 0, "gteq": ordered >= 0, "lt": ordered < 0, "lteq": ordered <= 0}[sign]


@pass_context
def contains(reader: Reader, right: Value, left: Value, index: int) -> bool:
    """Tells whether ``right``, a list or a text, holds ``left``."""
    if isinstance(right, str):
        return isinstance(left, str) and bool(left) and left in right
    return isinstance(right, (list, tuple)) and left in right


@pass_context
def items(reader: Reader, value: Value, index: int) -> Sequence[str]:
    """Returns what a loop runs over: the words of a list that are not empty."""
    if not value:
        return ()
    if not _is_list(value):
        reader.fail(index, "not_a_list")
        return ()
    return [item for item in value if item.strip()]

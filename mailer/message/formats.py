"""Prints numbers and dates after small closed patterns; no locale is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

from mailer.message.months import MONTHS


def plain_number(value: float) -> str:
    """Prints a number in full: no exponent, no ``.0``."""
    text = f"{Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_ROUND = Context(prec=60, rounding=ROUND_HALF_UP)
_NUMBER_FORM = re.compile(r"1([,.'’ \u00a0\u2009\u202f]?)234(?:([.,])(\d{1,9}))?").fullmatch


def format_number(value: float, form: str) -> str:
    """Prints a number after the pattern of one: ``1,234.50``, ``1 234``, ``1234,5``.

    The pattern shows what stands between thousands (nothing, ``,``, ``.``, ``'``, ``’`` or a
    blank of any width), the decimal sign, and as many decimals as are printed. Halves are rounded
    away from zero. An empty pattern prints all digits that the number has.
    """
    pattern = number_form(form)
    if pattern is None:
        return plain_number(value)
    group, point, decimals = pattern
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), context=_ROUND)
    whole, _, rest = f"{rounded or abs(rounded):,f}".partition(".")
    return whole.replace(",", group) + (point + rest if decimals else "")


@lru_cache(maxsize=64)
def number_form(form: str) -> tuple[str, str, int] | None:
    """Reads the pattern of ``number``: the sign between thousands, the decimal sign, decimals.

    None when it is no pattern.
    """
    found = _NUMBER_FORM(form)
    if found is None or (found[1] and found[1] == found[2]):
        return None
    return found[1], found[2] or "", len(found[3] or "")


_PARTS: dict[str, Callable[[date], str]] = {
    "%d": lambda day: f"{day.day:02d}",
    "%-d": lambda day: str(day.day),
    "%m": lambda day: f"{day.month:02d}",
    "%-m": lambda day: str(day.month),
    "%Y": lambda day: f"{day.year:04d}",
    "%y": lambda day: f"{day.year % 100:02d}",
    "%%": lambda day: "%",
}
_DIRECTIVE = re.compile("%-?.?", re.DOTALL)


def format_date(day: date, form: str, months: Sequence[str]) -> str:
    """Prints a date after a pattern with ``%d %-d %m %-m %Y %y %B %%``.

    ``%d`` and ``%m`` have two digits, ``%-d`` and ``%-m`` as many as needed; ``%Y`` is 2026 and
    ``%y`` is 26; ``%B`` is the month's name, out of the twelve that are given.
    """

    def part(found: re.Match[str]) -> str:
        directive = found.group()
        if directive == "%B" and months:
            return months[day.month - 1]
        return _PARTS.get(directive, _PARTS["%m"])(day)

    return _DIRECTIVE.sub(part, form)


def date_fault(form: str, language: str) -> str | None:
    """Says in a sentence what is wrong with the pattern of a date, or returns None."""
    for directive in _DIRECTIVE.findall(form):
        if directive not in _PARTS and directive != "%B":
            return f"`{directive}` is not part of a date; there are {', '.join(_PARTS)} and %B."
    if "%B" in form and not months_of(language):
        return f"There are no names of months for the language “{language}”; use %m."
    return None


def months_of(language: str) -> Sequence[str]:
    """Returns the names of the months in a language (``en``, ``fr-CH``), or nothing."""
    return MONTHS.get(language.split("-")[0].lower(), ())


def parse_date(text: str) -> date | None:
    """Reads ``YYYY-MM-DD``, or returns None."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

"""Cells that a spreadsheet would run as formulas are guarded, and given back as they were.

A cell that begins with one of ``= + - @``, a tab or a line end, is a formula to a spreadsheet that
opens a CSV file (OWASP, "CSV Injection"), also in full width where East Asian input writes it so.
An apostrophe in front makes it text. ``bare`` takes exactly that apostrophe off again; what began
with apostrophes and such a sign already gets one more, so that nothing is ever lost.

Other programs write ``="007"`` to keep a spreadsheet from making a number of it: ``bare`` reads it
as the text in the quotes, and whoever has just that as a value gets an apostrophe, too.
"""

from __future__ import annotations

import re

_SIGNS = "=+\\-@\t\r\n＝＋－＠"
_FORMULA = re.compile(rf"'*[{_SIGNS}]").match
_GUARDED = re.compile(rf"'+[{_SIGNS}]").match
_PROTECTED = re.compile(r'="([^"]*(?:""[^"]*)*)"').fullmatch
_NUMBER = re.compile(r"-[0-9]+(?:\.[0-9]+)?").fullmatch  # -3.5 does no harm, and stays a number


def guarded(cell: str) -> str:
    """The cell as it may stand in a CSV file that a spreadsheet opens."""
    return f"'{cell}" if _FORMULA(cell) and not _NUMBER(cell) else cell


def guarded_text(cell: str) -> str:
    """The cell as it may stand in a workbook, where text is text whatever it begins with."""
    return f"'{cell}" if _GUARDED(cell) or _PROTECTED(cell) else cell


def bare(cell: str) -> str:
    """What a guarded cell, or a formula that is nothing but a text, held; any other as it is."""
    if _GUARDED(cell):
        return cell[1:]
    told = _PROTECTED(cell)
    return told[1].replace('""', '"') if told else cell


def text_of(value: object) -> str:
    """A field's value as it stands in a cell, so that an import reads the same value back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(text_of(each) for each in value)
    return str(value)

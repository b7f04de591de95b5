"""Reads JSON lines: one object a line, its keys are the columns.

An object in the place of ``fields`` is opened: its keys are columns too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mailer.contacts.headings import REJECT_LINE, REJECT_REASON
from mailer.contacts.table import Row, Table
from mailer.errors import Fault, InputError

MOST_KEYS = 10_000
_OPENED = "fields"


def json_columns(lines: Iterable[str], *, file: str) -> tuple[str, ...]:
    """Every key of the file, in the order in which they turn up. Raises InputError for none."""
    columns: dict[str, None] = {}
    for line in lines:
        told = _object(line)
        if isinstance(told, str):
            continue
        columns.update(dict.fromkeys(told))
        if len(columns) > MOST_KEYS:
            raise InputError(Fault(f"The objects have more than {MOST_KEYS:,} keys.", file=file))
    if not columns:
        raise InputError(
            Fault(
                "No line holds a JSON object.",
                file=file,
                hint='For example: {"email": "anna@example.org", "first_name": "Anna"}',
            )
        )
    return tuple(name for name in columns if name not in (REJECT_REASON, REJECT_LINE))


def read_json_lines(lines: Iterable[str], columns: tuple[str, ...], *, file: str) -> Table:
    """Reads the objects as rows. What is no object, or holds one, is a faulty row."""
    return Table(file, columns, _rows(lines, columns), form="jsonl")


def _rows(lines: Iterable[str], columns: tuple[str, ...]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        raw = line.strip()
        if not raw:
            continue
        told = _object(line)
        if isinstance(told, str):
            yield Row(number, [""] * len(columns), told, raw)
            continue
        cells = [_cell(told.get(name)) for name in columns]
        faults = [
            f"The value of “{name}” is an object or a list of them."
            for name, cell in zip(columns, cells, strict=True)
            if cell is None
        ]
        yield Row(number, [cell or "" for cell in cells], " ".join(faults) or None, raw)


def _object(line: str) -> Mapping[str, Any] | str:
    """The object of a line, opened; or why it is none."""
    try:
        told = json.loads(line.strip("\ufeff \t\r\n") or "{}")
    except (ValueError, RecursionError):
        return "The line is not JSON."
    if not isinstance(told, dict):
        return "The line is no JSON object."
    opened = told.pop(_OPENED, None)
    if isinstance(opened, dict):
        told |= {name: value for name, value in opened.items() if name not in told}
    elif opened is not None:
        told[_OPENED] = opened
    return told


def _cell(value: Any) -> str | None:
    """A value as the text of a cell; None for what no cell can hold."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return json.dumps(value)
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return ";".join(_cell(item) or "" for item in value)
    return None

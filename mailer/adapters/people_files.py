"""Writes people as CSV, as a workbook, or as JSON lines, one by one."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from mailer.adapters.outgoing_files import whole_file
from mailer.adapters.workspace import unwritable
from mailer.errors import InputError

SHEET_ROWS = 1_048_576  # of a worksheet, headings among them; a cell holds 32,767 characters


def write_people(
    path: Path | None,
    format: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    stdout: TextIO,
) -> int:
    """Writes them into a file, or to standard output; returns how many there are.

    Raises InputError for a workbook without a file or with too much in it, StoppedError when the
    file can't be written.
    """
    if format == "xlsx":
        if path is None:
            raise InputError("A workbook needs a file.", hint="Name one with --out.")
        return _book(path, columns, rows)
    if path is None:
        return _text(stdout, format, columns, rows)
    mark = "utf-8-sig" if format == "csv" else "utf-8"  # without it, Excel reads CSV wrongly
    with whole_file(path, encoding=mark) as file:
        return _text(file, format, columns, rows)


def _text(file: TextIO, format: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    written = 0
    writer = csv.writer(file)
    if format == "csv":
        writer.writerow(columns)
    for row in rows:
        if format == "csv":
            writer.writerow(row)
        else:
            # Each line names every column: an import finds the columns of a file in its lines.
            told = dict(zip(columns, row, strict=True))
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
        written += 1
    return written


def _book(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    import xlsxwriter

    part = path.with_name(f".{path.name}.part")
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    written = 0
    try:
        part.touch(mode=0o600)
        with xlsxwriter.Workbook(str(part), options) as book:
            sheet = book.add_worksheet("people")
            _cells(sheet, 0, columns)
            for written, row in enumerate(rows, 1):
                _cells(sheet, written, row)
        part.replace(path)
    except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
        cause = error if isinstance(error, OSError) else OSError(str(error))
        raise unwritable(path, cause) from error
    finally:
        part.unlink(missing_ok=True)
    return written


def _cells(sheet: Any, number: int, row: Sequence[str]) -> None:
    if number >= SHEET_ROWS:
        raise InputError(
            f"A worksheet holds {SHEET_ROWS - 1:,} people, and there are more.",
            hint="Export them as csv or jsonl.",
        )
    for column, cell in enumerate(row):
        if cell and sheet.write_string(number, column, cell) != 0:
            raise InputError(
                f"Row {number + 1} holds a value that is too long for a worksheet.",
                hint="Export them as csv or jsonl.",
            )

"""Reads one sheet of a workbook (XLSX, XLS, ODS) as rows of text."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    WorksheetNotFound,
)

from mailer.adapters.sheet_extent import refuse_far_cells
from mailer.contacts.table import Row, Table, read_sheet
from mailer.errors import Fault, InputError

WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
UNPACKED_LIMIT = 1 << 29  # bytes; a full sheet of a million people and ten columns takes less


def read_workbook(path: Path, name: str, *, sheet: str | None, header_row: int) -> Table:
    """Opens the first sheet, or the named one. Raises InputError when that can't be done."""
    _refuse_bomb(path, name)
    refuse_far_cells(path, name, sheet)
    try:
        book = CalamineWorkbook.from_path(str(path))
        names = book.sheet_names
        chosen = sheet or (names[0] if names else "")
        page = book.get_sheet_by_name(chosen)
    except WorksheetNotFound as error:
        there = ", ".join(f"“{there}”" for there in names)
        raise InputError(
            Fault(f"There is no sheet “{chosen}”.", file=name, hint=f"There are: {there}.")
        ) from error
    except PasswordError as error:
        raise InputError(
            Fault("The workbook is locked with a password.", file=name, hint="Save it without.")
        ) from error
    except (CalamineError, OSError) as error:
        raise InputError(
            Fault(f"This can't be read as a workbook: {error}.", file=name, hint="Save it as CSV.")
        ) from error
    warnings = _left_out(names, chosen) if sheet is None else ()
    table = read_sheet(_rows(page), file=name, header_row=header_row)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    digest.update(chosen.encode())
    return replace(table, digest=digest.hexdigest(), warnings=(*table.warnings, *warnings))


def cell_text(value: Any) -> str:
    """A cell as text: whole numbers without a point, dates in ISO 8601, TRUE and FALSE as shown."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (int, float, timedelta)):
        return str(value)
    return "" if value is None else str(value)


def _rows(page: CalamineSheet) -> Iterator[Row]:
    for number, cells in enumerate(page.iter_rows(), 1):  # empty rows at the top are there too
        yield Row(number, [cell_text(cell) for cell in cells])


def _left_out(names: list[str], chosen: str) -> tuple[str, ...]:
    others = ", ".join(f"“{other}”" for other in names if other != chosen)
    if not others:
        return ()
    return (f"Only the first sheet, “{chosen}”, was read, not {others}: --sheet NAME",)


def _refuse_bomb(path: Path, name: str) -> None:
    """A few kilobytes of zip can unpack to more than the memory holds."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(Fault("The workbook is damaged.", file=name)) from error
    if unpacked > UNPACKED_LIMIT:
        raise InputError(
            Fault(
                f"The workbook unpacks to {unpacked >> 20:,} MB.",
                file=name,
                hint="Save the sheet with the contacts as CSV.",
            )
        )

"""Reads CSV text, or the rows of a sheet, as a table with a heading row.

Columns go by name, never by position. A row that can't be trusted (too many cells, a stray quote)
carries its reason and the file goes on; what puts the whole file in doubt (a quote that never
closes, two columns of one name, no heading row) is an InputError with the line where it began.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mailer.contacts.address import AddressError, clean_cell, parse_address
from mailer.contacts.headings import ADDRESS, meaning
from mailer.contacts.spreadsheet import bare
from mailer.errors import Fault, InputError
from mailer.model.shown import counted

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
TITLE_ROWS = 10  # how far down the headings are looked for
SAMPLE_LINES = 50  # enough to tell the delimiter
BLOCK = 1 << 15  # characters that are cut at once
RECORD_LINES = 10_000  # a record of more lines than this is a quote that never closed


class Row(NamedTuple):
    """One row: the line of the file where it begins, its cells, and why it can't be used."""

    line: int
    cells: list[str]
    fault: str | None = None
    raw: str = ""  # as it stands in the file, where cells alone don't tell


@dataclass(frozen=True, slots=True)
class Table:
    """A contact file, opened: its columns are known, its rows come one by one, once.

    ``rows`` raises InputError for what puts the file in doubt.
    """

    file: str
    columns: tuple[str, ...]
    rows: Iterator[Row] = field(repr=False)
    delimiter: str | None = None  # None: it is no CSV
    form: str = "csv"  # or workbook, vcard, jsonl, lines (of addresses)
    encoding: str | None = None
    digest: str = ""  # SHA-256 of the file, hexadecimal
    warnings: tuple[str, ...] = ()


def read_csv(
    lines: Iterable[str], *, file: str, delimiter: str | None = None, header_row: int = 1
) -> Table:
    """Reads CSV (RFC 4180) from lines that keep their line ends.

    The delimiter is detected unless it is given; Excel's ``sep=;`` line counts as given.
    Raises InputError for an empty file and for headings that can't be used.
    """
    source = iter(lines)
    sample = list(itertools.islice(source, SAMPLE_LINES))
    offset = 0
    if sample and sample[0].lower().startswith("sep=") and len(sample[0].strip()) == 5:
        delimiter = delimiter or sample[0][4]
        del sample[0]
        offset = 1
    chosen = delimiter or _detect(sample, header_row)
    records = _records(itertools.chain(sample, source), chosen, file, offset)
    return table_of(records, file=file, delimiter=chosen, header_row=header_row)


def read_sheet(rows: Iterable[Row], *, file: str, header_row: int = 1) -> Table:
    """Reads the rows of one sheet of a workbook, numbered, cells already turned into text."""
    numbered = iter(rows)
    table = table_of(numbered, file=file, delimiter=None, header_row=header_row)
    return replace(table, form="workbook")


def table_of(records: Iterator[Row], *, file: str, delimiter: str | None, header_row: int) -> Table:
    """Takes the heading row off the records and fits the others to it."""
    heading: Row | None = None
    seen = 0
    warnings: tuple[str, ...] = ()
    if header_row == 1:
        records, titles = _without_titles(records)
        if titles:
            seen = 1  # the file is not empty
            warnings = (f"Above the headings, {titles} was skipped: --header-row says otherwise.",)
    for record in records:
        seen += 1
        if seen >= header_row and any(cell.strip() for cell in record.cells):
            heading = record
            break
    if heading is None:
        raise InputError(
            Fault(
                "The file has no rows."
                if not seen
                else f"There is no heading in row {header_row}.",
                file=file,
                hint="The first row names the columns, for example: email,first_name,last_name",
            )
        )
    columns = _headings(heading, file)
    return Table(file, columns, _fitted(records, len(columns)), delimiter, warnings=warnings)


def _without_titles(records: Iterator[Row]) -> tuple[Iterator[Row], str]:
    """Takes titles and merged cells off that stand above the headings; says which rows they were.

    Only when a row further down names the addresses, and each row above it fills fewer cells.
    """
    first = list(itertools.islice(records, TITLE_ROWS))
    at = _heading_at([row.cells for row in first])
    skipped = [row for row in first[:at] if any(cell.strip() for cell in row.cells)]
    told = ", ".join(
        f"“{next(cell.strip() for cell in row.cells if cell.strip())[:40]}”" for row in skipped
    )
    return itertools.chain(first[at:], records), told


def _heading_at(rows: Sequence[Sequence[str]]) -> int:
    """The index of the row that names the addresses under titles; 0 when there is none."""
    for at, cells in enumerate(rows[:TITLE_ROWS]):
        if any(meaning(cell) == ADDRESS for cell in cells):
            filled = sum(bool(cell.strip()) for cell in cells)
            above = (sum(bool(cell.strip()) for cell in row) for row in rows[:at])
            return at if all(count < filled for count in above) else 0
    return 0


def _headings(heading: Row, file: str) -> tuple[str, ...]:
    if heading.fault:
        raise InputError(Fault(heading.fault, file=file, line=heading.line))
    cells = [bare(cell.strip().strip("\ufeff").strip()) for cell in heading.cells]
    while cells and not cells[-1]:
        cells.pop()
    for cell in cells:
        if "@" in cell and _is_address(cell):
            raise InputError(
                Fault(
                    f"The first row holds an address ({cell[:60]}), so there is no heading row.",
                    file=file,
                    line=heading.line,
                    hint="Put one above it, for example: email,first_name,last_name",
                )
            )
    faults = []
    for name in dict.fromkeys(cells):
        if name and (times := cells.count(name)) > 1:
            places = [str(i) for i, cell in enumerate(cells, 1) if cell == name]
            faults.append(
                Fault(
                    f"{counted(times, 'column')} are called “{name}” (columns"
                    f" {', '.join(places)}).",
                    file=file,
                    line=heading.line,
                    hint="Give each its own heading.",
                )
            )
    if faults:
        raise InputError(faults)
    return tuple(cells)


def _fitted(records: Iterator[Row], width: int) -> Iterator[Row]:
    """Pads short rows, cuts empty cells off long ones, leaves blank ones out."""
    for row in records:
        _, cells, fault, _ = row
        if fault is not None or len(cells) == width:
            if fault is not None or any(cells):
                yield row
            continue
        extra = [cell for cell in cells[width:] if cell.strip()]
        if extra:
            count = len(cells)
            yield Row(
                row.line,
                cells,
                f"The row has {count} cells and the heading {width}: an unquoted delimiter?",
            )
        elif any(cells):
            yield Row(row.line, cells[:width] + [""] * (width - len(cells)))


class _Lines:
    """Passes lines on and remembers those of the record that is being read."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.pending: list[str] = []

    def __iter__(self) -> Iterator[str]:
        pending = self.pending
        for line in self._lines:
            pending.append(line)
            if len(pending) > RECORD_LINES:
                raise csv.Error("record of too many lines")
            yield line


def _records(lines: Iterable[str], delimiter: str, file: str, offset: int) -> Iterator[Row]:
    """The records of the file; a block of lines that are a record each is cut all at once."""
    rest = iter(lines)
    done = offset  # lines
    while block := _block(rest):
        try:
            records = list(csv.reader(block, delimiter=delimiter, strict=True))
        except csv.Error:
            records = []
        if len(records) == len(block):
            yield from map(_sound_row, itertools.count(done + 1), records)
            done += len(block)
        else:
            done = yield from _one_by_one(block, rest, delimiter, file, done)


def _sound_row(line: int, cells: list[str]) -> Row:
    return _new_row(Row, (line, cells, None, ""))  # half the time of the constructor


_new_row = tuple.__new__


def _block(lines: Iterator[str]) -> list[str]:
    """Some lines: few enough that even long ones are soon let go."""
    block, size = [], 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size > BLOCK:
            break
    return block


def _one_by_one(
    block: Sequence[str], rest: Iterator[str], delimiter: str, file: str, done: int
) -> Generator[Row, None, int]:
    """The records that begin in the block; the last may need lines of the rest.

    ``done`` lines stand before it. Returns how many stand before what follows.
    """
    feed = _Lines(itertools.chain(block, rest))
    reader = csv.reader(iter(feed), delimiter=delimiter, strict=True)
    pending = feed.pending
    line = 0
    while line < len(block):
        try:
            cells = next(reader, None)
        except csv.Error as error:
            first = done + line + 1
            _refuse_open_quote(pending, delimiter, file, first)
            yield Row(first, _lenient(pending, delimiter), _explained(error))
        else:
            if cells is None:
                break
            yield Row(done + line + 1, cells)
        line = reader.line_num
        pending.clear()
    return done + line


def _refuse_open_quote(lines: Sequence[str], delimiter: str, file: str, first: int) -> None:
    """A record that spans lines and goes wrong: nobody can tell where the next one begins."""
    opened, still_open = _last_opened(lines, delimiter)
    if len(lines) == 1 and not still_open:
        return
    last = first + len(lines) - 1
    where = f", and the text goes wrong at line {last}" if last > first + opened else ""
    raise InputError(
        Fault(
            f"A quote opens here and is not closed properly{where}.",
            file=file,
            line=first + opened,
            hint='Close it, or write a quote that belongs to the text as "" inside of quotes.',
        )
    )


def _last_opened(lines: Sequence[str], delimiter: str) -> tuple[int, bool]:
    """The index of the line where the trouble's quoted cell began, and whether it is still open.

    The trouble is a quote that ends before its cell does, or one that never ends.
    """
    ends = (delimiter, "\r", "\n", "")
    at_start, quoted, opened = True, False, 0
    for index, line in enumerate(lines):
        position = 0
        while position < len(line):
            c, following = line[position], line[position + 1 : position + 2]
            if quoted and c == '"' and following == '"':
                position += 1
            elif quoted and c == '"':
                quoted = False
                if following not in ends:
                    return opened, False
            elif not quoted and c == '"' and at_start:
                quoted, opened = True, index
            at_start = not quoted and c in ends
            position += 1
    return opened, quoted


def _lenient(lines: Sequence[str], delimiter: str) -> list[str]:
    """The cells of a faulty row as well as they can be told, for the rejects file."""
    try:
        return next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error:
        return [lines[0][:200]] if lines else []


def _explained(error: csv.Error) -> str:
    if "field larger" in str(error):
        return f"A cell is longer than {csv.field_size_limit():,} characters."
    if "new-line" in str(error):
        return "A line break stands in a cell that is not quoted."
    return "A quote ends before the cell does; a quote inside of a quoted cell is written twice."


def _detect(sample: Sequence[str], header_row: int) -> str:
    """The delimiter under which a heading means an address, else the one that cuts most evenly."""
    best, best_score = DELIMITERS[0], (False, 0.0, 0)
    for delimiter in DELIMITERS:
        rows = _sampled(sample, delimiter)[header_row - 1 :]
        rows = [row for row in rows if any(cell.strip() for cell in row)]
        if not rows:
            continue
        if header_row == 1:
            rows = rows[_heading_at(rows) :]
        width = len(rows[0])
        known = any(meaning(cell) == ADDRESS for cell in rows[0])
        even = sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0
        score = (known, even, width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _sampled(sample: Sequence[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(sample, delimiter=delimiter):
            rows.append(row)
    except csv.Error:
        return rows
    return rows


def _is_address(cell: str) -> bool:
    try:
        parse_address(clean_cell(cell))
    except AddressError:
        return False
    return True

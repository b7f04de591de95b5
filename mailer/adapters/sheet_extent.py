"""Finds how far a sheet of a workbook reaches (XLSX, ODS), before anything makes room for it.

The workbook's reader lays a sheet out as one rectangle. One stray cell in the far corner makes that
half a terabyte, and the process ends without a word. So the cells are counted first, from the
sheet's XML, piece by piece.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO
from xml.sax.saxutils import unescape

from mailer.errors import Fault, InputError
from mailer.model.shown import counted

MOST_CELLS = 20_000_000
MOST_COLUMNS = 1_000
_PIECE = 1 << 20  # bytes
_LONGEST_TAG = 1 << 16
_LONGEST_INDEX = 1 << 24  # bytes of what names the sheets
# No `<` stands inside a tag (XML 1.0 section 3.1), so the search for its end is short.
_HAS = r"""(?=[\s/>])([^<>"']*(?:(?:"[^<"]*"|'[^<']*')[^<>"']*)*)>"""
_TAG = re.compile(rf"<(?:\w+:)?(row|c){_HAS}".encode())
_REFERENCE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,3})(\d{1,9})["']""")
_ODS_TAG = re.compile(rf"<table:(table|table-row|(?:covered-)?table-cell){_HAS}".encode())
_REPEATED = re.compile(rb"""-repeated\s*=\s*["'](\d{1,9})["']""")
_SHEET = re.compile(r"<(?:\w+:)?sheet\s[^>]*>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\s[^>]*>")
_ATTRIBUTE = re.compile(r"""(?:\w+:)?(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_QUOTES = {"&quot;": '"', "&apos;": "'"}


@dataclass(slots=True)
class Extent:
    """How many rows and columns a sheet has, from A1 on, and its farthest cells."""

    rows: int = 0
    columns: int = 0
    lowest: str = ""
    rightmost: str = ""

    def add(self, row: int, column: int) -> None:
        if row > self.rows:
            self.rows, self.lowest = row, f"{letters(column)}{row}"
        if column > self.columns:
            self.columns, self.rightmost = column, f"{letters(column)}{row}"


def refuse_far_cells(path: Path, name: str, sheet: str | None) -> None:
    """Raises InputError when the first sheet, or the named one, is too large to be laid out.

    What is neither XLSX nor ODS passes.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            extents = _extents(archive, sheet)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # or: encrypted
        raise InputError(Fault("The workbook is damaged.", file=name)) from error
    for extent in extents:
        _refuse_far(extent, name)


def _refuse_far(extent: Extent, name: str) -> None:
    if extent.columns > MOST_COLUMNS:
        far, much = extent.rightmost, counted(extent.columns, "column")
    elif extent.rows * extent.columns > MOST_CELLS:
        width = counted(extent.columns, "column")
        far, much = extent.lowest, f"{counted(extent.rows, 'row')} of {width}"
    else:
        return
    raise InputError(
        Fault(
            f"The sheet reaches as far as cell {far}: {much}.",
            file=name,
            hint="Delete what stands far from the contacts, or save them as CSV.",
        )
    )


def _extents(archive: zipfile.ZipFile, sheet: str | None) -> list[Extent]:
    if "content.xml" in archive.namelist():  # its reader lays out all its sheets at once
        with archive.open("content.xml") as stream:
            return measure_ods(stream)
    found = []
    for member in _members(archive, sheet):
        with archive.open(member) as stream:
            found.append(measure(stream))
    return found


def measure(stream: IO[bytes]) -> Extent:
    """Measures the cells of an XLSX sheet that hold something."""
    extent = Extent()
    row = column = 0
    for piece in _pieces(stream):
        for kind, has in _TAG.findall(piece):
            place = _REFERENCE.search(has)
            if kind == b"row":
                row = int(place[2]) if place else row + 1
                column = 0
                continue
            if place and place[1]:
                row, column = int(place[2]), number(place[1])
            else:  # one without a reference stands beside the one before
                column += 1
            if not has.endswith(b"/"):  # such a cell holds nothing, only a style
                extent.add(max(row, 1), column)
    return extent


def measure_ods(stream: IO[bytes]) -> list[Extent]:
    """Measures the sheets of an OpenDocument workbook, whose rows and cells may be repeated."""
    extents = [Extent()]
    row = column = 0
    for piece in _pieces(stream):
        for kind, has in _ODS_TAG.findall(piece):
            found = _REPEATED.search(has)
            times = int(found[1]) if found else 1
            if kind == b"table":
                extents.append(Extent())
                row = column = 0
            elif kind == b"table-row":
                row, column = row + times, 0
            else:
                column += times
                if b"value-type" in has or not has.endswith(b"/"):
                    extents[-1].add(max(row, 1), column)
    return extents


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes in pieces that don't cut a tag in two."""
    rest = b""
    while read := stream.read(_PIECE):
        read = rest + read
        cut = read.rfind(b"<")
        if cut < 0 or len(read) - cut > _LONGEST_TAG:  # no tag of a sheet is as long as that
            cut = len(read)
        yield read[:cut]
        rest = read[cut:]
    yield rest


def _members(archive: zipfile.ZipFile, sheet: str | None) -> list[zipfile.ZipInfo]:
    """The part of the workbook that holds the sheet; all its sheets, when that can't be told."""
    there = {entry.filename.replace("\\", "/").lower(): entry for entry in archive.infolist()}
    relations = {
        each.get("Id", ""): each.get("Target", "")
        for each in _attributes(archive, there.get("xl/_rels/workbook.xml.rels"), _RELATION)
    }
    for each in _attributes(archive, there.get("xl/workbook.xml"), _SHEET):
        if sheet is None or each.get("name") == sheet:
            target = relations.get(each.get("id", ""), "")
            found = there.get(posixpath.normpath(posixpath.join("/xl", target)).lstrip("/").lower())
            found = found or there.get(target.lower())
            if found is not None:
                return [found]
    return [
        entry
        for at, entry in there.items()
        if at.startswith("xl/worksheets/") and at.endswith(".xml")
    ]


def _attributes(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo | None, tag: re.Pattern[str]
) -> Iterator[dict[str, str]]:
    if member is None:
        return
    with archive.open(member) as stream:
        content = stream.read(_LONGEST_INDEX).decode("utf-8", "replace")
    for found in tag.finditer(content):
        yield {
            name: unescape(double or single, _QUOTES)
            for name, double, single in _ATTRIBUTE.findall(found[0])
        }


@lru_cache(maxsize=1024)
def number(name: bytes) -> int:
    """The number of a column: A is 1, Z is 26, AA is 27."""
    value = 0
    for letter in name.upper():
        value = value * 26 + letter - 64
    return value


def letters(column: int) -> str:
    """The name of a column."""
    name = ""
    while column > 0:
        column, letter = divmod(column - 1, 26)
        name = chr(65 + letter) + name
    return name

"""Writes a workbook of one sheet of text (ECMA-376, Office Open XML), row by row.

Every cell is text, so nothing in it is ever computed, and memory does not grow with the rows.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_FORMATS = "http://schemas.openxmlformats.org"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_SHEET = f'{_HEAD}<worksheet xmlns="{_FORMATS}/spreadsheetml/2006/main"><sheetData>'
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'{_HEAD}<Types xmlns="{_FORMATS}/package/2006/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'{_HEAD}<Relationships xmlns="{_FORMATS}/package/2006/relationships"><Relationship'
        f' Id="r1" Type="{_FORMATS}/officeDocument/2006/relationships/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'{_HEAD}<workbook xmlns="{_FORMATS}/spreadsheetml/2006/main"'
        f' xmlns:r="{_FORMATS}/officeDocument/2006/relationships"><sheets>'
        '<sheet name="Rejects" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'{_HEAD}<Relationships xmlns="{_FORMATS}/package/2006/relationships"><Relationship'
        f' Id="r1" Type="{_FORMATS}/officeDocument/2006/relationships/worksheet"'
        ' Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
# XML 1.0 section 2.2: no other control character can be written at all.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class SheetWriter:
    """An XLSX file that grows; close it, or it can't be read."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._sheet = self._archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True)
        self._sheet.write(_SHEET.encode())

    def add(self, cells: Sequence[str]) -> None:
        """Adds a row."""
        written = "".join(
            f'<c t="inlineStr"><is><t xml:space="preserve">{_escaped(cell)}</t></is></c>'
            for cell in cells
        )
        self._sheet.write(f"<row>{written}</row>".encode())

    def close(self) -> None:
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        for name, content in _PARTS.items():
            self._archive.writestr(name, content)
        self._archive.close()


def _escaped(cell: str) -> str:
    return escape(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", cell)).replace("\r", "&#13;")

"""Reads a plain list of addresses: one a line, or several with commas, without a heading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from mailer.contacts.address import AddressError, clean_cell, parse_address
from mailer.contacts.headings import ADDRESS
from mailer.contacts.table import Row, Table

# Commas and semicolons part addresses, but not inside of quotes: "Meyer, Anna" <a@b>.
_ONE = re.compile(r'(?:"[^"]*"|[^",;])+|"').findall
_MARK = "\t# "  # what our own rejects files put behind an address


def is_plain_list(sample: Sequence[str]) -> bool:
    """Whether lines hold nothing but addresses: the first one does, and half of the rest too."""
    told = [parts for line in sample if (parts := _parts(line))]
    if not told or not all(_is_address(part) for part in told[0]):
        return False
    parts = [part for line in told for part in line]
    return sum("@" in part for part in parts) >= 0.5 * len(parts)


def read_address_lines(lines: Iterable[str], *, file: str) -> Table:
    """Reads each address as a row of one column."""
    return Table(file, (ADDRESS,), _rows(lines), form="lines")


def _rows(lines: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        for part in _parts(line):
            yield Row(number, [part], raw=part)


def _parts(line: str) -> list[str]:
    text = line.strip("\ufeff \t\r\n").partition(_MARK)[0]
    return [part for found in _ONE(text) if (part := found.strip())]


def _is_address(part: str) -> bool:
    try:
        parse_address(clean_cell(part))
    except AddressError:
        return False
    return True

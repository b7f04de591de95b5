"""Opens contact files: text in whatever encoding it comes, workbooks, standard input.

A text file is surveyed once from end to end before its first row is given out: its encoding is
then known for certain, and a file that turns bad at its last byte has changed nothing.
Memory does not grow with a text file's size; a workbook is held by its reader.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import IO, BinaryIO

from mailer.adapters.text_survey import Survey, survey
from mailer.adapters.workbooks import WORKBOOKS, read_workbook
from mailer.contacts.address_lines import is_plain_list, read_address_lines
from mailer.contacts.headings import ADDRESS, meaning
from mailer.contacts.json_lines import json_columns, read_json_lines
from mailer.contacts.table import SAMPLE_LINES, Table, read_csv
from mailer.contacts.vcards import read_vcards
from mailer.errors import Fault, InputError, StoppedError

STANDARD_INPUT = "-"
SAMPLE_WIDTH = 100_000  # characters of a line by which its form is told
FORMS = ("csv", "vcard", "jsonl", "lines")
FORMS_BY_SUFFIX = {".vcf": "vcard", ".vcard": "vcard", ".jsonl": "jsonl", ".ndjson": "jsonl"}
DELIMITER_WORDS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "\\t": "\t"}


@contextmanager
def open_contacts(
    path: str | Path,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    header_row: int = 1,
    form: str | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Table]:
    """Opens a contact file, or ``-`` for standard input, as a table. Close it after its last row.

    ``form`` (csv, vcard, jsonl, lines) is told by the name's end and the first lines otherwise.

    Raises InputError when the file can't be read as a table, here or while its rows are read.
    """
    name = "standard input" if str(path) == STANDARD_INPUT else str(path)
    if header_row < 1:
        raise InputError("--header-row counts from 1.")
    wanted = _delimiter(delimiter)
    suffix = Path(path).suffix.lower()
    with _opened(path, name, stdin) as stream:
        if suffix in WORKBOOKS and str(path) != STANDARD_INPUT:
            yield read_workbook(Path(path), name, sheet=sheet, header_row=header_row)
            return
        found = survey(stream, name, encoding)
        stream.seek(0)
        table = _read(stream, found, name, _form(form, suffix), wanted, header_row)
        yield replace(
            table,
            encoding=found.encoding,
            digest=found.digest,
            warnings=(*found.warnings, *table.warnings),
        )


def _form(form: str | None, suffix: str) -> str | None:
    if form is None:
        return FORMS_BY_SUFFIX.get(suffix)
    if form not in FORMS:
        raise InputError(f"“{form}” is no format.", hint=f"Known are {', '.join(FORMS)}.")
    return form


def _read(
    stream: IO[bytes],
    found: Survey,
    name: str,
    form: str | None,
    delimiter: str | None,
    header_row: int,
) -> Table:
    """The table in a text, whose form shows in its first lines when nothing names it."""
    if form is None:
        first = islice(_lines(stream, found, name), SAMPLE_LINES)
        sample = [line[:SAMPLE_WIDTH] for line in first]
        form = _shown_form(sample, text=Path(name).suffix.lower() == ".txt")
        stream.seek(0)
    lines = _lines(stream, found, name)
    if form == "vcard":
        return read_vcards(lines, file=name)
    if form == "jsonl":
        columns = json_columns(lines, file=name)
        stream.seek(0)
        return read_json_lines(_lines(stream, found, name), columns, file=name)
    if form == "lines":
        return read_address_lines(lines, file=name)
    return read_csv(lines, file=name, delimiter=delimiter, header_row=header_row)


def _shown_form(sample: list[str], *, text: bool) -> str:
    first = next((line.strip("\ufeff \t\r\n") for line in sample if line.strip()), "")
    if first.upper() == "BEGIN:VCARD":
        return "vcard"
    if first.startswith('{"') and (first.endswith("}") or len(first) == SAMPLE_WIDTH):
        return "jsonl"
    headed = any(meaning(word) == ADDRESS for word in re.split(r"[,;\t|]", first))
    return "lines" if is_plain_list(sample) or (text and not headed) else "csv"


def _delimiter(word: str | None) -> str | None:
    if word is None:
        return None
    delimiter = DELIMITER_WORDS.get(word.lower(), word)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise InputError(
            f"“{word}” can't be a delimiter.",
            hint="Use one character, or one of comma, semicolon, tab, bar.",
        )
    return delimiter


@contextmanager
def _opened(path: str | Path, name: str, stdin: BinaryIO | None) -> Iterator[IO[bytes]]:
    """The file, seekable: standard input and pipes are copied to a temporary file first."""
    if str(path) == STANDARD_INPUT:
        if stdin is None:
            raise InputError("There is no standard input to read.")
        with _copied(stdin) as copy:
            yield copy
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise IsADirectoryError
    except OSError as error:
        raise InputError(_unreadable(error, name)) from error
    with open(descriptor, "rb") as stream:  # noqa: PTH123  # a path may be a pipe's descriptor
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISREG(mode):
            yield stream
        elif stat.S_ISFIFO(mode):
            with _copied(stream) as copy:
                yield copy
        else:
            raise InputError(Fault("This is a device, not a contact file.", file=name))


@contextmanager
def _copied(source: BinaryIO) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as copy:
        try:
            shutil.copyfileobj(source, copy, 1 << 20)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise InputError(f"Standard input can't be read: {error.strerror}.") from error
            raise StoppedError(
                "There is no room for a temporary copy of standard input.",
                hint="Nothing was changed. Make room, or name a file, and run this again.",
            ) from error
        copy.seek(0)
        yield copy


def _unreadable(error: OSError, name: str) -> Fault:
    if isinstance(error, FileNotFoundError):
        return Fault("There is no such file.", file=name, hint="Check the name and the folder.")
    if isinstance(error, IsADirectoryError):
        return Fault("This is a folder.", file=name, hint="Name one contact file in it.")
    if isinstance(error, PermissionError):
        return Fault("You may not read this file.", file=name, hint="Ask its owner, or copy it.")
    return Fault(f"The file can't be opened: {error.strerror}.", file=name)


def _lines(stream: IO[bytes], found: Survey, name: str) -> Iterator[str]:
    """The lines with their ends. The file must still be the one that was surveyed."""
    changed = InputError(
        Fault(
            "The file changed while it was read.",
            file=name,
            hint="Nothing was imported. Run this again when it is complete.",
        )
    )
    before = os.fstat(stream.fileno())
    text = TextIOWrapper(stream, encoding=found.encoding, errors="strict", newline="")
    try:
        yield from chain(text)  # text itself would be closed when nobody reads on
    except UnicodeDecodeError as error:
        raise changed from error
    except OSError as error:
        raise InputError(Fault(f"The file can't be read: {error.strerror}.", file=name)) from error
    finally:
        text.detach()  # or the stream is closed with it
    after = os.fstat(stream.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise changed

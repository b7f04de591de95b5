"""Writes files of people: whole or not at all, and readable by their owner alone."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from mailer.adapters.workspace import unwritable


@contextmanager
def whole_file(path: Path, *, encoding: str = "utf-8") -> Iterator[TextIO]:
    """A text file that gets its name once it is complete. Line ends are written as they are.

    Raises InputError or StoppedError when it can't be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "w", encoding=encoding, newline="") as file:
                yield file
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def write_csv(file: TextIO, rows: Iterable[Sequence[str]]) -> int:
    """Writes rows, the headings first; returns how many there are without the headings."""
    writer = csv.writer(file)
    written = -1
    for row in rows:
        writer.writerow(row)
        written += 1
    return max(0, written)

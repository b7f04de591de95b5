"""Writes the rows that an import refused, ready to be mended and imported again."""

from __future__ import annotations

import csv
import errno
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from mailer.errors import InputError, StoppedError


class RejectsFile:
    """A CSV file in the input's own columns, and two more: the reason, and the line it came from.

    It exists only once there is a reject, grows under another name, and gets its own when complete.
    UTF-8 with a mark, because Excel reads it wrongly without.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._columns: tuple[str, ...] = ()
        self._file: TextIO | None = None

    def begin(self, columns: Sequence[str]) -> None:
        """Names the columns."""
        self._columns = tuple(columns)

    def add(self, cells: Sequence[str]) -> None:
        """Adds one row. Raises StoppedError when the disk is full, InputError for a bad place."""
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._part.open("w", encoding="utf-8-sig", newline="")
                csv.writer(self._file).writerow(self._columns)
            csv.writer(self._file).writerow(cells)
        except OSError as error:
            raise self._unwritable(error) from error

    def finish(self) -> str | None:
        """Completes the file and returns its path; None when nothing was refused."""
        if self._file is None:
            return None
        try:
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from error
        self._file = None
        return str(self._path)

    def discard(self) -> None:
        """Takes a half-written file away; a finished one stays."""
        if self._file is not None:
            with suppress(OSError):  # what a full disk did not take is not wanted any more
                self._file.close()
            self._file = None
            self._part.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> InputError | StoppedError:
        if isinstance(error, (NotADirectoryError, FileExistsError)):
            return InputError(
                f"The rejects file {self._path} can't be written: a file stands where a folder is"
                " needed.",
                hint="Nothing was imported. Move that file away and run this again.",
            )
        why = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        return StoppedError(
            f"The rejects file {self._path} can't be written: {why}.",
            hint="Nothing was imported. Make room and run this again.",
        )

"""Writes the rows that an import refused, ready to be mended and imported again."""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TextIO

from mailer.adapters.sheet_writer import SheetWriter
from mailer.contacts.headings import REJECT_LINE, REJECT_REASON
from mailer.errors import InputError, StoppedError
from mailer.ports import Rejected


class _Sink(Protocol):
    """Takes rejects in one form."""

    def add(self, reject: Rejected) -> None: ...

    def close(self) -> None: ...


class RejectsFile:
    """A file in the input's own form, with two things more: the reason, and the line.

    CSV keeps its delimiter, and a workbook becomes XLSX whatever it was. The file exists only once
    there is a reject, grows under another name, and gets its own when complete.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: Callable[[Path], _Sink] | None = None
        self._sink: _Sink | None = None

    @property
    def _part(self) -> Path:
        return self._path.with_name(self._path.name + ".part")

    def begin(self, columns: Sequence[str], form: str, delimiter: str | None) -> None:
        """Names the columns, and the form of the input."""
        suffix = {"workbook": ".xlsx", "vcard": ".vcf", "jsonl": ".jsonl", "lines": ".txt"}.get(
            form, ".tsv" if delimiter == "\t" else ".csv"
        )
        self._path = self._path.with_name(self._path.name.removesuffix(".csv") + suffix)
        headed = (*columns, REJECT_REASON, REJECT_LINE)
        if form == "workbook":
            self._open = lambda path: _Sheet(path, headed)
        elif form == "csv":
            self._open = lambda path: _Csv(path, headed, delimiter or ",")
        else:
            write = {"vcard": _card, "jsonl": _object, "lines": _line}[form]
            self._open = lambda path: _Text(path, write)

    def add(self, reject: Rejected) -> None:
        """Adds one row. Raises StoppedError when the disk is full, InputError for a bad place."""
        try:
            if self._sink is None:
                if self._open is None:
                    raise RuntimeError("A rejects file was not begun.")
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._sink = self._open(self._part)
            self._sink.add(reject)
        except OSError as error:
            raise self._unwritable(error) from error

    def finish(self) -> str | None:
        """Completes the file and returns its path; None when nothing was refused."""
        if self._sink is None:
            return None
        try:
            self._sink.close()
            self._part.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from error
        self._sink = None
        return str(self._path)

    def discard(self) -> None:
        """Takes a half-written file away; a finished one stays."""
        if self._sink is not None:
            with suppress(OSError):  # what a full disk did not take is not wanted any more
                self._sink.close()
            self._sink = None
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


class _Csv:
    """UTF-8 with a mark, because Excel reads it wrongly without."""

    def __init__(self, path: Path, columns: Sequence[str], delimiter: str) -> None:
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file, delimiter=delimiter)
        self._writer.writerow(columns)

    def add(self, reject: Rejected) -> None:
        self._writer.writerow([*reject.cells, reject.reason, str(reject.line), *reject.beyond])

    def close(self) -> None:
        self._file.close()


class _Sheet:
    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._writer = SheetWriter(path)
        self._writer.add(columns)

    def add(self, reject: Rejected) -> None:
        self._writer.add([*reject.cells, reject.reason, str(reject.line), *reject.beyond])

    def close(self) -> None:
        self._writer.close()


class _Text:
    """Forms without columns: each reject is text of its own."""

    def __init__(self, path: Path, write: Callable[[Rejected], str]) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._write = write

    def add(self, reject: Rejected) -> None:
        self._file.write(self._write(reject))

    def close(self) -> None:
        self._file.close()


def _card(reject: Rejected) -> str:
    lines = reject.raw.splitlines()
    told = [f"X-MAILER-REASON:{reject.reason}", f"X-MAILER-LINE:{reject.line}"]
    return "\r\n".join([*lines[:-1], *told, *lines[-1:]]) + "\r\n"


def _object(reject: Rejected) -> str:
    told = {REJECT_REASON: reject.reason, REJECT_LINE: reject.line}
    try:
        own = json.loads(reject.raw)
    except ValueError:
        own = None
    own = own if isinstance(own, dict) else {"text": reject.raw}
    return json.dumps(own | told, ensure_ascii=False) + "\n"


def _line(reject: Rejected) -> str:
    return f"{reject.raw}\t# line {reject.line}: {reject.reason}\n"

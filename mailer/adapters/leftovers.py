"""Files about people that lie in the workspace: rows of them are taken out, old ones go."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from mailer.adapters.outgoing_files import whole_file
from mailer.adapters.workspace import unwritable

Test = Callable[[str], bool]
_BOOKS = {".xlsx", ".ods", ".xls"}
_LARGEST_MEMBER = 64 << 20  # bytes of a workbook's part that are looked at


class Leftovers:
    """Fulfils ``ports.Leftovers`` for the rejects files of a workspace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def forget(self, mentions: Test) -> Sequence[str]:
        """Takes every row that mentions somebody out; returns the files that were changed.

        A workbook that does is removed whole. Raises StoppedError when a file can't be written.
        """
        return [str(file) for file in self._files() if self._forget(file, mentions)]

    def mentioning(self, mentions: Test) -> Sequence[str]:
        """The files that mention somebody."""
        return [str(file) for file in self._files() if _mentions(file, mentions)]

    def older_than(self, moment: datetime) -> Sequence[str]:
        """The files that were last written before a moment."""
        return [str(file) for file in self._files() if file.stat().st_mtime < moment.timestamp()]

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                Path(name).unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(Path(name), error) from error

    def _files(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(file for file in self._folder.rglob("*") if file.is_file())

    def _forget(self, file: Path, mentions: Test) -> bool:
        if not _mentions(file, mentions):
            return False
        if file.suffix.lower() in _BOOKS:
            self.remove([str(file)])
            return True
        text = _text(file)
        kept = [each for each in _records(text, file.suffix.lower()) if not mentions(each)]
        with whole_file(file) as out:
            out.buffer.write("".join(kept).encode("utf-8", "surrogateescape"))
        return True


def _mentions(file: Path, mentions: Test) -> bool:
    if file.suffix.lower() in _BOOKS:
        return _book_mentions(file, mentions)
    return mentions(_text(file))


def _text(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "surrogateescape")


def _records(text: str, suffix: str) -> list[str]:
    """The text cut into its records as they stand: rows of a table, cards, or lines."""
    lines = text.splitlines(keepends=True)
    if suffix == ".vcf":
        return _cards(lines)
    if suffix not in (".csv", ".tsv"):
        return lines
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    records, begun = [], 0
    raw = io.StringIO(text, newline="").readlines()
    with suppress(csv.Error):  # what can't be read as a table stays one record, to its end
        for _ in reader:
            records.append("".join(raw[begun : reader.line_num]))
            begun = reader.line_num
    return [*records, "".join(raw[begun:])]


def _delimiter(text: str) -> str:
    """The sign that stands most often in the headings: a rejects file keeps its input's."""
    headings = text.partition("\n")[0]
    return max(",;\t|", key=headings.count)


def _cards(lines: Sequence[str]) -> list[str]:
    cards, card = [], ""
    for line in lines:
        card += line
        if line.strip().upper() == "END:VCARD":
            cards.append(card)
            card = ""
    return [*cards, card]


def _book_mentions(file: Path, mentions: Test) -> bool:
    """Whether a workbook holds the text; one that can't be read counts as one that does."""
    if not zipfile.is_zipfile(file):
        return True
    with zipfile.ZipFile(file) as book:
        for member in book.infolist():
            with book.open(member) as part:
                if mentions(part.read(_LARGEST_MEMBER).decode("utf-8", "replace")):
                    return True
    return False

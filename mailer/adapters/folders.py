"""Reads the files of one folder: an issue's, or a layout's.

Nothing outside of the folder is ever read, whatever a name or a symbolic link says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import TypeVar

from mailer.adapters.apart import run_apart
from mailer.errors import Fault, InputError

MOST_TEXT = 4_000_000  # bytes
MOST_DATA = 25_000_000
MOST_FILES = 5_000  # a folder with more is neither an issue nor a layout

T = TypeVar("T")


class DirectoryFolder:
    """A directory as a ``ports.Folder``: names are relative, with forward slashes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real = root.resolve()

    def text(self, name: str) -> str:
        """Returns a text file; a byte-order mark is taken off, line ends become LF."""
        data = self._read(name, MOST_TEXT)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise InputError(
                Fault(
                    "The file is not UTF-8 text.",
                    self.where(name),
                    line,
                    "Save it as UTF-8 in your editor.",
                )
            ) from error
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def data(self, name: str) -> bytes:
        """Returns a file's bytes."""
        return self._read(name, MOST_DATA)

    def names(self, under: str = "") -> Sequence[str]:
        """Returns every file's name, sorted; what is hidden, or leads outside, is left out."""
        top = self._inside(under) if under else self._real
        names: list[str] = []
        for folder, folders, files in os.walk(top, onerror=_refuse):
            folders[:] = [each for each in folders if not each.startswith(".")]
            place = Path(folder)
            within = place.relative_to(self._real).as_posix()
            for leaf in files:
                if not leaf.startswith(".") and self._holds(place / leaf):
                    names.append(leaf if within == "." else f"{within}/{leaf}")
            if len(names) > MOST_FILES:
                raise InputError(Fault(f"There are more than {MOST_FILES} files.", str(self._root)))
        return sorted(names)

    def where(self, name: str) -> str:
        """Returns the path to show to a person."""
        return str(self._root / name)

    def steer(self, call: Callable[[], T]) -> T:
        """Runs a call at once: these files are trusted."""
        return call()

    def _read(self, name: str, most: int) -> bytes:
        path = self._inside(name)
        try:
            with path.open("rb") as file:
                data = file.read(most + 1)  # the size may change while we look
        except FileNotFoundError as error:
            raise InputError(self._missing(name)) from error
        except IsADirectoryError as error:
            raise InputError(Fault("This is a folder, not a file.", self.where(name))) from error
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise InputError(Fault(f"It can't be read: {reason}.", self.where(name))) from error
        if len(data) > most:
            raise InputError(
                Fault(f"It is too large; at most {most / 1e6:.0f} MB are read.", self.where(name))
            )
        return data

    def _inside(self, name: str) -> Path:
        """Returns the real path of a name; raises InputError for one that leads outside."""
        posix = PurePosixPath(name)
        unfit = not name or "\0" in name or "\\" in name or posix.is_absolute()
        if unfit or ".." in posix.parts:
            raise InputError(
                Fault(
                    f"`{name[:200]!s}` is no name of a file in this folder.",
                    str(self._root),
                    hint="Put the file into the folder and name it from there.",
                )
            )
        try:
            path = (self._real / name).resolve()
            ordinary = not path.exists() or path.is_file() or path.is_dir()
        except (OSError, ValueError, RuntimeError) as error:  # a circle of links, a name too long
            raise InputError(Fault("This name leads nowhere.", self.where(name[:200]))) from error
        if not path.is_relative_to(self._real):
            raise InputError(
                Fault(
                    "This link leads out of the folder.",
                    self.where(name),
                    hint="Put a copy of the file into the folder.",
                )
            )
        if not ordinary:  # a pipe would keep us waiting
            raise InputError(Fault("This is no ordinary file.", self.where(name)))
        return path

    def _holds(self, path: Path) -> bool:
        """Whether a file that a walk came upon lies inside: walks follow no link to a folder."""
        return not path.is_symlink() or path.resolve().is_relative_to(self._real)

    def _missing(self, name: str) -> Fault:
        near = get_close_matches(name, self.names(), n=1, cutoff=0.5)
        hint = f"Did you mean `{near[0]}`?" if near else None
        return Fault(f"There is no file `{name}`.", str(self._root), hint=hint)


class ForeignFolder(DirectoryFolder):
    """A folder whose files did not come with the program: what they steer is bounded."""

    def steer(self, call: Callable[[], T]) -> T:
        """Runs a call in a process of its own; raises InputError when it exceeds the bounds."""
        return run_apart(call, where=str(self._root))


def open_folder(root: Path) -> DirectoryFolder:
    """Opens a directory; raises InputError when there is none."""
    if not root.is_dir():
        what = "This is no folder." if root.exists() else "There is no such folder."
        raise InputError(Fault(what, str(root)))
    return DirectoryFolder(root)


def _refuse(error: OSError) -> None:
    reason = error.strerror or type(error).__name__
    raise InputError(Fault(f"It can't be read: {reason}.", str(error.filename))) from error

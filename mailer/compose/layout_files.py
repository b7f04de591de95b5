"""Finds the files of a layout, through the layouts that it extends."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from mailer.errors import Fault, InputError

THEME = "theme.yaml"
STARTER = "starter/"
_EXTENDS = re.compile(r"""^extends:[ \t]*["']?([^\s"'#]+)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)
_MOST = 8  # layouts over one another


class LayoutFiles(Protocol):
    """The files of one layout."""

    def text(self, name: str) -> str: ...

    def data(self, name: str) -> bytes: ...

    def names(self, under: str = "") -> Sequence[str]: ...

    def where(self, name: str) -> str: ...


F = TypeVar("F", bound=LayoutFiles)


class Stack(Generic[F]):
    """A layout's own files over those of the layouts that it extends, the nearest first.

    A file is taken from the first folder that has it. A starter edition is one folder's whole.
    """

    def __init__(self, folders: Sequence[F]) -> None:
        self.folders = tuple(folders)
        self._of: dict[str, F] = {}
        held = [(folder, folder.names()) for folder in self.folders]
        starter = next((f for f, names in held if any(n.startswith(STARTER) for n in names)), None)
        for folder, names in reversed(held):
            for name in names:
                if not name.startswith(STARTER) or folder is starter:
                    self._of[name] = folder

    def text(self, name: str) -> str:
        """Returns a text file; raises InputError."""
        return self._folder(name).text(name)

    def data(self, name: str) -> bytes:
        """Returns a file's bytes; raises InputError."""
        return self._folder(name).data(name)

    def names(self, under: str = "") -> Sequence[str]:
        """Returns every file's name, sorted."""
        return sorted(name for name in self._of if name.startswith(under))

    def where(self, name: str) -> str:
        """Returns the path to show to a person."""
        return self._folder(name).where(name)

    def _folder(self, name: str) -> F:
        return self._of.get(name, self.folders[0])


def stack(name: str, layouts: Callable[[str], F]) -> Stack[F]:
    """Opens a layout and what it extends; raises InputError, as for a circle of layouts."""
    folders = [layouts(name)]
    seen = [name]
    while (line_and_base := base_of(folders[-1])) is not None:
        line, base = line_and_base
        fault = None
        if base in seen or len(seen) >= _MOST:
            way = " → ".join((*seen, base))
            fault = Fault(f"The layouts extend each other: {way}.", rule="layout")
        else:
            try:
                folders.append(layouts(base))
            except InputError as error:
                fault = error.faults[0]
        if fault is not None:
            where = folders[-1].where(THEME)
            raise InputError(Fault(fault.message, where, line, fault.hint, rule="layout"))
        seen.append(base)
    return Stack(folders)


def base_of(files: LayoutFiles) -> tuple[int, str] | None:
    """Returns the layout that a layout extends, and the line that says so."""
    if THEME not in files.names():
        return None
    text = files.text(THEME)
    found = _EXTENDS.search(text)
    return (text.count("\n", 0, found.start()) + 1, found.group(1)) if found else None

"""The folders that came with the program, and what was made of their templates before."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from importlib.util import cache_from_source
from pathlib import Path
from typing import TypeVar

from mailer.adapters.folders import DirectoryFolder
from mailer.compose.keeping import KEPT, Kept

T = TypeVar("T")
_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(what: str) -> Path:
    """The folder ``layouts`` or ``examples`` that came with the program.

    In the wheel it lies inside the package; in a checkout beside it.
    """
    inside = _PACKAGE / "_shipped" / what
    if inside.is_dir():
        return inside
    return _PACKAGE.parent / {"examples": "data/examples"}.get(what, what)


class ShippedFolder(DirectoryFolder):
    """A layout that came with the program; its files are compiled once for many processes."""

    def steer(self, call: Callable[[], T]) -> T:
        """Runs a call at once, with what an earlier process kept."""
        PACK.take_out()
        try:
            return call()
        finally:
            PACK.put_back()


class Pack:
    """A file beside Python's own, in ``__pycache__``, by Python's rules for that place.

    Whoever may write there can change the program anyway; a workspace would be no such place,
    because it may come from somebody else. Where nothing can be written, nothing is kept.
    """

    def __init__(self, kept: Kept, path: Path | None) -> None:
        self._kept = kept
        self.path = path
        self._taken = False

    def take_out(self) -> None:
        """Reads the pack, once a process."""
        if not self._taken and self.path is not None:
            self._taken = True
            try:
                self._kept.unpack(self.path.read_bytes())
            except OSError:  # there is none yet, or none for us
                return

    def put_back(self) -> None:
        """Writes the pack, if it has grown: whole or not at all."""
        if self.path is None or not self._kept.grown or sys.dont_write_bytecode:
            return
        pack = self._kept.pack()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent)
            draft = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(pack)
                draft.chmod(0o644)  # as the modules beside it: others run the program, too
                draft.replace(self.path)
            except BaseException:
                draft.unlink()
                raise
        except OSError:  # a program that its user can't change, or a full disk: it works without
            return


def _place() -> Path | None:
    try:
        return Path(cache_from_source(__file__)).with_suffix(".pack")
    except NotImplementedError:  # a Python that keeps no code
        return None


PACK = Pack(KEPT, _place())

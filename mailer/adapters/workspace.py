"""The workspace on disk: its first files, its issues, and the layouts that it can use."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from mailer.adapters.folders import DirectoryFolder, ForeignFolder
from mailer.adapters.shipped import ShippedFolder, shipped
from mailer.errors import Fault, InputError, StoppedError


def layout_folder(workspace: Path, name: str) -> DirectoryFolder:
    """The layout's files: the workspace's own, else one that was shipped.

    Raises InputError naming the layouts that there are.
    """
    places = (workspace / "layouts", shipped("layouts"))
    if name and "/" not in name and "\\" not in name and not name.startswith("."):
        for place in places:
            if (place / name).is_dir():
                kind = ShippedFolder if place.resolve() == places[1].resolve() else ForeignFolder
                return kind(place / name)
    known = [each for each, _ in known_layouts(workspace)]
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean “{near[0]}”?" if near else f"There are: {', '.join(known)}."
    raise InputError(f"There is no layout “{name}”.", hint=hint)


def known_layouts(workspace: Path) -> list[tuple[str, bool]]:
    """The name of every layout, and whether it is the workspace's own."""
    found: dict[str, bool] = {}
    for own, place in ((True, workspace / "layouts"), (False, shipped("layouts"))):
        for folder in place.iterdir() if place.is_dir() else ():
            if folder.is_dir() and not folder.name.startswith("."):
                found.setdefault(folder.name, own)
    return sorted(found.items())


class Shelf:
    """Fulfils ``ports.NewFolder``: makes whole folders under one place."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def create(self, name: str, contents: Mapping[str, bytes]) -> str:
        """Makes the folder under another name first, then gives it its own: whole or not at all."""
        target = self._place / name
        if target.exists():
            raise InputError(Fault("This folder exists already.", str(target)))
        try:
            self._place.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self._place))
            try:
                for file, data in contents.items():
                    (draft / file).parent.mkdir(parents=True, exist_ok=True)
                    (draft / file).write_bytes(data)
                draft.chmod(0o755)
                draft.rename(target)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
        except OSError as error:
            raise unwritable(target, error) from error
        return str(target)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Writes files, over those of an earlier call; returns their paths for people."""
    written = []
    for name, data in contents.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise unwritable(path, error) from error
        written.append(str(path))
    return written


class FirstFiles:
    """Fulfils ``ports.FirstFiles``: writes a new workspace's files, never over others."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def write(self, name: str, text: str, *, private: bool = False) -> bool:
        """Writes a file that is not there yet; returns whether it did."""
        path = self._workspace / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644
            )
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            return False
        except OSError as error:
            raise unwritable(path, error) from error
        return True

    def append(self, name: str, text: str) -> None:
        path = self._workspace / name
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise unwritable(path, error) from error

    def names_variable(self, name: str, variable: str) -> bool:
        return bool(dotenv_values(self._workspace / name, interpolate=False).get(variable))


def unwritable(path: Path, error: OSError) -> InputError | StoppedError:
    """The sentence for a file that can't be written."""
    if isinstance(error, (NotADirectoryError, FileExistsError)):  # mkdir says the latter of a file
        return InputError(f"{path} can't be written: a file stands where a folder is needed.")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path} can't be written: it is a folder.")
    return StoppedError(
        f"{path} can't be written: {error.strerror or error}.",
        hint="Make room or give yourself the right to write there, and run this again.",
    )

"""Keeps what readers asked for while the database is away: files that a power cut does not take.

A file holds the links of one moment, as JSON lines without an address. It gets its name when it is
complete and on the disk, and goes when what it says is committed. Applied twice, it does no harm,
so processes may read it beside each other. One that can't be carried out as a whole is put aside.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailer.errors import StoppedError
from mailer.store.sqlite_file import of_a_group

_ENDING = ".jsonl"
_ASIDE = ".aside"  # behind it: for a person to look at


@dataclass(frozen=True, slots=True)
class KeptWish:
    """One wish to leave: a signed link, what was asked for through it, and when."""

    token: str
    step: str
    at: datetime


class Letterbox:
    """The folder in which wishes wait."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, wishes: Sequence[KeptWish]) -> None:
        """Returns when the wishes are on the disk. Raises StoppedError when they are not."""
        name = f"{wishes[0].at:%Y%m%dT%H%M%S%f}-{secrets.token_hex(6)}"
        text = "".join(
            json.dumps({"token": each.token, "step": each.step, "at": each.at.isoformat()}) + "\n"
            for each in wishes
        )
        try:
            self._make_folder()
            part = self._folder / f"{name}.part"
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            if of_a_group(self._folder, os.fstat(handle)):
                os.fchmod(handle, 0o660)
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.rename(self._folder / (name + _ENDING))
            _sync(self._folder)
        except OSError as error:
            with suppress(OSError):
                (self._folder / f"{name}.part").unlink(missing_ok=True)
            raise StoppedError(
                f"Unsubscribes can't be kept in {self._folder}: {error.strerror or error}.",
                hint="Make room on the disk, and see that the folder may be written to.",
            ) from error

    def _make_folder(self) -> None:
        """Ours alone, or the group's as well where the workspace is a group's."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._folder.mkdir(mode=0o700)
        except FileExistsError:
            return
        if of_a_group(self._folder.parent, self._folder.stat()):
            self._folder.chmod(0o2770)

    def waiting(self) -> list[Path]:
        """The files that wait, the oldest first.

        Raises StoppedError when this account may not look: somebody who left would be mailed.
        """
        try:
            files = list(self._folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self._folder, error) from error
        return sorted(file for file in files if file.suffix == _ENDING)

    def read(self, file: Path) -> tuple[list[KeptWish], bool]:
        """What a file holds, and whether all of it can be read.

        Nothing when another process has applied it meanwhile. Raises StoppedError when this
        account may not read it.
        """
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return [], True
        except OSError as error:
            raise _unreadable(file, error) from error
        found = [_parsed(line) for line in lines]
        return [each for each in found if each is not None], bool(found) and None not in found

    def done(self, file: Path) -> None:
        """Takes a file away whose wishes are committed."""
        file.unlink(missing_ok=True)

    def put_aside(self, file: Path) -> None:
        """Takes a file of which something could not be carried out out of the way."""
        with suppress(FileNotFoundError):  # another process did so
            file.rename(f"{file}{_ASIDE}")


def _unreadable(path: Path, error: OSError) -> StoppedError:
    return StoppedError(
        f"{path} holds unsubscribes and can't be read: {error.strerror or error}.",
        hint="Run this as the account that the site runs as, or be given the right to read it.",
    )


def _parsed(line: str) -> KeptWish | None:
    """One wish; None for what is torn, or no wish of ours."""
    try:
        row = json.loads(line)
        return KeptWish(str(row["token"]), str(row["step"]), datetime.fromisoformat(row["at"]))
    except (ValueError, TypeError, KeyError):
        return None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

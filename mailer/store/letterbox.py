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
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = self._folder / f"{name}.part"
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
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

    def waiting(self) -> list[Path]:
        """The files that wait, the oldest first."""
        try:
            return sorted(self._folder.glob(f"*{_ENDING}"))
        except OSError:
            return []

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
            raise StoppedError(
                f"{file} holds unsubscribes and can't be read: {error.strerror or error}.",
                hint="Run this as the account that the site runs as.",
            ) from error
        found = [_parsed(line) for line in lines]
        return [each for each in found if each is not None], bool(found) and None not in found

    def done(self, file: Path) -> None:
        """Takes a file away whose wishes are committed."""
        file.unlink(missing_ok=True)

    def put_aside(self, file: Path) -> None:
        """Takes a file of which something could not be carried out out of the way."""
        with suppress(FileNotFoundError):  # another process did so
            file.rename(f"{file}{_ASIDE}")


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

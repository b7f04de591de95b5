"""A SQLite file, who may read it, and how every connection to it is set up."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

from mailer.errors import StoppedError

BUSY_TIMEOUT_MS = 10_000


CACHE_KIB = 16_384  # a connection's; what goes through the whole file asks for more


def configure(connection: sqlite3.Connection) -> None:
    """Durable means: after a power cut too. Transactions are begun by us."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.close()


def create_private(path: str | Path) -> bool:
    """Makes an empty file, if there is none, that only those may read who share its folder.

    Returns whether it has.

    That is its owner, and the folder's group where the group may write to the folder. What SQLite
    writes beside a database (-wal, -shm, -journal) gets the rights of the database.
    """
    file = Path(path).resolve()
    with suppress(OSError):  # it is there, or SQLite tries next and says why it can't be
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if of_a_group(file.parent, os.fstat(handle)):
                os.fchmod(handle, 0o660)
        finally:
            os.close(handle)
        return True
    return False


def of_a_group(folder: Path, made: os.stat_result) -> bool:
    """Whether what was made in a folder is for the folder's group, which may write there."""
    found = folder.stat()
    return bool(found.st_mode & stat.S_IWGRP) and made.st_gid == found.st_gid


def open_to_all(path: str | Path) -> list[Path]:
    """Which of a database's files everybody on this machine can read or write."""
    file = Path(path).resolve()
    if not all(folder.stat().st_mode & stat.S_IXOTH for folder in file.parents):
        return []
    found = [file, *(file.with_name(f"{file.name}-{end}") for end in ("wal", "shm", "journal"))]
    everybody = stat.S_IROTH | stat.S_IWOTH
    return [each for each in found if each.exists() and each.stat().st_mode & everybody]


class SqliteFile:
    """Notices when the file was taken away, or another put in its place, under an open database.

    Connections would go on writing into a file that has no name any more, and all of it would be
    gone with the last of them.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._known: tuple[int, int] | None = None  # which file the name stood for

    def replaced(self) -> bool:
        """Whether it is another file than at the last look. Raises StoppedError when it is gone."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            if self._known is None:
                return False  # there was none yet
            raise StoppedError(
                f"The database {self._path} was moved or removed.",
                hint="Put it back, or restore a backup.",
            ) from None
        before, self._known = self._known, (found.st_dev, found.st_ino)
        return before not in (None, self._known)

"""A SQLite file, and how every connection to it is set up."""

from __future__ import annotations

import sqlite3
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

"""A Maildir: a folder with a file for each mail (https://cr.yp.to/proto/maildir.html)."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mailer.adapters.spooled import Spooled, identity, make_folder, sync, sync_folder, write_all

_PARTS = ("cur", "new", "tmp")
_LONGEST = 200  # bytes of a name; most file systems take 255, and programs add flags
_PLAIN = re.compile(r"[^A-Za-z0-9@_=+.-]")


class Maildir:
    """Each mail lies in ``new`` under its Message-ID. Raises OSError where other things lie."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, Path] = {}  # what a mail program moved into cur, without flags
        self._brought: dict[int, Path] = {}
        if not folder.exists():
            return
        inside = list(folder.iterdir())
        if inside and not all((folder / part).is_dir() for part in _PARTS):
            raise OSError(errno.ENOTDIR, "it is a folder of other things, not a Maildir")

    def open(self) -> None:
        """Makes the folders. What a killed process left in ``tmp`` is written over in time."""
        for part in _PARTS:
            make_folder(self.folder.absolute() / part)
        # Only here: nothing that this run keeps is asked for again in the same run.
        self._read = {each.name.partition(":")[0]: each for each in (self.folder / "cur").iterdir()}

    def keep(self, mails: Sequence[Spooled]) -> None:
        """Writes each into ``tmp``, waits for the disk, then gives them their names in ``new``."""
        self._brought = {}
        writing: list[tuple[int, int, Path, Path]] = []
        try:
            for mail in mails:
                name = self._free_name(mail)
                if name is None:
                    continue
                draft = self.folder / "tmp" / name
                handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                writing.append((mail.key, handle, draft, self.folder / "new" / name))
                write_all(handle, mail.headed)
            for _, handle, _, _ in writing:  # the first wait is for most of what follows, too
                sync(handle)
            for key, _, draft, final in writing:
                draft.rename(final)
                self._brought[key] = final
        except OSError:
            for _, _, draft, _ in writing:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
            raise
        finally:
            for _, handle, _, _ in writing:
                os.close(handle)
        # Also when all were there: the process that named them may have died before this.
        sync_folder(self.folder / "new")

    def withdraw(self, mails: Sequence[Spooled]) -> None:
        """Removes files that the last ``keep`` brought, if nobody has read them yet."""
        for mail in mails:
            if mail.key in self._brought:
                self._brought[mail.key].unlink(missing_ok=True)

    def close(self) -> None:
        """There is nothing to close."""

    def _free_name(self, mail: Spooled) -> str | None:
        """The name for its file; None when it is there already."""
        name = file_name(mail.name)
        there = self._there(name)
        if there is None:
            return name
        try:
            if identity(there.read_bytes()) == mail.identity:
                return None
        except FileNotFoundError:  # a mail program has just moved it
            return None
        name = f"{name}={mail.identity.hex()}"  # another database's mail has its Message-ID
        return None if self._there(name) else name

    def _there(self, name: str) -> Path | None:
        new = self.folder / "new" / name
        return self._read.get(name) or (new if new.exists() else None)


def file_name(message_id: str) -> str:
    """A Message-ID as a name of a file: no slash, no colon, no leading dot, never too long."""
    name = _PLAIN.sub(
        lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode()), message_id
    )
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > _LONGEST:
        digest = hashlib.sha256(message_id.encode()).hexdigest()
        name = f"{name[:100]}={digest}"
    return name

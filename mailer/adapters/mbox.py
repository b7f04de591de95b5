"""An mbox: one file with all mails behind each other (RFC 4155), quoted as "mboxrd" has it.

Each begins with a line ``From SENDER DATE``; a line of the mail that looks like one gets a ``>``
more, which a reader takes away again, so that nothing is lost.

An append can be broken off in its midst. A *journal* beside the mbox therefore holds a batch, and
where it begins, before the mbox gets it; whoever comes next finishes what was begun.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mailer.adapters.spooled import Spooled, identity, make_folder, sync, sync_folder, write_all

_FROM = re.compile(rb"^(>*From )", re.MULTILINE)


class Mbox:
    """One file. Raises OSError where something else lies than an mbox.

    While it is written, it is locked as mail programs lock it (``fcntl``). ``clock`` says the
    seconds since 1970 that go into the From lines.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._journal = path.with_name(f"{path.name}.journal")
        self._clock = clock
        self._known: set[bytes] = set()  # what it had when it was opened, by a short hash
        self._begins: dict[str, int] = {}  # where the mails of the last batch lie
        self._end = 0
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is no plain file")
        with suppress(FileNotFoundError), path.open("rb") as file:
            if file.read(5) not in (b"", b"From "):
                raise OSError(errno.EINVAL, "it is a file of another kind, not an mbox")

    def open(self) -> None:
        """Makes the file, finishes a broken append, and reads which mails are there."""
        make_folder(self.path.absolute().parent)
        with self._locked() as handle:
            self._recover(handle)
            sync(handle)
            with self.path.open("rb") as file:
                self._known = {identity(head) for head in heads(file)}
        sync_folder(self.path.absolute().parent)

    def keep(self, mails: Sequence[Spooled]) -> None:
        """Appends those that were not there, and waits for the disk."""
        date = time.asctime(time.gmtime(self._clock()))
        new = [mail for mail in mails if mail.identity not in self._known]
        entries = [entry(mail, date) for mail in new]
        with self._locked() as handle:
            self._recover(handle)
            begin = os.fstat(handle).st_size
            gap = _gap(handle, begin)
            self._begins, self._end = {}, begin + len(gap)
            for mail, data in zip(new, entries, strict=True):
                self._begins[mail.name] = self._end
                self._end += len(data)
            if new:
                self._append(handle, begin, gap + b"".join(entries))

    def withdraw(self, mails: Sequence[Spooled]) -> None:
        """Cuts the end of the last batch off, unless another program has written behind it."""
        begins = [self._begins[mail.name] for mail in mails if mail.name in self._begins]
        with self._locked() as handle:
            if begins and os.fstat(handle).st_size == self._end:
                os.ftruncate(handle, begins[0])
                sync(handle)
            else:
                self._known |= {mail.identity for mail in mails}

    def close(self) -> None:
        """There is nothing to close: the file is open only while it is written."""

    def _append(self, handle: int, begin: int, data: bytes) -> None:
        self._write_journal(begin, data)
        os.lseek(handle, begin, os.SEEK_SET)
        try:
            write_all(handle, data)
            sync(handle)
        except OSError:  # a full disk: what was written of the batch goes again
            os.ftruncate(handle, begin)
            self._journal.unlink()
            raise
        self._journal.unlink()

    @contextmanager
    def _locked(self) -> Iterator[int]:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)  # and with it the lock

    # The journal: "BEGIN LENGTH SHA256\n", then the batch.

    def _write_journal(self, begin: int, data: bytes) -> None:
        handle = os.open(self._journal, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            write_all(handle, f"{begin} {len(data)} {hashlib.sha256(data).hexdigest()}\n".encode())
            write_all(handle, data)
            sync(handle)
        except OSError:
            self._journal.unlink()
            raise
        finally:
            os.close(handle)
        sync_folder(self.path.absolute().parent)

    def _recover(self, handle: int) -> None:
        """Finishes the append that a journal tells of. Raises OSError when the mbox was changed."""
        try:
            head, _, data = self._journal.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return
        words = head.split()
        whole = len(words) == 3 and words[2] == hashlib.sha256(data).hexdigest().encode()
        if whole:  # else the process died over the journal, and the mbox got nothing of it
            begin, size = int(words[0]), os.fstat(handle).st_size
            there = os.pread(handle, len(data), begin)
            if size < begin or not data.startswith(there):
                why = f"it was changed while {self._journal.name} beside it tells of an append"
                raise OSError(errno.EIO, why)
            os.lseek(handle, begin + len(there), os.SEEK_SET)
            write_all(handle, data[len(there) :])
            sync(handle)
        self._journal.unlink()


def entry(mail: Spooled, date: str) -> bytes:
    """One mail as it stands in an mbox, with the empty line behind it."""
    sender = mail.sender or "MAILER-DAEMON"
    return f"From {sender} {date}\n".encode() + _FROM.sub(rb">\1", mail.headed) + b"\n"


def heads(file: BinaryIO) -> Iterator[bytes]:
    """The headers of each mail in an mbox."""
    empty, head = True, list[bytes]()  # an empty line came before; what is read of a header
    heading = False
    for line in file:
        if empty and line.startswith(b"From "):
            if heading:
                yield b"".join(head)
            head, heading = [], True
        elif heading and line in (b"\n", b"\r\n"):
            yield b"".join(head)
            heading = False
        elif heading:
            head.append(line)
        empty = line in (b"\n", b"\r\n")
    if heading:
        yield b"".join(head)


def _gap(handle: int, size: int) -> bytes:
    """What is missing to an empty line at the end of the file."""
    tail = os.pread(handle, 2, max(0, size - 2))
    if not tail or tail == b"\n\n":
        return b""
    return b"\n" if tail.endswith(b"\n") else b"\n\n"

"""A mail as a spool keeps it, and how its file reaches the disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

_TELLING = re.compile(rb"^(delivered-to|date|message-id):\s*(\S.*?)\s*$", re.I | re.M)
_FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone stops at the drive's cache


@dataclass(frozen=True, slots=True)
class Spooled:
    """``content`` is the message with the line ends of files, LF; ``name`` its Message-ID."""

    key: int
    name: str
    sender: str  # MAIL FROM, without brackets; may be empty
    recipient: str
    content: bytes

    @property
    def headed(self) -> bytes:
        """The message under its envelope, as a server writes it at the final delivery.

        Return-Path is of RFC 5321 section 4.4; Delivered-To is of RFC 9228.
        """
        top = f"Return-Path: <{self.sender}>\nDelivered-To: {self.recipient}\n"
        return top.encode() + self.content

    @property
    def identity(self) -> bytes:
        """The same for every attempt at this mail, and for no other mail."""
        return identity(self.headed)


def identity(mail: bytes) -> bytes:
    """A hash of Message-ID, Date and Delivered-To; ``mail`` is all of it, or its headers.

    A Message-ID alone is no proof: a database that was restored, or begun anew, gives the same ones
    out again, to others or for another text.
    """
    head = mail.partition(b"\n\n")[0]
    told = {found[1].lower(): found[2] for found in reversed(list(_TELLING.finditer(head)))}
    words = (told.get(name, b"") for name in (b"message-id", b"date", b"delivered-to"))
    return hashlib.blake2b(b"\0".join(words), digest_size=12).digest()


def sync(handle: int) -> None:
    """Waits until a file has reached the disk. Raises OSError."""
    if _FULL_SYNC is None:
        os.fsync(handle)
    else:
        fcntl.fcntl(handle, _FULL_SYNC)


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder have reached the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Makes a folder, with those above it, so that it outlasts a power cut. Raises OSError.

    It is for its owner alone. ``folder`` is absolute.
    """
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def write_all(handle: int, data: bytes) -> None:
    """Writes all of it: a full disk may take a part at first. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]

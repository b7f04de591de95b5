"""The flight recorder: what was on the wire when a process died.

A memory-mapped file with one slot for each row of the window. The kernel keeps a shared page when
the process is killed, so a mark costs no system call and still survives SIGKILL. It does not
survive a power cut in any known order: a recorder from another boot is not believed.

Order of marks::

    claim committed → payload, then state CLAIMED
                    → STARTED, before the first byte of the text goes to the socket
                    → the reply, then ANSWERED
    outcome committed → FREE
"""

from __future__ import annotations

import fcntl
import mmap
import os
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from zlib import crc32

from mailer.errors import BusyError, StoppedError
from mailer.model.words import Reply, Stage

MAGIC = b"mailer-recorder1"
_HEADER = struct.Struct("<16s32s40s64sQII")  # magic, identity, boot, host, run, slots, crc
_HEADER_SIZE = 256
_PAYLOAD = struct.Struct("<QI16sI")  # position, attempt, message hash, crc
_ANSWER = struct.Struct("<BHBHI")  # stage, code, length of the enhanced code, of the text, crc
_SLOT_SIZE = 512
_PAYLOAD_AT, _HASH_AT, _ANSWER_AT = 8, 8 + 12, 48
_TEXT_AT = _ANSWER_AT + _ANSWER.size
_TEXT_SIZE = _SLOT_SIZE - _TEXT_AT
_STAGES = tuple(Stage)
_NUMBERS = {stage: number for number, stage in enumerate(_STAGES)}
_CLAIM = struct.Struct("<QI")  # what of the payload its check sum covers
_NO_HASH = b"\0" * 16


class Mark(IntEnum):
    free = 0
    claimed = 1
    started = 2
    answered = 3


_FREE, _CLAIMED, _STARTED, _ANSWERED = map(int, Mark)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a dead run's recorder says about one row."""

    position: int
    attempt: int
    mark: Mark
    message_hash: bytes
    stage: Stage | None = None
    reply: Reply | None = None


def boot_id() -> str:
    """Names this boot of this machine. A recorder of another boot may hold stale pages."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:  # macOS: no such file; the boot's time serves
        return f"boot-{round(_boot_time())}"


def _boot_time() -> float:
    import time

    return time.time() - time.monotonic()


def host() -> str:
    return platform.node()[:64]


class Recorder:
    """The recorder of a live run. The lock on its file tells a dead owner from a slow one."""

    def __init__(self, file: Path, *, identity: str, run: int, slots: int) -> None:
        self.file = file
        size = _HEADER_SIZE + slots * _SLOT_SIZE
        self._free = list(range(_HEADER_SIZE, size, _SLOT_SIZE))[::-1]  # where each begins
        try:
            self._handle = _create(file)
            try:
                self._map = _mapped(self._handle, size)
                self._map[: _HEADER.size] = _pack_header(identity, run, slots)
                self._map.flush()
                os.fsync(self._handle)  # before the run's first claim
            except OSError:
                os.close(self._handle)
                file.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StoppedError(
                f"The flight recorder {file} can't be written: {error.strerror or error}.",
                hint="Nothing was sent. Make room, or give yourself the right to write there.",
            ) from error

    @property
    def room(self) -> int:
        """How many slots are free."""
        return len(self._free)

    def claim(self, position: int, attempt: int) -> int:
        """Notes a committed claim; returns its slot."""
        slot = self._free.pop()
        crc = crc32(_CLAIM.pack(position, attempt))
        at = slot + _PAYLOAD_AT
        self._map[at : at + _PAYLOAD.size] = _PAYLOAD.pack(position, attempt, _NO_HASH, crc)
        self._map[slot] = _CLAIMED
        return slot

    def started(self, slot: int, message_hash: bytes) -> None:
        """Notes that the text is about to go to the socket. ``message_hash``: 16 bytes."""
        at = slot + _HASH_AT
        self._map[at : at + 16] = message_hash
        self._map[slot] = _STARTED

    def answered(self, slot: int, stage: Stage, reply: Reply) -> None:
        code, text, enhanced = reply
        said = (enhanced + text).encode("utf-8", "replace")[:_TEXT_SIZE]
        before = len(enhanced)  # ASCII and short: ``as_reply`` takes nothing else for a code
        head = _ANSWER.pack(_NUMBERS[stage], code, before, len(said) - before, crc32(said))
        at = slot + _ANSWER_AT
        self._map[at : at + _ANSWER.size + len(said)] = head + said
        self._map[slot] = _ANSWERED

    def free(self, slot: int) -> None:
        """Gives the slot back: the row's outcome is committed."""
        self._map[slot] = _FREE
        self._free.append(slot)

    def close(self, *, remove: bool) -> None:
        """Ends the run. ``remove`` only when no row of it is left in ``sending``."""
        self._map.close()
        if remove:
            self.file.unlink()
        os.close(self._handle)


def _create(file: Path) -> int:
    """Opens a new file and locks it. One of the same name that nobody holds is a dead timeline's,
    left behind when a backup was restored; BusyError when somebody does hold it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    try:
        handle = os.open(file, flags, 0o660)
    except FileExistsError:
        if alive(file):
            raise BusyError(f"Another process holds the flight recorder {file}.") from None
        file.unlink()
        handle = os.open(file, flags, 0o660)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _mapped(handle: int, size: int) -> mmap.mmap:
    """Written, not only sized: a full disk must be noticed here, not as SIGBUS on a page."""
    written = 0
    while written < size:
        written += os.pwrite(handle, b"\0" * (size - written), written)
    return mmap.mmap(handle, size)


def alive(file: Path) -> bool | None:
    """Whether a process still holds this recorder; None when that can't be told."""
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError:  # no such file, or another officer's: the caller looks elsewhere
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def read(file: Path, *, identity: str, run: int) -> Mapping[tuple[int, int], Seen] | None:
    """What a dead run left, by (position, attempt); None when it can't be believed.

    It is believed only when it names this database, this run, this host and this boot,
    and every record in it is whole.
    """
    try:
        data = file.read_bytes()
    except OSError:
        return None
    if len(data) < _HEADER_SIZE:
        return None
    slots = _HEADER.unpack_from(data)[5]
    if data[: _HEADER.size] != _pack_header(identity, run, slots):
        return None
    if len(data) != _HEADER_SIZE + slots * _SLOT_SIZE:
        return None
    seen: dict[tuple[int, int], Seen] = {}
    for slot in range(slots):
        record = data[_HEADER_SIZE + slot * _SLOT_SIZE : _HEADER_SIZE + (slot + 1) * _SLOT_SIZE]
        if record[0] == Mark.free:
            continue
        found = _read_slot(record)
        if found is None:
            return None
        seen[found.position, found.attempt] = found
    return seen


def _read_slot(record: bytes) -> Seen | None:
    position, attempt, message_hash, crc = _PAYLOAD.unpack_from(record, _PAYLOAD_AT)
    if crc32(_CLAIM.pack(position, attempt)) != crc or record[0] not in set(Mark):
        return None
    mark = Mark(record[0])
    if mark is not Mark.answered:
        return Seen(position, attempt, mark, message_hash)
    stage, code, enhanced_size, text_size, crc = _ANSWER.unpack_from(record, _ANSWER_AT)
    said = record[_TEXT_AT : _TEXT_AT + enhanced_size + text_size]
    if crc32(said) != crc or stage >= len(_STAGES):
        return None
    reply = Reply(
        code, said[enhanced_size:].decode("utf-8", "replace"), said[:enhanced_size].decode("ascii")
    )
    return Seen(position, attempt, mark, message_hash, _STAGES[stage], reply)


def _pack_header(identity: str, run: int, slots: int) -> bytes:
    fields = (MAGIC, identity.encode(), boot_id().encode(), host().encode(), run, slots)
    return _HEADER.pack(*fields, crc32(_HEADER.pack(*fields, 0)))

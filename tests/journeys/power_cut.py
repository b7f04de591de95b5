"""A power cut: what a process wrote and did not sync is gone, or there in part.

``strace`` notes every write and every sync of the files below a folder, with the bytes. At the cut
the files are made anew from that: each begins as it was before, gets the writes that a completed
sync covers, and of the rest a random part in pieces of 512 octets, as a disk may have kept them.
Shared memory is gone. The flight recorder is memory-mapped, which no trace sees: its header was
synced and stays, of its other pages some are kept as they are and the others are blank.

Not imitated: a disk that lies about a sync, and names of files that were not synced.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.journeys.sender import OVER, wait_until

TRACED = "pwrite64,pwritev,write,writev,fsync,fdatasync,ftruncate,unlink,unlinkat,rename"
_CALL = re.compile(r'^([\d.]+) (\w+)\((?:\d+<([^>]*)>|AT_FDCWD\S*, "([^"]*)"|"([^"]*)")(.*)$')
_WRITTEN = re.compile(r', "((?:\\x[0-9a-f]{2})*)", \d+, (\d+)\b')
_SIZED = re.compile(r", (\d+)\) ")
_SECTOR, _PAGE = 512, 4096


def available() -> bool:
    """Whether ``strace`` is there and may be used."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode == 0


@dataclass
class Disk:
    """What one file holds for certain, and what was written since."""

    synced: bytearray
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def write(self, offset: int, data: bytes | None) -> None:
        """Notes a write; without data the file ends there."""
        self.pending.append((offset, data))

    def sync(self) -> None:
        for offset, data in self.pending:
            self._put(offset, data)
        self.pending.clear()

    def cut(self, chance: Random) -> bytes:
        """The file after the cut. In a third of all cuts nothing that was not synced is there."""
        likely = chance.choice((0.0, 0.5, 0.9))
        for offset, data in self.pending:
            pieces: list[tuple[int, bytes | None]] = [(offset, data)]
            if data is not None:
                starts = range(0, len(data), _SECTOR)
                pieces = [(offset + at, data[at : at + _SECTOR]) for at in starts]
            for piece in pieces:
                if chance.random() < likely:
                    self._put(*piece)
        self.pending.clear()
        return bytes(self.synced)

    def _put(self, offset: int, data: bytes | None) -> None:
        if data is None:
            del self.synced[offset:]
            return
        if len(self.synced) < offset:
            self.synced.extend(bytes(offset - len(self.synced)))
        self.synced[offset : offset + len(data)] = data


class Machine:
    """Runs one sender until the power fails. ``synchronous``: see ``Tricks``."""

    def __init__(self, folder: Path, *, synchronous: str = "") -> None:
        self.folder = folder
        self._synchronous = synchronous
        self._database = folder / "mailer.db"
        self._before = self._database.read_bytes()
        self._traces = folder / "traces"
        self._traces.mkdir()

    def run(self, until: Callable[[], bool]) -> None:
        """Starts the sender, and kills it when ``until`` says so."""
        words = ["strace", "-ff", "-ttt", "-xx", "-y", "-s", "1048576", "--seccomp-bpf"]
        words += ["-e", f"trace={TRACED}", "-o", str(self._traces / "t"), sys.executable]
        words += ["-m", "tests.journeys.sender", str(self.folder), self._synchronous]
        here = Path(__file__).parents[2]
        with (self.folder / "strace").open("wb") as said:
            traced = subprocess.Popen(words, cwd=here, stderr=said, stdout=said)
            wait_until(lambda: until() or traced.poll() is not None)
            with suppress(OSError, ValueError):
                os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)
            traced.wait(OVER)

    def lose(self, chance: Random) -> None:
        """Leaves the files as the cut leaves them. Nobody may have the database open."""
        log = Path(f"{self._database}-wal")
        disks = {self._database: Disk(bytearray(self._before)), log: Disk(bytearray())}
        for call in _in_order(self._traces.iterdir()):
            disk = disks.get(call.file)
            if disk is None:
                continue
            if call.name == "pwrite64":
                disk.write(call.offset, call.data)
            elif call.name in ("fsync", "fdatasync"):
                disk.sync()
            elif call.name == "unlink":
                disks[call.file] = Disk(bytearray())
            elif call.name == "ftruncate":
                disk.write(call.offset, None)
            else:
                raise AssertionError(f"this SQLite uses {call.name} on its files")
        Path(f"{self._database}-shm").unlink(missing_ok=True)
        for file, disk in disks.items():
            file.write_bytes(disk.cut(chance))
        for recorder in (self.folder / "data/runs").glob("*.recorder"):
            pages = recorder.read_bytes()
            kept = [pages[:_PAGE]]
            for start in range(_PAGE, len(pages), _PAGE):
                page = pages[start : start + _PAGE]
                kept.append(page if chance.random() < 0.5 else bytes(len(page)))
            recorder.write_bytes(b"".join(kept))


@dataclass(frozen=True)
class _Call:
    at: float
    name: str
    file: Path
    offset: int = 0
    data: bytes = b""


def _in_order(traces: Iterable[Path]) -> Iterator[_Call]:
    """The calls of all threads, in the order of time; a broken-off sync is none."""
    calls = [call for trace in traces for call in _calls(trace)]
    return iter(sorted(calls, key=lambda call: call.at))


def _calls(trace: Path) -> Iterator[_Call]:
    for line in trace.read_text("ascii").splitlines():
        found = _CALL.match(line)
        if found is None:
            continue
        at, name, rest = float(found[1]), found[2], found[6]
        file = Path(_plain(found[3] or found[4] or found[5]).decode())
        completed = rest.endswith("= 0")
        written = _WRITTEN.match(rest) if name == "pwrite64" else None
        if written is not None:  # also one that was broken off: it may have happened
            yield _Call(at, name, file, int(written[2]), _plain(written[1]))
        elif name == "ftruncate" and completed:
            sized = _SIZED.match(rest)
            yield _Call(at, name, file, int(sized[1]) if sized else 0)
        elif completed or name not in ("fsync", "fdatasync"):
            yield _Call(at, name, file)


def _plain(text: str) -> bytes:
    """The bytes that ``-xx`` writes as hexadecimal escapes."""
    return bytes.fromhex(text.replace("\\x", ""))

"""Runs `mailer site serve` as an operator does, and looks at its processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY = "00112233445566778899aabbccddeeff" * 2  # enough for a test


@dataclass(frozen=True)
class Running:
    """A site that takes connections."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def children(self) -> set[int]:
        """The processes that serve; not the one that multiprocessing keeps beside them."""
        pid = self.process.pid
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {
            int(child)
            for child in listed
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        }


def workspace(folder: Path, template: Path, **variables: str) -> Path:
    """A workspace on a migrated, empty SQLite file, unless a variable names another database."""
    (folder / "data").mkdir()
    shutil.copy(template, folder / "data" / "mailer.db")
    known = {"MAILER_SECRET_KEY": KEY, **variables}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in known.items()))
    return folder


@contextmanager
def serving(folder: Path, *options: str | Path) -> Iterator[Running]:
    """Serves the workspace until the block ends."""
    command = [sys.executable, "-m", "mailer", "-C", folder, "site", "serve", *options]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
    log = folder / "site.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stderr=out, env=clean)
    try:
        yield Running(_address(log, process), process, log)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    give_up = time.monotonic() + 90
    while time.monotonic() < give_up and process.poll() is None:
        found = re.search(r"Serving (\S+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the site did not start: {log.read_text()}")

"""Runs Postfix's smtp-sink, and reads what came to it from its own dump."""

from __future__ import annotations

import email
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.programs import (
    NOBODY,
    free_port,
    open_folder,
    postfix,
    postfix_environment,
    wait_for_port,
)


@dataclass(frozen=True)
class Dumped:
    """One text that came to its end, whatever smtp-sink said to it."""

    recipient: str
    sender: str
    message_id: str
    text: str  # without the lines that smtp-sink puts above


@dataclass(frozen=True)
class Sink:
    """A running smtp-sink."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    def texts(self) -> list[Dumped]:
        """Every text whose end came; what was cut off when the sink ended is no text."""
        found = [file.read_bytes() for file in sorted(self.folder.iterdir())]
        return [_read(data) for data in found if data.endswith(b"--\n\n")]


@contextmanager
def sinking(*options: str, port: int = 0) -> Iterator[Sink]:
    """Runs smtp-sink with these options while the block runs."""
    program, port = postfix("smtp-sink"), port or free_port()
    with open_folder("sink") as folder:
        user: list[str] = []
        if os.geteuid() == 0:
            user = ["-u", NOBODY]
            folder.chmod(0o777)
        command: list[str | Path]
        command = [program, *user, *options, "-d", f"{folder}/text.", f"127.0.0.1:{port}", "200"]
        process = subprocess.Popen(command, env=postfix_environment(), stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port, process)
            yield Sink(port, process, folder)
        finally:
            process.kill()
            process.wait()


def _read(data: bytes) -> Dumped:
    top, _, rest = data.decode().partition("\nReceived: ")
    said = dict(line.split(": ", 1) for line in top.splitlines())
    text = rest.split("\n", 3)[3]  # its Received line is folded into three
    return Dumped(
        recipient=_path(said["X-Rcpt-Args"]),
        sender=_path(said["X-Mail-Args"]),
        message_id=email.message_from_string(text)["Message-ID"],
        text=text,
    )


def _path(arguments: str) -> str:
    return arguments.partition(">")[0].removeprefix("<")

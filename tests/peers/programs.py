"""Finds the programs that ``./scripts/peers`` installs, and runs them within their time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
POSTFIX = ROOT / ".cache/peers/postfix"
DOVECOT = ROOT / ".cache/peers/dovecot/usr/lib/dovecot"
NOBODY = "nobody"


class Logged(Protocol):
    """A server that keeps a log."""

    @property
    def log(self) -> str: ...


def program(name: str) -> Path:
    """A program on this machine; skips the test when it is missing."""
    found = shutil.which(name)
    return Path(found) if found else _missing(name)


def postfix(name: str) -> Path:
    """A program of the Postfix that was unpacked beside the tests."""
    for folder in ("usr/sbin", "usr/lib/postfix/sbin"):
        if (POSTFIX / folder / name).exists():
            return POSTFIX / folder / name
    return _missing(f"Postfix's {name}")


def dovecot(name: str) -> Path:
    """A program of the Dovecot that was unpacked beside the tests."""
    return DOVECOT / name if (DOVECOT / name).exists() else _missing(f"Dovecot's {name}")


def node_packages(*names: str) -> Path:
    """The folder of the packages for Node, with these in it."""
    folder = Path(os.environ.get("PEERS_NODE_MODULES") or ROOT / ".cache/peers/npm/node_modules")
    for name in names:
        if not (folder / name).is_dir():
            _missing(name)
    return folder


def postfix_environment() -> dict[str, str]:
    """Its libraries lie where they were unpacked, not where they were built for."""
    return {"LD_LIBRARY_PATH": str(POSTFIX / "usr/lib/postfix"), "PATH": "/usr/sbin:/usr/bin:/bin"}


def run_node(script: str, given: object, *, seconds: float, needs: Sequence[str]) -> Any:
    """Runs a script of this folder with JSON on its standard input; returns the JSON it prints."""
    node, packages = program("node"), node_packages(*needs)
    printed = run(
        [node, HERE / script],
        stdin=json.dumps(given).encode(),
        seconds=seconds,
        environment={"PEERS_NODE_MODULES": str(packages)},
    )
    return json.loads(printed)


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes = b"",
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """Runs a program and returns what it printed; late, it is ended with all that it started."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    try:
        out, err = child.communicate(stdin, timeout=seconds)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    assert child.returncode == 0, f"{command[0]} ended with {child.returncode}: {err.decode()}"
    return out


@contextmanager
def open_folder(prefix: str) -> Iterator[Path]:
    """A folder that other users can reach, as pytest's own can't be when root runs it."""
    folder = Path(tempfile.mkdtemp(prefix=f"mailer-{prefix}-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def ended_with_all_its_own(process: subprocess.Popen[bytes], server: Logged) -> Iterator[None]:
    """Ends a master and what it started; a failed assertion shows the end of its log."""
    try:
        yield
    except AssertionError as error:
        error.add_note(server.log[-4000:])
        raise
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int, child: subprocess.Popen[bytes], seconds: float = 20) -> None:
    """Waits until a server that was just started takes connections."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and child.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"{child.args!r} took no connection on port {port}")


def _missing(name: str) -> Path:
    pytest.skip(f"{name} is not installed: ./scripts/peers installs it")

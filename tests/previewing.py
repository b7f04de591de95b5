"""Runs ``mailer issues preview`` as a person would, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def previewing(workspace: Path, *words: str) -> Iterator[str]:
    """Yields the page's address; at the end the preview is interrupted, and must end by itself."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "mailer", "-C", str(workspace)),
            *("issues", "preview", "--port", "0", *words),
        ],
        stderr=subprocess.PIPE,
        env=quiet,
    )
    try:
        assert child.stderr is not None
        said = child.stderr.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{22}/", said)
        assert found, said + child.stderr.read().decode()
        yield found[0]
    finally:
        child.send_signal(signal.SIGINT)
        try:
            _, rest = child.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
    assert (child.returncode, rest.decode()) == (130, "")

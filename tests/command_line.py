"""Runs the command line in this process, as a person would type it."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailer.cli.main import run
from mailer.settings import without_environment


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def mailer(workspace: Path, *words: str) -> Result:
    """``mailer -C WORKSPACE words…`` without this machine's own settings."""
    out, err = io.StringIO(), io.StringIO()
    with without_environment(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(["-C", str(workspace), *words])
    return Result(status, out.getvalue(), err.getvalue())


def done(workspace: Path, *words: str) -> Any:
    """The JSON of a command that must succeed."""
    result = mailer(workspace, "--json", *words)
    assert result.status == 0, result.out + result.err
    return result.document


def make_workspace(folder: Path, **settings: object) -> Path:
    """A new workspace with these settings: ``smtp_port=2525`` becomes MAILER_SMTP_PORT=2525."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "organisation": "Marren Coast Network",
        "postal_address": "3 Quay Street, Port Elsin",
        "from": "The Tide Table <news@marren.example.org>",
        "smtp_host": "127.0.0.1",
        "smtp_security": "none",
        **settings,
    }
    assert mailer(folder, "init", "--yes").status == 0
    with (folder / ".env").open("a", encoding="utf-8") as file:
        file.writelines(f"MAILER_{name.upper()}={value}\n" for name, value in values.items())
    return folder

"""Runs the command line in this process, as a person would type it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import secrets
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import typer.main

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


# The commands as Typer builds them from our functions: once, for it takes longer than most of them.
_commands = functools.cache(typer.main.get_command)


def commands_built_once() -> contextlib.AbstractContextManager[object]:
    return patch("typer.main.get_command", _commands)


def mailer(workspace: Path, *words: str) -> Result:
    """``mailer -C WORKSPACE words…`` without this machine's own settings."""
    out, err = io.StringIO(), io.StringIO()
    printed = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with without_environment(), commands_built_once(), printed[0], printed[1]:
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
    _begin(folder)
    with (folder / ".env").open("a", encoding="utf-8") as file:
        file.writelines(f"MAILER_{name.upper()}={value}\n" for name, value in values.items())
    return folder


def _begin(folder: Path) -> None:
    """What ``mailer init`` makes, copied: its database takes a hundred times as long to migrate.

    Each has a secret key, an identity and a key of suppressions of its own, as after ``init``.
    """
    mode = folder.stat().st_mode
    shutil.copytree(_fresh(), folder, dirs_exist_ok=True)
    folder.chmod(mode)  # whoever made the folder said who may enter
    env, key = folder / ".env", secrets.token_hex(32)
    was = env.read_text("utf-8")
    env.write_text(was.replace(_key_in(was), key), "utf-8")
    database = sqlite3.connect(folder / "data/mailer.db")
    with contextlib.closing(database), database:
        values = (secrets.token_hex(16), secrets.token_hex(32))
        changed = database.execute("UPDATE instance SET identity = ?, suppression_key = ?", values)
        assert changed.rowcount == 1


def _key_in(env: str) -> str:
    return next(line.partition("=")[2] for line in env.splitlines() if "MAILER_SECRET_KEY=" in line)


@functools.cache
def _fresh() -> Path:
    """One workspace that ``mailer init`` made, for as long as the tests run."""
    folder = Path(tempfile.mkdtemp(prefix="mailer-workspace-"))
    atexit.register(shutil.rmtree, folder)
    assert mailer(folder, "init", "--yes").status == 0
    return folder

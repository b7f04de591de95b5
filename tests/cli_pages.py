"""Writes docs/cli.md from the commands' own help; a test holds the page to it.

::

    python -m tests.cli_pages
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

from typer.main import get_command

from mailer.cli.main import app, run
from tests.command_line import commands_built_once

PAGE = Path(__file__).parents[1] / "docs/cli.md"
HEAD = """# Commands

Written from `--help` by `python -m tests.cli_pages`; a test holds it to that.
The options of `mailer` itself may stand before or after the command's name.

Exit statuses: `0` done · `1` done, and there is something to look at · `2` wrong usage ·
`3` bad input or settings, nothing was changed · `4` no such list, person, campaign or batch ·
`75` stopped before the end and safe to run again · `130` interrupted from the keyboard.
"""


def command_paths() -> list[tuple[str, ...]]:
    """Every command's name, as words: ("init",), ("campaigns", "send"), …"""
    found: list[tuple[str, ...]] = []
    root: Any = get_command(app)
    for name, command in root.commands.items():
        below = getattr(command, "commands", None)
        found += [(name,)] if below is None else [(name, sub) for sub in below]
    return found


def render_cli_page() -> str:
    parts = [HEAD]
    for words in [(), *command_paths()]:
        title = " ".join(("mailer", *words))
        parts.append(f"\n## {title}\n\n```\n{_help(words)}```\n")
    return "".join(parts)


def _help(words: tuple[str, ...]) -> str:
    out = io.StringIO()
    width = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with commands_built_once(), contextlib.redirect_stdout(out):
            run([*words, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if width is not None:
            os.environ["COLUMNS"] = width
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render_cli_page(), "utf-8")

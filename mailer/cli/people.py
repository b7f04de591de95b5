"""The groups of commands about people."""

from __future__ import annotations

import typer

from mailer.cli import sign_up
from mailer.cli.lists import lists
from mailer.cli.subscribers import subscribers
from mailer.cli.suppressions import suppressions


def register(app: typer.Typer) -> None:
    sign_up.register(lists)
    app.add_typer(lists, name="lists")
    app.add_typer(subscribers, name="subscribers")
    app.add_typer(suppressions, name="suppressions")

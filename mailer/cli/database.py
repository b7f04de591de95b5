"""``mailer db``: bring the schema up to date, check it, copy it, tell about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import screen

commands = typer.Typer(no_args_is_help=True, help="Look after the database.")


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="db")


@commands.command()
def upgrade() -> None:
    """Bring the database to the schema of this program. Doing it twice changes nothing."""
    from mailer.usecases.keep_database import upgrade_database

    with screen.opened(check_schema=False) as mailer:
        before, after = upgrade_database(mailer.db)
    if not screen.result({"before": before, "after": after}):
        screen.say("It is up to date." if before == after else f"Upgraded to schema {after}.")


@commands.command()
def check() -> None:
    """Check that the database is sound and that every campaign's counts add up."""
    from mailer.usecases.keep_database import check_database

    with screen.opened() as mailer:
        faults = check_database(mailer.db)
    if not screen.result({"ok": not faults, "faults": faults}):
        for fault in faults:
            screen.say(fault)
        screen.say(f"{len(faults)} faults" if faults else "The database is sound.")
    if faults:
        raise typer.Exit(1)


@commands.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Must not exist yet.")],
) -> None:
    """Write a consistent copy of a SQLite database, also while it is in use."""
    from mailer.usecases.keep_database import backup_database

    with screen.opened() as mailer:
        size = backup_database(mailer.db, file)
    if not screen.result({"file": str(file), "bytes": size}):
        screen.say(f"Wrote {file} ({size / 1e6:.1f} MB). It holds people's data: keep it safe.")


@commands.command()
def info() -> None:
    """Which database this is, its schema, and how much is in it."""
    from mailer.usecases.keep_database import describe_database

    with screen.opened() as mailer:
        found = describe_database(mailer.db)
    if not screen.result(found):
        screen.table([(name.replace("_", " "), value) for name, value in found.items()])

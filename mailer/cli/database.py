"""``mailer db``: bring the schema up to date, check it, copy it, tell about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli import screen
from mailer.errors import InputError
from mailer.model.shown import counted

if TYPE_CHECKING:
    from mailer.usecases.prune_database import PruneReport

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
    """Check that the database is sound and private, and that every campaign's counts add up."""
    from mailer.usecases.keep_database import check_database

    with screen.opened() as mailer:
        faults = check_database(mailer.db)
    if not screen.result({"ok": not faults, "faults": faults}):
        for fault in faults:
            screen.say(fault)
        screen.say(counted(len(faults), "fault") if faults else "The database is sound.")
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


@commands.command()
def prune(
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="RULE=AGE", help="Such as left=1095d, or network=off."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take away what was kept for long enough; it is shown first. MAILER_RETENTION has the ages."""
    from mailer.settings import retention
    from mailer.usecases.prune_database import prune_database

    with screen.opened() as mailer:
        try:
            ages = retention([*mailer.settings.retention, *(keep or ())])
        except ValueError as error:
            raise InputError(f"--keep takes {error}.") from None
        ports: dict[str, Any] = {
            "db": mailer.db,
            "clock": mailer.clock,
            "leftovers": mailer.leftovers,
        }
        found = prune_database(ages, **ports, dry_run=True)
        if not dry_run:
            if not screen.as_json():
                _print_pruned(found)
            screen.confirm(
                f"Take away {found.total:,}? It can't be undone. Type yes:", answer="yes", yes=yes
            )
            found = prune_database(ages, **ports)
    if screen.result(found):
        return
    if dry_run:
        _print_pruned(found)
        screen.say("Nothing was changed.")
    else:
        screen.say(f"Took away {found.total:,}.")
        if not found.rewritten:
            screen.note("Others use the database, so its file was not shortened: run this again.")


def _print_pruned(found: PruneReport) -> None:
    screen.table(
        [
            (each.rule, "off" if each.days is None else f"older than {each.days}d", each.count)
            for each in found.rules
        ]
    )

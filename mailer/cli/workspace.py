"""``mailer init`` and ``mailer demo``: a workspace to work in, and one to see it all happen in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import screen


def register(app: typer.Typer) -> None:
    app.command()(init)
    app.command()(demo)


def init(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Default: the workspace's folder.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Make a folder a workspace: .env with a secret key, the database, data/issues."""
    from mailer.usecases.init_workspace import init_workspace
    from mailer.wiring import first_files, open_mailer, upgrade

    place = (folder or screen.workspace()).resolve()
    if place.is_dir() and any(place.iterdir()) and not (place / ".env").exists():
        screen.confirm(
            f"{place} is not empty. Make it a workspace? Type yes:", answer="yes", yes=yes
        )
    report = init_workspace(first_files(place), upgrade=lambda: upgrade(place))
    with open_mailer(place) as mailer:
        database = mailer.db.shown
    if screen.result({"workspace": str(place), "made": report.made, "database": database}):
        return
    screen.say(f"The workspace is {place}")
    screen.table([(name, "made") for name in report.made] + [(n, "kept") for n in report.kept])
    screen.say(f"  {database}")
    screen.say()
    screen.say("Next: write who you are and your mail server into .env, then")
    screen.say("      mailer import contacts.csv --list NAME --create-list")


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the demo's workspace is made.")
    ] = Path("data/demo"),
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the site and the inbox running.")
    ] = False,
) -> None:
    """See the main job happen for real, on this machine alone: nothing leaves it."""
    from mailer.cli.demo import tell_the_story

    tell_the_story((screen.workspace() / folder).resolve(), keep=keep)

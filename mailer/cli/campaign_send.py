"""``mailer campaigns send`` and ``resume``: what they take; ``sending`` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import dry_run as rehearsal
from mailer.cli import sending
from mailer.cli.campaign_words import Id, Yes
from mailer.cli.scheduling import When
from mailer.errors import InputError

Wait = Annotated[
    str, typer.Option(metavar="TIME", help="How long to wait for deferred people, such as 15m.")
]
Frozen = Annotated[
    bool, typer.Option("--frozen", help="Send what was planned, although its folder has changed.")
]
Spool = Annotated[
    str | None,
    typer.Option(
        metavar="FORM:PATH",
        help="Into files instead of to the mail server: maildir:PATH or mbox:PATH.",
    ),
]
EventsInto = Annotated[
    str | None,
    typer.Option(
        "--events",
        metavar="FILE",
        help="Append one JSON event a line; with --json they go to standard error.",
    ),
]
NoSiteCheck = Annotated[
    bool, typer.Option("--no-site-check", help="Do not look whether the site answers first.")
]


def send(
    name: Id,
    yes: Yes = False,
    wait: Wait = "15m",
    frozen: Frozen = False,
    no_site_check: NoSiteCheck = False,
    spool: Spool = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="Have a worker send it: 2026-11-30 08:00, 08:00, +2h."
        ),
    ] = None,
    not_after: Annotated[
        str | None,
        typer.Option(
            "--not-after",
            metavar="TIME",
            help="The latest time for that; later it asks. Default: an hour after.",
        ),
    ] = None,
    hold: Annotated[
        int,
        typer.Option("--hold", metavar="SECONDS", help="Wait so long first, to call it back."),
    ] = 0,
    over: Annotated[
        str | None,
        typer.Option(
            "--over",
            metavar="TIME",
            help="Spread it evenly over a time such as 90m, within the hours; 0 takes that back.",
        ),
    ] = None,
    to_missing: Annotated[
        bool,
        typer.Option(
            "--to-missing",
            help="First add who is on the list by now, and not in the audience.",
        ),
    ] = False,
    events: EventsInto = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Make and check every letter; open no connection, change nothing."
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write the dry run's findings as JSON."),
    ] = None,
) -> None:
    """Send a campaign, or go on with one that was stopped. Asks first."""
    if report is not None and not dry_run:
        raise InputError("--report belongs to --dry-run.")
    if to_missing and dry_run:
        raise InputError(
            "A dry run writes nothing down, and --to-missing writes people into the audience.",
            hint=f"Leave --dry-run out: `mailer campaigns send {name} --to-missing` counts them and"
            " checks their letters, then asks, and only then adds anybody.",
        )
    if dry_run:
        rehearsal.dry_run(name, report)
        return
    sending.send(
        name,
        yes=yes,
        wait=wait,
        frozen=frozen,
        site_check=not no_site_check,
        spool=spool,
        when=When(at, not_after, hold, over),
        to_missing=to_missing,
        events=events,
    )


def resume(
    name: Id,
    yes: Yes = False,
    wait: Wait = "15m",
    frozen: Frozen = False,
    no_site_check: NoSiteCheck = False,
    spool: Spool = None,
    events: EventsInto = None,
) -> None:
    """Go on with a campaign that was paused or stopped: `send` by another name."""
    sending.send(
        name,
        yes=yes,
        wait=wait,
        frozen=frozen,
        site_check=not no_site_check,
        spool=spool,
        events=events,
    )


COMMANDS = (send, resume)

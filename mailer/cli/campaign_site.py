"""``mailer campaigns``: what the site shows of a campaign: withdraw, restore, correct, archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mailer.cli import screen
from mailer.cli.campaign_words import Id, Yes
from mailer.errors import InputError

By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who says so. Default: this account."),
]


def withdraw(
    name: Id,
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="Why, for the ledger; readers don't see it."),
    ],
    by: By = None,
    yes: Yes = False,
) -> None:
    """Take a campaign's page off site, archive and feeds. Readers' links go on working."""
    from mailer.usecases.withdraw_campaign import withdraw_campaign

    with screen.opened() as mailer:
        screen.confirm(f"Withdraw {name}? Type yes:", answer="yes", yes=yes)
        done = withdraw_campaign(
            name, reason=reason, by=_who(mailer, by), db=mailer.db, clock=mailer.clock
        )
    if screen.result(done):
        return
    screen.say(f"Withdrawn: “{done.slug}”. Its page now says so (410).")
    for other in done.siblings:
        screen.say(f"“{other}” is of the same issue, and its page is still there.")
    screen.say("A site in files must be built again: mailer site build DIR")
    screen.say(f"Next: mailer campaigns restore {done.slug}  (brings the page back)")


def restore(name: Id, by: By = None) -> None:
    """Bring back the page of a campaign that was withdrawn."""
    from mailer.usecases.withdraw_campaign import restore_campaign

    with screen.opened() as mailer:
        done = restore_campaign(name, by=_who(mailer, by), db=mailer.db, clock=mailer.clock)
    if not screen.result(done):
        screen.say(f"Its page is there again: “{done.slug}”.")


def archive(
    name: Id,
    show: Annotated[
        bool, typer.Option("--show", help="Name it there, if its list is public.")
    ] = False,
    hide: Annotated[bool, typer.Option("--hide", help="Keep it out of archive and feeds.")] = False,
    by: By = None,
) -> None:
    """Have the site's archive and feeds name a campaign, or not."""
    from mailer.usecases.withdraw_campaign import keep_in_archive

    if show == hide:
        raise InputError("Either --show or --hide.")
    with screen.opened() as mailer:
        done = keep_in_archive(name, show, by=_who(mailer, by), db=mailer.db, clock=mailer.clock)
    if not screen.result(done):
        screen.say(f"The archive {'names' if show else 'does not name'} “{done.slug}”.")


def correct(
    name: Id,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="What was wrong; readers see it, dated.")
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="PATH", help="Show what this issue says, from now on."),
    ] = None,
    by: By = None,
) -> None:
    """Put a correction above the web version. What was sent stays in the ledger, and readable."""
    from mailer.usecases.correct_campaign import correct_campaign

    with screen.opened() as mailer:
        done = correct_campaign(
            name,
            note=note,
            by=_who(mailer, by),
            issue=mailer.issue(source) if source is not None else None,
            db=mailer.db,
            layouts=mailer.layout,
            brand=mailer.brand,
            sending=mailer.sending_policy,
            clock=mailer.clock,
        )
    if screen.result(done):
        return
    screen.say(f"Corrected: “{done.slug}”. Its page now begins with: {done.note}")
    if done.languages:
        screen.say(f"Another text is shown in {', '.join(done.languages)}.")
    screen.say("A site in files must be built again: mailer site build DIR")


def _who(mailer: Any, by: str | None) -> str:
    return " ".join((by or mailer.officer).split())[:100]


COMMANDS = (withdraw, restore, correct, archive)

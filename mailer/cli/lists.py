"""``mailer lists``: what people subscribe to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli import screen
from mailer.errors import InputError
from mailer.model.shown import headcount
from mailer.model.words import OptIn

if TYPE_CHECKING:
    from mailer.usecases.show_lists import ShownList

lists = typer.Typer(no_args_is_help=True, help="Lists that people subscribe to.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The list's name.")]
Title = Annotated[str | None, typer.Option(help="As readers see it.")]
Description = Annotated[str | None, typer.Option(help="What it is; readers see it too.")]
Sender = Annotated[
    str | None, typer.Option("--from", help="The From of its campaigns, unless the issue has one.")
]
ReplyTo = Annotated[str | None, typer.Option(help="Likewise, the Reply-To.")]
Layout = Annotated[str | None, typer.Option(help="Likewise, the layout.")]
Language = Annotated[str | None, typer.Option(help="Likewise, the language, such as fr.")]
Confirming = Annotated[
    OptIn | None,
    typer.Option("--opt-in", help="double: who is added is pending until they confirm."),
]
Wording = Annotated[
    str | None,
    typer.Option("--wording", help="What its sign-up page has people agree to. '': our words."),
]
Welcome = Annotated[
    bool | None,
    typer.Option("--welcome/--no-welcome", help="A mail to whoever has signed up."),
]


@lists.command("add")
def add_list(
    name: Name,
    title: Title = None,
    description: Description = None,
    sender: Sender = None,
    reply_to: ReplyTo = None,
    layout: Layout = None,
    language: Language = None,
    opt_in: Confirming = None,
    wording: Wording = None,
    welcome: Welcome = None,
    private: Annotated[bool, typer.Option("--private", help="Never shown in public.")] = False,
) -> None:
    """Add a list."""
    from mailer.usecases.add_list import add_list as add

    settings = _given(title, description, sender, reply_to, layout, language, opt_in)
    settings |= _given_of_sign_up(wording, welcome)
    if private:
        settings["public"] = False
    with screen.opened() as mailer:
        made = add(name, db=mailer.db, clock=mailer.clock, settings=settings, layouts=mailer.layout)
    if not screen.result(made):
        screen.say(f"Added the list “{made.name}”.")
        screen.say(f"Next: mailer import contacts.csv --list {made.name}")


@lists.command("show")
def show_lists(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Default: all.")] = None,
) -> None:
    """Every list with its settings and how many people it has, or one."""
    from mailer.usecases.show_lists import show_lists as find

    with screen.opened() as mailer:
        found = find(name, db=mailer.db)
        site = mailer.settings.site_url
    if screen.result(found if name is None else found[0]):
        return
    if not found:
        screen.say("There is no list yet.")
        screen.say("Next: mailer import contacts.csv --list NAME --create-list")
    for each in found:
        _print_list(each, site)


def _print_list(each: ShownList, site: str) -> None:
    marks = [
        word
        for word, holds in (
            ("private", not each.public),
            ("double opt-in", each.opt_in == OptIn.double),
            ("welcome mail", each.welcome),
            ("archived", each.archived_at is not None),
        )
        if holds
    ]
    screen.say(f"{each.name}: {each.title}" + (f"  ({', '.join(marks)})" if marks else ""))
    if each.description:
        screen.say(f"  {each.description}")
    own = (
        ("From", each.sender),
        ("Reply-To", each.reply_to),
        ("layout", each.layout),
        ("language", each.language),
        ("wording", each.wording),
    )
    screen.table([(label, value) for label, value in own if value])
    if each.ask_until is not None:
        screen.say(f"  its people are asked again until {screen.instant(each.ask_until)}")
    if each.public and each.archived_at is None:
        screen.say(f"  sign-up page: {site}/s/{each.slug}")
    screen.table([(status, people) for status, people in each.people.items() if people])


@lists.command("edit")
def edit_list(
    name: Name,
    title: Title = None,
    description: Description = None,
    sender: Sender = None,
    reply_to: ReplyTo = None,
    layout: Layout = None,
    language: Language = None,
    opt_in: Confirming = None,
    wording: Wording = None,
    welcome: Welcome = None,
    public: Annotated[
        bool | None, typer.Option("--public/--private", help="Whether it is shown in public.")
    ] = None,
) -> None:
    """Change a list's settings. An empty value ('') takes a default away."""
    from mailer.usecases.edit_list import edit_list as edit

    changes = _given(title, description, sender, reply_to, layout, language, opt_in)
    changes |= _given_of_sign_up(wording, welcome)
    if public is not None:
        changes["public"] = public
    if not changes:
        raise InputError("Nothing is to be changed.", hint="`mailer lists edit --help`")
    with screen.opened() as mailer:
        edited = edit(name, changes, db=mailer.db, layouts=mailer.layout)
    if not screen.result(edited):
        screen.say(f"Changed the list “{edited.name}”.")


def _given(
    title: str | None,
    description: str | None,
    sender: str | None,
    reply_to: str | None,
    layout: str | None,
    language: str | None,
    opt_in: OptIn | None,
) -> dict[str, Any]:
    """The settings that were named on the command line."""
    named = {
        "title": title,
        "description": description,
        "sender": sender,
        "reply_to": reply_to,
        "layout": layout,
        "language": language,
        "opt_in": opt_in,
    }
    return {key: value for key, value in named.items() if value is not None}


def _given_of_sign_up(wording: str | None, welcome: bool | None) -> dict[str, Any]:
    named: dict[str, Any] = {"wording": wording, "welcome": welcome}
    return {key: value for key, value in named.items() if value is not None}


@lists.command("archive")
def archive_list(
    name: Name,
    back: Annotated[bool, typer.Option("--back", help="Take it back into use.")] = False,
) -> None:
    """Put a list out of use; its people and their history stay."""
    from mailer.usecases.archive_list import archive_list as archive

    with screen.opened() as mailer:
        found = archive(name, db=mailer.db, clock=mailer.clock, back=back)
    if not screen.result(found):
        screen.say(f"“{found.name}” is {'back in use' if back else 'archived'}.")


@lists.command("ask-again")
def ask_again(
    name: Name,
    until: Annotated[
        datetime | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            formats=["%Y-%m-%d"],
            help="The day on which silence becomes a no.",
        ),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Ask nobody any more.")] = False,
) -> None:
    """Ask a list's people whether they still want it; without a date, how they have answered."""
    from mailer.usecases.ask_again import ask_again as ask

    with screen.opened() as mailer:
        asked = ask(
            name,
            until=until.astimezone() if until else None,
            db=mailer.db,
            clock=mailer.clock,
            stop=stop,
        )
    if screen.result(asked):
        return
    if asked.until is None:
        screen.say(f"The people of “{asked.list}” are not asked.")
        return
    screen.say(f"The people of “{asked.list}” may answer until {screen.instant(asked.until)}.")
    words = ("campaigns", "reconfirmed", "silent", "not_asked")
    screen.table([(word.replace("_", " "), getattr(asked, word)) for word in words])
    if not asked.campaigns:
        screen.say("Next: write an issue with {{ reconfirm_url }} in it, plan it and send it.")
    else:
        screen.say(f"Then: mailer lists drop-silent {asked.list}")


@lists.command("drop-silent")
def drop_silent(
    name: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Unsubscribe who was asked again and said nothing, once the day has come."""
    from mailer.usecases.drop_silent import drop_silent as drop

    with screen.opened() as mailer:
        ports: dict[str, Any] = {"db": mailer.db, "clock": mailer.clock}
        if not dry_run:
            silent = drop(name, **ports, dry_run=True).dropped
            screen.confirm(
                f"Unsubscribe {headcount(silent)} from “{name}”? Type their number:",
                answer=str(silent),
                yes=yes,
            )
        done = drop(name, **ports, dry_run=dry_run)
    if not screen.result(done):
        would = "would be dropped" if dry_run else "dropped"
        screen.table(
            [
                (would, done.dropped),
                ("reconfirmed", done.reconfirmed),
                ("not asked", done.not_asked),
            ]
        )

"""``mailer lists``: what people subscribe to."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli import screen
from mailer.errors import InputError

lists = typer.Typer(no_args_is_help=True, help="Lists that people subscribe to.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The list's name.")]


@lists.command("add")
def add_list(
    name: Name,
    title: Annotated[str | None, typer.Option(help="As readers see it.")] = None,
    description: Annotated[str, typer.Option(help="For the people who work with it.")] = "",
    private: Annotated[bool, typer.Option("--private", help="Never shown in public.")] = False,
) -> None:
    """Add a list."""
    from mailer.usecases.add_list import add_list as add

    with screen.opened() as mailer:
        made = add(
            name,
            db=mailer.db,
            clock=mailer.clock,
            title=title,
            description=description,
            private=private,
        )
    if not screen.result(made):
        screen.say(f"Added the list “{made.name}”.")
        screen.say(f"Next: mailer import contacts.csv --list {made.name}")


@lists.command("show")
def show_lists(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Default: all.")] = None,
) -> None:
    """Every list with how many people it has, or one."""
    from mailer.usecases.show_lists import show_lists as find

    with screen.opened() as mailer:
        found = find(name, db=mailer.db)
    if screen.result(found if name is None else found[0]):
        return
    if not found:
        screen.say("There is no list yet.")
        screen.say("Next: mailer import contacts.csv --list NAME --create-list")
    for each in found:
        archived = "  (archived)" if each.archived_at else ""
        private = "" if each.public else "  (private)"
        screen.say(f"{each.name}: {each.title}{private}{archived}")
        screen.table([(status, people) for status, people in each.people.items() if people])


@lists.command("edit")
def edit_list(
    name: Name,
    title: Annotated[str | None, typer.Option(help="As readers see it.")] = None,
    description: Annotated[
        str | None, typer.Option(help="For the people who work with it.")
    ] = None,
    sender: Annotated[str | None, typer.Option("--from", help="Its own From mailbox.")] = None,
    reply_to: Annotated[str | None, typer.Option(help="Its own Reply-To mailbox.")] = None,
) -> None:
    """Change a list's title, description or sender."""
    from mailer.usecases.edit_list import edit_list as edit

    given = {"title": title, "description": description, "sender": sender, "reply_to": reply_to}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise InputError("Nothing is to be changed.", hint="`mailer lists edit --help`")
    with screen.opened() as mailer:
        edited = edit(name, changes, db=mailer.db)
    if not screen.result(edited):
        screen.say(f"Changed the list “{edited.name}”.")


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

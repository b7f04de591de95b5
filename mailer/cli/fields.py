"""``mailer fields``: what is known about people, and of what kind it is."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli import screen
from mailer.model.shown import counted
from mailer.model.words import FieldKind

fields = typer.Typer(no_args_is_help=True, help="Custom fields of people, and their kinds.")


def register(app: typer.Typer) -> None:
    app.add_typer(fields, name="fields")


@fields.command("add")
def add_field(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The field's name.")],
    kind: Annotated[FieldKind, typer.Option(help="What its values are.")] = FieldKind.text,
    choices: Annotated[
        list[str] | None,
        typer.Option("--choice", metavar="WORD", help="A text that it may be; again for more."),
    ] = None,
) -> None:
    """Declare a field, or change its kind. Imports hold their cells to it."""
    from mailer.usecases.declare_field import declare_field

    with screen.opened() as mailer:
        made = declare_field(
            name, db=mailer.db, clock=mailer.clock, kind=kind, choices=choices or ()
        )
    if not screen.result(made):
        screen.say(f"“{made.name}” is of the kind {_kind(made.kind, made.choices)}.")
        if made.misfits:
            screen.say(
                f"  {counted(made.misfits, 'person has', 'people have')} a value of another kind,"
                " which reads as empty:"
                " import it again."
            )


@fields.command("show")
def show_fields() -> None:
    """Every field and its kind."""
    from mailer.usecases.declare_field import declared_fields

    with screen.opened() as mailer:
        found = declared_fields(db=mailer.db)
    if not screen.result(found):
        screen.table(
            [
                (
                    each.name,
                    _kind(each.kind, each.choices),
                    "open to readers" if each.opened else "",
                )
                for each in found
            ]
        )


@fields.command("open")
def open_field(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The field's name.")],
    label: Annotated[
        str | None, typer.Option("--label", metavar="TEXT", help="What readers see; else the name.")
    ] = None,
) -> None:
    """Let readers see and change a field on their preferences page."""
    from mailer.usecases.open_field import open_field as open_it

    with screen.opened() as mailer:
        made = open_it(name, db=mailer.db, label=label)
    if not screen.result(made):
        screen.say(f"Readers may fill in “{made.name}” from now on.")


@fields.command("close")
def close_field(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The field's name.")],
) -> None:
    """Hide a field from readers again."""
    from mailer.usecases.open_field import open_field as mark

    with screen.opened() as mailer:
        made = mark(name, db=mailer.db, opened=False)
    if not screen.result(made):
        screen.say(f"Readers do not see “{made.name}” any more.")


def _kind(kind: str, choices: tuple[str, ...]) -> str:
    return f"choice: {', '.join(choices)}" if choices else kind

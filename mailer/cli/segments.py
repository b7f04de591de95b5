"""``mailer segments``: rules with a name, and whom they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import screen, verdicts
from mailer.errors import InputError
from mailer.model.shown import headcount

if TYPE_CHECKING:
    from mailer.usecases.show_segments import ShownSegment

commands = typer.Typer(
    no_args_is_help=True, help="Rules with a name: whom they mean is found anew each time."
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The segment's name.")]
Rule = Annotated[
    str, typer.Argument(metavar="RULE", help='Such as \'city = "Bern" and not tag("press")\'.')
]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="segments")


@commands.command()
def add(
    name: Name,
    rule: Rule,
    description: Annotated[str, typer.Option(help="For the people who work with it.")] = "",
) -> None:
    """Add a segment. docs/segments.md tells what a rule may say."""
    from mailer.usecases.add_segment import add_segment

    with screen.opened() as mailer:
        made = add_segment(
            name, rule, db=mailer.db, calendar=mailer.calendar, description=description
        )
    if not screen.result(made):
        _print(made)
        screen.say(f"Next: mailer campaigns plan PATH --list LIST --segment '{made.name}'")


@commands.command()
def show(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Default: all.")] = None,
) -> None:
    """Every segment with how many people it means now, or one."""
    from mailer.usecases.show_segments import show_segments

    with screen.opened() as mailer:
        found = show_segments(name, db=mailer.db, calendar=mailer.calendar)
    if screen.result(found if name is None else found[0]):
        return
    if not found:
        screen.say("There is no segment yet.")
        screen.say("Next: mailer segments add NAME RULE")
    for each in found:
        _print(each)


@commands.command()
def edit(
    name: Name,
    rule: Annotated[str | None, typer.Argument(metavar="RULE", help="The new rule.")] = None,
    description: Annotated[
        str | None, typer.Option(help="For the people who work with it.")
    ] = None,
) -> None:
    """Change a segment's rule or description. Campaigns that are planned keep theirs."""
    from mailer.usecases.edit_segment import edit_segment

    if rule is None and description is None:
        raise InputError("Nothing is to be changed.", hint="`mailer segments edit --help`")
    with screen.opened() as mailer:
        edited = edit_segment(
            name, rule, db=mailer.db, calendar=mailer.calendar, description=description
        )
    if not screen.result(edited):
        _print(edited)


@commands.command()
def count(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The segment's name.")] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="RULE", help="Try a rule without keeping it.")
    ] = None,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Only of those who get this list.")
    ] = None,
) -> None:
    """Count the people whom a segment means now, or a rule that is only tried."""
    from mailer.usecases.count_segment import count_segment

    if (name is None) == (rule is None):
        raise InputError("Either a segment's name or --rule RULE is needed.")
    with screen.opened() as mailer:
        found = count_segment(
            name, rule=rule, list_name=list_name, db=mailer.db, calendar=mailer.calendar
        )
    for doubt in found.doubts:
        screen.note(f"Warning: {doubt}")
    if not screen.result(found):
        where = f" who get “{found.list}”" if found.list else ""
        screen.say(f"{found.people:,} of {headcount(found.of)}{where}")


@commands.command()
def explain(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")],
    name: Annotated[
        str | None, typer.Option("--segment", metavar="NAME", help="Default: all in use.")
    ] = None,
) -> None:
    """Say why a person is in a segment or not: each clause with its mark, and which decided."""
    from mailer.usecases.explain_segments import explain_segments

    with screen.opened() as mailer:
        found = explain_segments(address, name, db=mailer.db, calendar=mailer.calendar)
    if screen.result(found):
        return
    screen.say(found.address)
    if not found.segments:
        screen.say("There is no segment yet.")
    for each in found.segments:
        verdicts.show(each)


@commands.command()
def archive(
    name: Name,
    back: Annotated[bool, typer.Option("--back", help="Take it back into use.")] = False,
) -> None:
    """Put a segment out of use; rules that name it go on."""
    from mailer.usecases.archive_segment import archive_segment

    with screen.opened() as mailer:
        found = archive_segment(name, db=mailer.db, calendar=mailer.calendar, back=back)
    if not screen.result(found):
        screen.say(f"“{found.name}” is {'back in use' if back else 'archived'}.")


@commands.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a segment. Campaigns that were planned with it keep its rule."""
    from mailer.usecases.remove_segment import remove_segment

    screen.confirm(f"Remove the segment “{name}”? Type yes:", answer="yes", yes=yes)
    with screen.opened() as mailer:
        remove_segment(name, db=mailer.db)
    if not screen.result({"segment": name, "removed": True}):
        screen.say(f"Removed the segment “{name}”.")


def _print(segment: ShownSegment) -> None:
    people = "can't be used" if segment.people is None else headcount(segment.people)
    archived = "  (archived)" if segment.archived_at else ""
    screen.say(f"{segment.name}: {people}{archived}")
    if segment.description:
        screen.say(f"  {segment.description}")
    for line in segment.rule.splitlines():
        screen.say(f"  {line}")
    if segment.problem:
        screen.note(segment.problem)
    for doubt in segment.doubts:
        screen.note(f"Warning: {doubt}")

"""``mailer lists``, ``import``, ``subscribers``, ``suppressions``: people, and what joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli import screen
from mailer.errors import InputError
from mailer.model.words import SubscriptionStatus

if TYPE_CHECKING:
    from mailer.usecases.import_contacts import ImportReport

lists = typer.Typer(no_args_is_help=True, help="Lists that people subscribe to.")
subscribers = typer.Typer(no_args_is_help=True, help="People: add, show, find, unsubscribe.")
suppressions = typer.Typer(no_args_is_help=True, help="Addresses that are never mailed.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The list's name.")]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")]


def register(app: typer.Typer) -> None:
    app.command(name="import")(import_file)
    app.add_typer(lists, name="lists")
    app.add_typer(subscribers, name="subscribers")
    app.add_typer(suppressions, name="suppressions")


# ---- import ----------------------------------------------------------------------------


def import_file(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV, XLSX, XLS or ODS; - is stdin.")],
    list_name: Annotated[str, typer.Option("--list", metavar="NAME", help="The list to fill.")],
    create_list: Annotated[
        bool, typer.Option("--create-list", help="Make the list when there is none.")
    ] = False,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COL=FIELD", help="Keep a column as this field."),
    ] = None,
    keep_columns: Annotated[
        bool, typer.Option("--keep-columns", help="Keep every column that is not recognised.")
    ] = False,
    status: Annotated[
        SubscriptionStatus, typer.Option(help="What new people become.")
    ] = SubscriptionStatus.active,
    consent: Annotated[
        str | None,
        typer.Option("--consent", metavar="TEXT", help="The wording that these people agreed to."),
    ] = None,
    empty_clears: Annotated[
        bool, typer.Option("--empty-clears", help="An empty cell clears the field.")
    ] = False,
    encoding: Annotated[str | None, typer.Option(help="Such as cp1252, if not UTF-8.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="comma, semicolon, tab or bar, if not as detected.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook.")] = None,
    header_row: Annotated[int, typer.Option(help="The row that names the columns.", min=1)] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")
    ] = False,
) -> None:
    """Import a contact file into a list. Whoever has left is never brought back."""
    from mailer.usecases.import_contacts import import_contacts
    from mailer.wiring import contact_file

    with (
        screen.opened() as mailer,
        contact_file(
            file, encoding=encoding, delimiter=delimiter, sheet=sheet, header_row=header_row
        ) as table,
    ):
        report = import_contacts(
            table,
            db=mailer.db,
            list_name=list_name,
            clock=mailer.clock,
            rejects=mailer.rejects_file(file),
            create_list=create_list,
            maps=maps or (),
            keep_columns=keep_columns,
            empty_clears=empty_clears,
            status=status,
            consent=consent,
            dry_run=dry_run,
        )
    document = screen.plain(report)
    document["rejects"] = document["rejects"][:10]
    if not screen.result(document):
        _print_import(report)


def _print_import(report: ImportReport) -> None:
    done = "Would import" if report.dry_run else "Imported"
    batch = "" if report.batch is None else f" as batch {report.batch}"
    read = ", ".join(word for word in (report.encoding, report.delimiter) if word)
    screen.say(
        f"{done} {report.file} into “{report.list}”{batch}" + (f"  ({read})" if read else "")
    )
    names = ("added", "updated", "unchanged", "rejected", "suppressed", "duplicates")
    counts = [(name, getattr(report, name)) for name in names if getattr(report, name)]
    screen.table([*counts, ("rows", report.rows)])
    if report.fields:
        screen.say(f"  fields kept: {', '.join(report.fields)}")
    for column in report.ignored:
        screen.say(f"  column “{column.column}” is left out; {column.option} keeps it")
    for warning in report.warnings:
        screen.note(f"Warning: {warning}")
    for reject in report.rejects[:5]:
        screen.say(f"  line {reject.line}: {reject.reason}")
    if report.rejected > 5:
        screen.say(f"  … and {report.rejected - 5:,} more")
    if report.rejects_file:
        screen.say(f"  Rejected rows, to mend and import again: {report.rejects_file}")
    if report.dry_run:
        screen.say("Nothing was written.")


# ---- lists -----------------------------------------------------------------------------


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


# ---- subscribers -----------------------------------------------------------------------


@subscribers.command("add")
def add_subscriber(
    address: Address,
    list_name: Annotated[str, typer.Option("--list", metavar="NAME", help="The list.")],
    fields: Annotated[
        list[str] | None, typer.Option("--field", metavar="NAME=VALUE", help="A field's value.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Such as fr.")] = None,
    consent: Annotated[
        str | None, typer.Option("--consent", metavar="TEXT", help="The wording agreed to.")
    ] = None,
) -> None:
    """Add a person to a list, with a record of their consent."""
    from mailer.usecases.add_subscriber import add_subscriber as add

    pairs = dict(_pair(field) for field in fields or ())
    with screen.opened() as mailer:
        added = add(
            address,
            list_name=list_name,
            db=mailer.db,
            clock=mailer.clock,
            fields=pairs,
            language=language,
            consent=consent,
        )
    if not screen.result(added):
        screen.say(f"{added.address} on “{added.list}”: {added.outcome}, {added.status or '–'}")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InputError(f"“{text}” is not NAME=VALUE.")
    return name, value


@subscribers.command("show")
def show_subscriber(address: Address) -> None:
    """A person: lists, fields, consents, and whether the address is suppressed."""
    from mailer.usecases.show_subscriber import show_subscriber as find

    with screen.opened() as mailer:
        person = find(address, db=mailer.db)
    if screen.result(person):
        return
    screen.say(person.address)
    if person.suppressed:
        screen.say(f"  suppressed: {person.suppressed_because}")
    for each in person.lists:
        screen.say(f"  {each.name}: {each.status} since {screen.instant(each.since)}")
    for name, value in person.fields.items():
        screen.say(f"  {name} = {value}")
    for proof in person.consents:
        words = f"“{proof.wording}”" if proof.wording else "no wording on record"
        screen.say(
            f"  consent for {proof.list}: {proof.source} ({proof.detail}),"
            f" {screen.instant(proof.at)}, {words}"
        )


@subscribers.command("find")
def find_subscribers(
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Only of this list.")
    ] = None,
    status: Annotated[SubscriptionStatus | None, typer.Option(help="Only in this state.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
) -> None:
    """List people, streamed."""
    from mailer.usecases.find_subscribers import find_subscribers as find

    with screen.opened() as mailer:
        people = find(db=mailer.db, list_name=list_name, status=status)
        if jsonl:
            screen.stream(people)
        elif not screen.result(people):
            for person in people:
                shown: list[Any] = [person.address, person.status or "", *person.fields.values()]
                screen.say("  ".join(str(word) for word in shown if word))


@subscribers.command("unsubscribe")
def unsubscribe_subscriber(
    address: Address,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Default: every list.")
    ] = None,
) -> None:
    """Take a person off one list, or off all."""
    from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber as unsubscribe

    with screen.opened() as mailer:
        done = unsubscribe(address, db=mailer.db, clock=mailer.clock, list_name=list_name)
    if not screen.result(done):
        screen.say(f"{done.address} left {', '.join(done.left) or 'nothing'}.")
        if done.already:
            screen.say(f"  had left already: {', '.join(done.already)}")


# ---- suppressions ----------------------------------------------------------------------


@suppressions.command("add")
def add_suppression(
    address: Address,
    reason: Annotated[str, typer.Option(help="Why.")] = "operator",
) -> None:
    """Never mail an address again, whatever any list or import says."""
    from mailer.usecases.suppress_address import suppress_address

    with screen.opened() as mailer:
        done = suppress_address(address, db=mailer.db, clock=mailer.clock, reason=reason)
    if not screen.result(done):
        screen.say(f"{address} is suppressed.")


@suppressions.command("remove")
def remove_suppression(address: Address) -> None:
    """Lift a suppression. Subscriptions stay as they are."""
    from mailer.usecases.lift_suppression import lift_suppression

    with screen.opened() as mailer:
        done = lift_suppression(address, db=mailer.db, clock=mailer.clock)
    if not screen.result(done):
        screen.say(f"{address} is not suppressed any more.")


@suppressions.command("check")
def check_suppression(address: Address) -> None:
    """Say whether an address is suppressed, and why."""
    from mailer.usecases.check_suppression import check_suppression as check

    with screen.opened() as mailer:
        found = check(address, db=mailer.db)
    if not screen.result(found):
        screen.say(f"{address}: {found.reason if found.suppressed else 'not suppressed'}")

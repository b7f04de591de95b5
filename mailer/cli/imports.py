"""``mailer import``, ``imports``: contact files come in, and are taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import screen
from mailer.model.words import SubscriptionStatus

if TYPE_CHECKING:
    from mailer.usecases.import_contacts import ImportReport
    from mailer.usecases.show_imports import ShownImport

imports = typer.Typer(no_args_is_help=True, help="What was imported: show it, take it back.")

COUNTS = ("added", "updated", "unchanged", "rejected", "suppressed", "duplicates")


def register(app: typer.Typer) -> None:
    app.command(name="import")(import_file)
    app.add_typer(imports, name="imports")


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


@imports.command("show")
def show_imports(
    batch: Annotated[
        int | None, typer.Argument(metavar="ID", help="An import's number. Default: all.")
    ] = None,
) -> None:
    """Every import with its counts, or one."""
    from mailer.usecases.show_imports import show_imports as find

    with screen.opened() as mailer:
        found = find(batch, db=mailer.db)
    if screen.result(found if batch is None else found[0]):
        return
    if not found:
        screen.say("Nothing was imported yet.")
        screen.say("Next: mailer import contacts.csv --list NAME --create-list")
    for each in found:
        _print_shown(each)


def _print_shown(each: ShownImport) -> None:
    screen.say(
        f"{each.batch}: {each.file} into “{each.list}”, {screen.instant(each.started_at)},"
        f" {each.state}"
    )
    counts = [(name, getattr(each, name)) for name in COUNTS if getattr(each, name)]
    screen.table([*counts, ("rows", each.rows)])
    if each.rejects_file:
        screen.say(f"  rejected rows: {each.rejects_file}")
    if each.state == "stopped":
        screen.say("  It was stopped half-way: the same import, run again, completes it.")
    if each.state == "undone" and each.undoable:
        screen.say(f"  {each.undoable:,} people were left as they are when it was undone.")


@imports.command("undo")
def undo_import(
    batch: Annotated[int, typer.Argument(metavar="ID", help="The import's number.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take an import back; whoever acted since is left as they are, and listed."""
    from mailer.usecases.show_imports import show_imports as find
    from mailer.usecases.undo_import import undo_import as undo

    with screen.opened() as mailer:
        [shown] = find(batch, db=mailer.db)
        screen.note(
            f"Import {batch} ({shown.file} into “{shown.list}”) changed {shown.undoable:,} people."
        )
        screen.confirm("Take it back? yes or no", answer="yes", yes=yes)
        report = undo(batch, db=mailer.db, clock=mailer.clock)
    if screen.result(report):
        return
    screen.say(f"Import {batch} is undone: {report.undone:,} people are as they were before.")
    for kept in report.kept[:10]:
        screen.say(f"  left: {kept.address} ({kept.why})")
    if len(report.kept) > 10:
        screen.say(f"  … and {len(report.kept) - 10:,} more; --json lists them")

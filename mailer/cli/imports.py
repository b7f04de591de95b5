"""``mailer import``, ``imports``: contact files come in, and are taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import screen
from mailer.errors import InputError
from mailer.model.shown import counted, headcount, shown_value
from mailer.model.words import DateOrder, SubscriptionStatus

if TYPE_CHECKING:
    from mailer.usecases.import_contacts import Difference, ImportReport
    from mailer.usecases.show_imports import ShownImport

imports = typer.Typer(no_args_is_help=True, help="What was imported: show it, take it back.")

SHOWN = 5  # people of each outcome that a dry run shows
COLUMNS = 20  # that are left out, by name
FLAGS = {
    "typo": "perhaps misspelt",
    "role": "addresses of a role, not a person",
    "disposable": "mailboxes that last for minutes",
    "smtputf8": "only some mail servers can take these",
    "no_mail_server": "at domains without a mail server",
    "not_checked": "not checked, as no name server answered for their domain",
}
COUNTS = ("added", "updated", "unchanged", "rejected", "suppressed", "duplicates")


def register(app: typer.Typer) -> None:
    app.command(name="import")(import_file)
    app.add_typer(imports, name="imports")


def import_file(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="CSV, workbook, vCard, JSON lines, addresses; -: stdin."
        ),
    ],
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
    form: Annotated[
        str | None, typer.Option("--format", help="csv, vcard, jsonl or lines, if not as detected.")
    ] = None,
    dates: Annotated[
        DateOrder | None, typer.Option(help="How dates of three numbers are written.")
    ] = None,
    check_mx: Annotated[
        bool, typer.Option("--check-mx", help="Ask which domains take mail; flag the others.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")
    ] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="With --dry-run: everybody concerned, one a line.")
    ] = False,
) -> None:
    """Import a contact file into a list. Whoever has left is never brought back."""
    from mailer.usecases.import_contacts import import_contacts
    from mailer.wiring.files import contact_file

    if jsonl and not dry_run:
        raise InputError("--jsonl tells what --dry-run finds.", hint="Add --dry-run.")
    sample: dict[str, list[Difference]] = {}

    def tell(difference: Difference) -> None:
        if jsonl:
            screen.stream([difference])
        elif len(shown := sample.setdefault(difference.outcome, [])) < SHOWN:
            shown.append(difference)

    with (
        screen.opened() as mailer,
        contact_file(
            file,
            encoding=encoding,
            delimiter=delimiter,
            sheet=sheet,
            header_row=header_row,
            form=form,
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
            dates=dates,
            dry_run=dry_run,
            disposable=mailer.disposable_domains,
            mail_servers=mailer.mail_servers if check_mx else None,
            tell=tell if dry_run else None,
        )
    if jsonl:
        return
    document = screen.plain(report)
    if dry_run:
        document["sample"] = screen.plain([each for shown in sample.values() for each in shown])
    if not screen.result(document):
        _print_import(report)
        _print_sample(sample)
        if dry_run:
            screen.say("Nothing was written. --jsonl tells it of everybody.")
        elif status == SubscriptionStatus.pending and report.added:
            screen.say(f"Next: mailer lists remind {report.list} asks the pending for their yes")


def _print_sample(sample: Mapping[str, Sequence[Difference]]) -> None:
    for outcome, differences in sample.items():
        if outcome == "rejected":
            continue
        for each in differences:
            changes = "; ".join(
                f"{name}: {_shown(before)} → {_shown(after)}"
                for name, (before, after) in each.changes.items()
            )
            why = f" ({each.why})" if each.why else ""
            screen.say(f"  {outcome}: {each.address}{why} {changes}".rstrip())


def _shown(value: object) -> str:
    return "–" if value is None else shown_value(value)


def _print_import(report: ImportReport) -> None:
    done = "Would import" if report.dry_run else "Imported"
    batch = "" if report.batch is None else f" as batch {report.batch}"
    form = "" if report.form == "csv" else report.form
    read = ", ".join(word for word in (form, report.encoding, report.delimiter) if word)
    screen.say(
        f"{done} {report.file} into “{report.list}”{batch}" + (f"  ({read})" if read else "")
    )
    names = ("added", "updated", "unchanged", "rejected", "suppressed", "duplicates")
    counts = [(name, getattr(report, name)) for name in names if getattr(report, name)]
    screen.table([*counts, ("rows", report.rows)])
    if report.fields:
        screen.say(f"  fields kept: {', '.join(report.fields)}")
    for column in report.ignored[:COLUMNS]:
        screen.say(f"  column “{column.column}” is left out; {column.option} keeps it")
    if (beyond := len(report.ignored) - COLUMNS) > 0:
        screen.say(f"  … and {counted(beyond, 'more column')}; --json lists them")
    for warning in report.warnings:
        screen.note(f"Warning: {warning}")
    for reject in report.rejects[:5]:
        screen.say(f"  line {reject.line}: {reject.reason}")
    if report.rejected > 5:
        screen.say(f"  … and {report.rejected - 5:,} more")
    if report.rejects_file:
        screen.say(f"  Rejected rows, to mend and import again: {report.rejects_file}")
    for flag in report.flags:
        screen.say(f"  {FLAGS[flag.flag]}: {flag.people:,}, such as {', '.join(flag.examples[:3])}")


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
    if each.state == "loading":
        screen.say(
            "  It is under way, or broke off: the same import, run again, completes it then."
        )
    if each.state == "stopped":
        screen.say("  It was stopped half-way: the same import, run again, completes it.")
    if each.state == "undone" and each.undoable:
        screen.say(
            f"  {counted(each.undoable, 'person was', 'people were')} left as they are when it was"
            " undone."
        )


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
            f"Import {batch} ({shown.file} into “{shown.list}”) changed"
            f" {headcount(shown.undoable)}."
        )
        screen.confirm("Take it back? yes or no", answer="yes", yes=yes)
        report = undo(batch, db=mailer.db, clock=mailer.clock)
    if screen.result(report):
        return
    restored = counted(report.undone, "person is", "people are")
    screen.say(f"Import {batch} is undone: {restored} as they were before.")
    for kept in report.kept[:10]:
        screen.say(f"  left: {kept.address} ({kept.why})")
    if len(report.kept) > 10:
        screen.say(f"  … and {len(report.kept) - 10:,} more; --json lists them")

"""``mailer suppressions``: addresses that are never mailed, everywhere or by one list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import screen
from mailer.errors import InputError
from mailer.model.shown import counted

suppressions = typer.Typer(no_args_is_help=True, help="Addresses that are never mailed.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")]
OnList = Annotated[
    str | None, typer.Option("--list", metavar="NAME", help="Of this list only; default: all.")
]


@suppressions.command("add")
def add_suppression(
    address: Address,
    reason: Annotated[str, typer.Option(help="Why.")] = "operator",
    list_name: OnList = None,
) -> None:
    """Never mail an address again, whatever any list or import says."""
    from mailer.usecases.suppress_address import suppress_address

    with screen.opened() as mailer:
        done = suppress_address(
            address, db=mailer.db, clock=mailer.clock, reason=reason, list_name=list_name
        )
    if not screen.result(done):
        screen.say(f"{address} is suppressed{_where(list_name)}.")


@suppressions.command("remove")
def remove_suppression(address: Address, list_name: OnList = None) -> None:
    """Lift a suppression. Subscriptions stay as they are."""
    from mailer.usecases.lift_suppression import lift_suppression

    with screen.opened() as mailer:
        done = lift_suppression(address, db=mailer.db, clock=mailer.clock, list_name=list_name)
    if not screen.result(done):
        if done.suppressed:
            screen.say(f"{address} is suppressed everywhere: {done.reason}")
        else:
            screen.say(f"{address} is not suppressed any more{_where(list_name)}.")


@suppressions.command("check")
def check_suppression(address: Address, list_name: OnList = None) -> None:
    """Say whether an address is suppressed, and why."""
    from mailer.usecases.check_suppression import check_suppression as check

    with screen.opened() as mailer:
        found = check(address, db=mailer.db, list_name=list_name)
    if not screen.result(found):
        screen.say(f"{address}: {found.reason if found.suppressed else 'not suppressed'}")


@suppressions.command("import")
def import_suppressions(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="What export wrote, or a file of addresses; - is stdin."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why; a file of hashes says it itself.")] = "imported",
    list_name: OnList = None,
) -> None:
    """Suppress every address, or every hash, of a file. Hashes of another key are refused."""
    from mailer.usecases.import_suppressions import import_suppressions as take
    from mailer.wiring.files import contact_file

    with (
        screen.opened() as mailer,
        contact_file(file, encoding=None, delimiter=None, sheet=None, header_row=1) as table,
    ):
        done = take(table, db=mailer.db, clock=mailer.clock, reason=reason, list_name=list_name)
    if screen.result(done):
        return
    one = {"hashes": "hash", "addresses": "address"}[done.kind]
    screen.say(f"Read {counted(done.rows, one, done.kind)}{_where(list_name)}")
    screen.table([(word, getattr(done, word)) for word in ("added", "there", "rejected")])
    for reject in done.rejects[:5]:
        screen.say(f"  line {reject.line}: {reject.reason}")
    if done.missing:
        missing = counted(done.missing, "row is", "rows are")
        screen.note(f"Warning: the file is cut short: {missing} missing.")


@suppressions.command("export")
def export_suppressions(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Default: standard output.")
    ] = None,
    addresses: Annotated[
        bool,
        typer.Option("--addresses", help="As addresses, of those whose people are still here."),
    ] = False,
    list_name: OnList = None,
) -> None:
    """Write every suppression as a hash, for a database with the same key."""
    from mailer.usecases.export_suppressions import export_suppressions as export
    from mailer.wiring.files import write_rows

    with screen.opened() as mailer:
        found = export(db=mailer.db, list_name=list_name, addresses=addresses)
        if out is None and screen.as_json():
            names, *rows = found.rows
            screen.result([dict(zip(names, row, strict=True)) for row in rows])
            return
        written = write_rows(out, found.rows)
    if out is not None and not screen.result(
        {
            "file": str(out),
            "suppressions": found.count,
            "rows": written,
            "key": found.fingerprint,
        }
    ):
        screen.say(f"Wrote {out}: {written:,} of {counted(found.count, 'suppression')}.")


@suppressions.command("key")
def move_key(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write this database's key. It is a secret."),
    ] = None,
    take: Annotated[
        typer.FileText | None,
        typer.Option("--take", metavar="FILE", help="Use the key of another database from now on."),
    ] = None,
) -> None:
    """Give a new database the key of another one, so that it can take its hashes over."""
    from mailer.usecases.share_suppression_key import share_suppression_key
    from mailer.usecases.take_suppression_key import take_suppression_key
    from mailer.wiring.files import write_text

    if (out is None) == (take is None):
        raise InputError("Either --out FILE or --take FILE is needed.")
    with screen.opened() as mailer:
        if take is not None:
            fingerprint = take_suppression_key(take.read(1000), db=mailer.db)
            done, then = "The hashes of this database are made with the key", "import FILE"
        elif out is not None:
            shared = share_suppression_key(db=mailer.db)
            write_text(out, f"{shared.secret}\n")
            fingerprint = shared.fingerprint
            done, then = f"Wrote {out}, readable by you alone: the key", f"key --take {out}"
    if not screen.result({"key": fingerprint, "file": str(out) if out else None}):
        screen.say(f"{done} {fingerprint}.")
        screen.say(f"Next{' there' if out else ''}: mailer suppressions {then}")


def _where(list_name: str | None) -> str:
    return f" on “{list_name}”" if list_name else ""

"""``mailer suppressions``: addresses that are never mailed."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli import screen

suppressions = typer.Typer(no_args_is_help=True, help="Addresses that are never mailed.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")]


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

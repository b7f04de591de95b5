"""``mailer lists form`` and ``remind``: how strangers come to a list, and who has not said yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli import screen
from mailer.cli.lists import Name
from mailer.model.shown import headcount

if TYPE_CHECKING:
    from mailer.usecases.deliver_service_mail import Delivered
    from mailer.wiring import Mailer


def register(lists: typer.Typer) -> None:
    lists.command("form")(sign_up_form)
    lists.command("remind")(remind_pending)


def sign_up_form(
    name: Name,
    language: Annotated[
        str, typer.Option("--lang", help="Such as fr. Default: the list's language.")
    ] = "",
) -> None:
    """Print the sign-up form as HTML, to paste into a page of your own site."""
    from mailer.usecases.show_lists import show_lists
    from mailer.web.snippet import make_snippet

    with screen.opened() as mailer:
        (shown,) = show_lists(name, db=mailer.db)
        html = make_snippet(mailer, shown.slug, language)
        page = f"{mailer.settings.site_url}/s/{shown.slug}"
    if not screen.result({"list": shown.name, "page": page, "html": html}):
        screen.say(html.rstrip())
        screen.note(f"The page itself is {page}")


def remind_pending(
    name: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Ask pending people for their yes: who was never asked, and once more who kept silent."""
    from mailer.usecases.remind_pending import remind_pending as remind

    with screen.opened() as mailer:
        ports: dict[str, Any] = {
            "message_id": mailer.new_message_id,
            "db": mailer.db,
            "clock": mailer.clock,
        }
        if not dry_run:
            may = remind(name, **ports, dry_run=True).may_be_asked
            screen.confirm(
                f"Write to {headcount(may)} of “{name}”? Type their number:",
                answer=str(may),
                yes=yes,
            )
        done = remind(name, **ports, dry_run=dry_run)
    if screen.result(done):
        return
    screen.table(
        [
            ("pending", done.pending),
            ("never asked", done.never_asked),
            ("asked once, silent for three days", done.asked_once),
            ("asked now", done.asked),
        ]
    )
    if done.asked:
        screen.say("Their mails leave by `mailer site serve` or `mailer worker`.")


def deliver(mailer: Mailer) -> Delivered:
    """Sends what waits, once, while somebody looks on."""
    import asyncio

    from mailer.usecases.deliver_service_mail import deliver_service_mail

    return asyncio.run(deliver_service_mail(mailer.postbox))

"""``mailer campaigns``: pause, cancel, retry, and what to do about unknown people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli import campaign_report, screen
from mailer.cli.campaign_words import Id, Yes
from mailer.errors import InputError
from mailer.model.shown import counted
from mailer.model.words import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.usecases.show_campaign import CampaignReport
    from mailer.wiring import Mailer

NOBODY_UNKNOWN = "Nobody is unknown: of each copy that was sent, the answer is there."


def approve(
    name: Id,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="NAME", help="Who approves it. Default: this account."),
    ] = None,
    frozen: Annotated[
        bool,
        typer.Option("--frozen", help="Approve what was planned, although its folder has changed."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Approve what a campaign will send. Any edit or new plan voids it."""
    from mailer.usecases.approve_campaign import approve_campaign
    from mailer.usecases.show_campaign import show_campaign

    with screen.opened() as mailer:
        campaign = show_campaign(name, db=mailer.db, clock=mailer.clock, folder=mailer.runs)
        campaign_report.print_headlines(campaign)
        screen.confirm("Approve this? Type yes:", answer="yes", yes=yes)
        given = approve_campaign(
            name,
            by=" ".join((by or mailer.officer).split())[:100],
            frozen=frozen,
            db=mailer.db,
            clock=mailer.clock,
            issue_at=mailer.issue,
            layouts=mailer.layout,
        )
    if not screen.result(given):
        screen.say(f"Approved by {given.by}: “{given.slug}”, content {given.hash[:16]}")
        screen.say(f"Next: mailer campaigns send {given.slug}")


def choose(
    name: Id,
    subject: Annotated[str, typer.Argument(metavar="a|b", help="The subject that the rest gets.")],
) -> None:
    """Choose between two subjects under test. `send` does the rest."""
    from mailer.usecases.choose_subject import choose_subject

    with screen.opened() as mailer:
        made = choose_subject(name, subject.strip().lower(), **_reopening(mailer))
    if not screen.result(
        {"campaign": made.campaign, "slug": made.slug, "chosen": made.chosen, "left": made.people}
    ):
        screen.say(
            f"Subject {made.chosen} is chosen:"
            f" {counted(made.people, 'person waits', 'people wait')} for it."
        )
        screen.say(f"Next: mailer campaigns send {made.slug}")


def pause(name: Id) -> None:
    """Stop sending: what is on the wire is finished, the rest waits for `resume`."""
    from mailer.usecases.stop_campaign import pause_campaign

    with screen.opened() as mailer:
        done = pause_campaign(name, db=mailer.db, clock=mailer.clock)
    if not screen.result({"campaign": done.campaign, "slug": done.slug, "state": "paused"}):
        screen.say(f"Paused: “{done.slug}”. A process that is sending it stops within a second.")
        screen.say(f"Next: mailer campaigns resume {done.slug}")


def cancel(name: Id, yes: Yes = False) -> None:
    """Skip whoever has not been sent it yet, for good."""
    from mailer.usecases.stop_campaign import cancel_campaign, require_unfinished

    with screen.opened() as mailer:
        slug = require_unfinished(name, db=mailer.db)
        screen.confirm(f"Cancel “{slug}”, for good? Type yes:", answer="yes", yes=yes)
        done = cancel_campaign(name, **_reopening(mailer))
    document = {"campaign": done.campaign, "slug": done.slug, "state": "cancelled"}
    if not screen.result({**document, "skipped": done.skipped, "sending": done.sending}):
        people = counted(done.skipped, "person is", "people are")
        screen.say(f"Cancelled: “{done.slug}”. {people} skipped.")
        if done.sending:
            screen.say(
                "The process that is sending it stops within a second, and skips what it had taken"
                " and not begun."
            )
            screen.say(f"Next: mailer campaigns show {done.slug}  (the counts, once it has)")


def retry(name: Id) -> None:
    """Try refused people again, where trying again may help. `send` does the rest."""
    from mailer.usecases.reopen_deliveries import retry_refused

    with screen.opened() as mailer:
        people = retry_refused(name, **_reopening(mailer))
        _reopened(mailer, name, people, "put back to planned", _why_nobody_is_retried)


def unknown(
    name: Id,
    resend: Annotated[
        bool, typer.Option("--resend", help="Send it to them again: some may get two copies.")
    ] = False,
    skip: Annotated[
        bool, typer.Option("--skip", help="Leave them: some may have got none.")
    ] = False,
) -> None:
    """People whose copy was on its way when the answer was lost: list, resend or skip them."""
    if resend and skip:
        raise InputError("Either --resend or --skip, not both.")
    if not (resend or skip):
        _list_unknown(name)
        return
    from mailer.usecases.reopen_deliveries import resend_unknown, skip_unknown

    with screen.opened() as mailer:
        people = (resend_unknown if resend else skip_unknown)(name, **_reopening(mailer))
        what = "put back to planned" if resend else "skipped"
        _reopened(mailer, name, people, what, lambda report: (NOBODY_UNKNOWN, ""))


def _reopening(mailer: Mailer) -> dict[str, Any]:
    return {
        "db": mailer.db,
        "clock": mailer.clock,
        "folder": mailer.runs,
        "retry_after": mailer.settings.retry_after,
    }


def _reopened(
    mailer: Mailer,
    name: str,
    people: int,
    what: str,
    why_nobody: Callable[[CampaignReport], tuple[str, str]],
) -> None:
    """Tells how many were moved; of nobody, ``why_nobody`` tells the reason and what to type."""
    from mailer.usecases.show_campaign import show_campaign

    report = show_campaign(name, db=mailer.db, clock=mailer.clock, folder=mailer.runs)
    why, then = ("", "") if people else why_nobody(report)
    document = {**campaign_report.document(report), "moved": people, "why_nobody": why or None}
    if screen.result({**document, "next": then or None}):
        return
    screen.say(why or f"{counted(people, 'person was', 'people were')} {what}.")
    if then:
        screen.say(f"Next: {then}")
    elif report.counts.left:
        screen.say(f"Next: mailer campaigns send {report.slug}")


def _why_nobody_is_retried(report: CampaignReport) -> tuple[str, str]:
    """The reason in a sentence, and the command that helps; nothing when none does."""
    counts, command = report.counts, "mailer campaigns"
    if counts.refused:
        reasons = report.reasons.get(DeliveryState.refused, {}).items()
        told = ", ".join(f"{reason or 'no reason given'} {people:,}" for reason, people in reasons)
        are = counted(counts.refused, "person is", "people are")
        why = f"Nobody was put back: {are} refused, which trying again does not cure ({told})."
        return why, f"{command} recipients {report.slug} --state refused"
    why = "Nobody was put back, because nobody is refused."
    if counts.unknown:
        unknown = counted(counts.unknown, "person is", "people are")
        why += f" {unknown} unknown, and retry leaves them alone."
        return why, f"{command} unknown {report.slug}"
    if counts.left:
        why += f" {counted(counts.left, 'person waits', 'people wait')} for a send."
        return why, f"{command} send {report.slug}"
    return why, f"{command} show {report.slug}"


def _list_unknown(name: str) -> None:
    from mailer.usecases.list_recipients import list_recipients

    with screen.opened() as mailer:
        people = list(list_recipients(name, db=mailer.db, states=[DeliveryState.unknown]))
        if not screen.result(people):
            campaign_report.print_recipients(people)
            if not people:
                screen.say(NOBODY_UNKNOWN)


COMMANDS = (approve, choose, pause, cancel, retry, unknown)

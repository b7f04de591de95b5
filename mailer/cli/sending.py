"""Sends a campaign from the terminal: looks first, asks, shows progress, and ends with a status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from mailer.cli import campaign_report, screen
from mailer.errors import Fault, InputError
from mailer.model.words import CampaignState, Counts

if TYPE_CHECKING:
    from mailer.ports import Transport
    from mailer.usecases.send_campaign import SendReport
    from mailer.usecases.show_campaign import CampaignReport
    from mailer.wiring import Mailer

_ASK_FOR_NUMBER = 100  # above so many people the answer is the audience's number


def send(
    name: str, *, yes: bool, wait: str, frozen: bool, site_check: bool, spool: str | None = None
) -> None:
    """Sends until nobody is left or something stops it. Raises typer.Exit with the status."""
    import asyncio

    from mailer.settings import parse_wait
    from mailer.usecases.show_campaign import show_campaign

    max_wait = parse_wait(wait)
    with screen.opened() as mailer:
        transport = mailer.spool(spool) if spool is not None else None
        mailer.require_sendable(spooled=spool is not None)
        before = show_campaign(name, db=mailer.db, clock=mailer.clock, folder=mailer.runs)
        _look_first(mailer, before, frozen=frozen, site_check=site_check, far=spool is None)
        _ask(mailer, before, yes=yes, spool=spool)
        line = screen.ProgressLine()

        def progress(counts: Counts, due: int | None) -> None:
            done = counts.audience - counts.left
            line.show(done, counts.audience, waiting_until=due)

        outcome = asyncio.run(_until_stopped(mailer, name, float(max_wait), progress, transport))
        line.clear()
        after = show_campaign(name, db=mailer.db, clock=mailer.clock, folder=mailer.runs)
    if not screen.result(campaign_report.document(after)):
        campaign_report.print_outcome(outcome, after)
    if outcome.counts.left or after.state is CampaignState.paused:
        if outcome.because == "It was interrupted.":
            raise typer.Exit(130)
        raise typer.Exit(75)
    if outcome.counts.unknown:
        raise typer.Exit(1)


def _look_first(
    mailer: Mailer, campaign: CampaignReport, *, frozen: bool, site_check: bool, far: bool
) -> None:
    """Before the first mail: has the issue changed since the plan, and do its links work?"""
    from mailer.usecases.approve_campaign import require_approval
    from mailer.usecases.check_site import check_site, skip_site_check
    from mailer.usecases.compare_issue import compare_issue

    if mailer.settings.require_approval:
        require_approval(campaign.slug, db=mailer.db, issue_at=mailer.issue, layouts=mailer.layout)
    if campaign.started_at is not None:
        return
    changes = compare_issue(
        campaign.slug, db=mailer.db, issue_at=mailer.issue, layouts=mailer.layout
    )
    if changes and not frozen:
        raise InputError(
            [
                *(Fault(line) for line in changes),
                Fault(
                    "The issue has changed since it was planned.",
                    hint="Plan it again, or send what was planned with --frozen.",
                ),
            ]
        )
    if not (far and mailer.sends_far):
        return
    if not site_check:
        skip_site_check(campaign.slug, db=mailer.db, clock=mailer.clock)
    else:
        check_site(
            campaign.slug,
            db=mailer.db,
            keys=mailer.keys,
            clock=mailer.clock,
            fetcher=mailer.fetcher,
        )


async def _until_stopped(
    mailer: Mailer, name: str, max_wait: float, progress: Any, transport: Transport | None
) -> SendReport:
    """Sends; SIGINT and SIGTERM stop it cleanly: what is on the wire is finished first."""
    import asyncio
    import signal

    from mailer.usecases.send_campaign import send_campaign

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    sending = asyncio.current_task()

    def interrupt() -> None:
        if stop.is_set() and sending is not None:
            sending.cancel()
            return
        screen.note(
            "\nStopping: what is on the wire is finished first. Interrupt again to stop at once;"
            " whose answer is not there then becomes unknown."
        )
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    return await send_campaign(
        name,
        db=mailer.db,
        transport=transport or mailer.transport,
        keys=mailer.keys,
        clock=mailer.clock,
        folder=mailer.runs,
        pace=mailer.pace,
        retry_after=mailer.settings.retry_after,
        expires_after=mailer.settings.expires_after,
        max_wait=max_wait,
        signing=mailer.signing,
        progress=progress,
        stop=stop,
    )


def _ask(mailer: Mailer, campaign: CampaignReport, *, yes: bool, spool: str | None) -> None:
    campaign_report.print_headlines(campaign)
    server = f"{mailer.settings.smtp_host}:{mailer.settings.smtp_port}"
    screen.note(f"  into      {spool}" if spool else f"  through   {server}")
    people = campaign.counts.left
    if people > _ASK_FOR_NUMBER:
        question = f"Type the number of people, {people}, to send:"
        screen.confirm(question, answer=str(people), yes=yes)
    else:
        screen.confirm("Send now? Type yes:", answer="yes", yes=yes)

"""Sends a campaign from the terminal: looks first, asks, shows progress, and ends with a status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from mailer.cli import campaign_report, scheduling, screen
from mailer.cli.send_progress import Events, SendProgress, opened_events
from mailer.errors import Fault, InputError
from mailer.model.shown import counted
from mailer.model.words import CampaignState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mailer.ports import Transport
    from mailer.usecases.send_campaign import SendReport
    from mailer.usecases.show_campaign import CampaignReport
    from mailer.wiring import Mailer

_ASK_FOR_NUMBER = 100  # above so many people the answer is the audience's number


def send(
    name: str,
    *,
    yes: bool,
    wait: str,
    frozen: bool,
    site_check: bool,
    spool: str | None = None,
    when: scheduling.When = scheduling.NOW,
    to_missing: bool = False,
    events: str | None = None,
) -> None:
    """Sends until nobody is left or something stops it. Raises typer.Exit with the status.

    ``to_missing`` adds who is on the list by now and not in the audience, first.
    """
    import asyncio
    import signal

    from mailer.settings import parse_wait
    from mailer.usecases.schedule_campaign import note_destination, require_schedule
    from mailer.usecases.send_campaign import require_startable
    from mailer.usecases.show_campaign import show_campaign

    max_wait = parse_wait(wait)
    when.check(spooled=spool is not None)
    told: set[int] = set()  # the signals that asked it to stop
    with screen.opened() as mailer:
        start_at, not_after = when.moments(mailer)
        transport = mailer.spool(spool) if spool is not None else None
        mailer.require_sendable(spooled=spool is not None)
        before = show_campaign(name, db=mailer.db, clock=mailer.clock, folder=mailer.runs)
        missing = _missing(mailer, before) if to_missing else 0
        require_startable(name, db=mailer.db, keys=mailer.keys, growing=missing > 0)
        if start_at is not None:
            require_schedule(start_at, not_after, db=mailer.db, clock=mailer.clock)
        _look_first(mailer, before, frozen=frozen, site_check=site_check, far=spool is None)
        _ask(mailer, before, yes=yes, spool=spool, at=start_at, missing=missing)
        when.spread(mailer, before, start_at, missing)
        if missing:
            _add_missing(mailer, before, when)
        if start_at is not None:
            scheduling.schedule(mailer, before, start_at, not_after)
            return
        note_destination(name, spool or "", db=mailer.db)
        with opened_events(events, mailer, before) as heard:
            shown = SendProgress(mailer, before, heard)
            outcome = asyncio.run(
                _until_stopped(
                    mailer,
                    before.slug,
                    float(max_wait),
                    shown,
                    transport or mailer.carrier(screen.note),
                    hold=when.hold,
                    told=told,
                )
            )
            shown.clear()
            after = show_campaign(name, db=mailer.db, clock=mailer.clock, folder=mailer.runs)
            _tell_end(heard, after)
    if outcome is None:
        _called_back(after)
        return
    if not screen.result(campaign_report.document(after)):
        campaign_report.print_outcome(outcome, after)
    if outcome.counts.left or after.state is CampaignState.paused:
        by_hand = outcome.because == "It was interrupted." and signal.SIGTERM not in told
        raise typer.Exit(130 if by_hand else 75)
    if outcome.counts.unknown:
        raise typer.Exit(1)


def _missing(mailer: Mailer, campaign: CampaignReport) -> int:
    """How many are to be added. Ends with 0 when that is nobody and nobody else is left."""
    from mailer.usecases.add_missing import count_missing

    found = count_missing(campaign.slug, db=mailer.db, clock=mailer.clock)
    for each in found.warnings:
        screen.note(f"Beware: {each.message} {each.hint}")
    if found.added:
        return found.added
    screen.note("Nobody is missing: everybody on the list who may be mailed is in the audience.")
    if not campaign.counts.left:
        if not screen.result(campaign_report.document(campaign)):
            campaign_report.print_counts(campaign)
        raise typer.Exit(0)
    return 0


def _add_missing(mailer: Mailer, campaign: CampaignReport, when: scheduling.When) -> None:
    """Adds them. Ends with 75 when they are to be approved first: what was approved has grown."""
    from mailer.usecases.add_missing import add_missing
    from mailer.usecases.show_campaign import show_campaign

    slug = campaign.slug
    found = add_missing(
        slug,
        db=mailer.db,
        clock=mailer.clock,
        folder=mailer.runs,
        retry_after=mailer.settings.retry_after,
        lane_of=mailer.sending_policy.lane_of,
    )
    screen.note(f"{counted(found.added, 'person was', 'people were')} added.")
    if mailer.settings.require_approval and found.added:
        after = show_campaign(slug, db=mailer.db, clock=mailer.clock, folder=mailer.runs)
        if not screen.result(campaign_report.document(after)):
            screen.say("The audience has grown since it was approved, so nothing was sent yet.")
            screen.say(f"Next: mailer campaigns approve {slug}")
            screen.say(f"      mailer campaigns send {slug}{when.words}")
        raise typer.Exit(75)


def _tell_end(events: Events, after: CampaignReport) -> None:
    event = after.state.value if after.state is not CampaignState.sending else "paused"
    events.tell(
        event, after.counts, words=after.because, next_try=after.next_due, reasons=after.reasons
    )


def _called_back(campaign: CampaignReport) -> None:
    """The hold ended otherwise than by its time: nobody was sent anything."""
    if not screen.result(campaign_report.document(campaign)):
        screen.say(f"Called back: “{campaign.slug}” is {campaign.state}. Nothing was sent.")
        campaign_report.print_next(campaign)
    if campaign.state is not CampaignState.cancelled:
        raise typer.Exit(75)


def approval(mailer: Mailer) -> Callable[[str], None]:
    """Raises InputError when a campaign's approval is asked for and is not there."""

    def require(slug: str) -> None:
        from mailer.usecases.approve_campaign import require_approval

        if mailer.settings.require_approval:
            require_approval(slug, db=mailer.db, issue_at=mailer.issue, layouts=mailer.layout)

    return require


def for_worker(mailer: Mailer) -> Any:
    """Sends one campaign as ``usecases.run_worker`` asks for it."""
    from mailer.usecases.run_worker import STOPPED, Reached
    from mailer.usecases.send_campaign import send_campaign

    async def send_one(campaign_id: int, only_from: CampaignState, stop: Any) -> Any:
        transport = Reached(mailer.carrier(screen.note))
        report = await send_campaign(
            campaign_id,
            **_ports(mailer),
            transport=transport,
            max_wait=0,
            stop=stop,
            stopped_by=STOPPED,
            only_from=(only_from,),
            hurry=False,
        )
        return report, not transport.reached

    return send_one


def _ports(mailer: Mailer) -> dict[str, Any]:
    """What every send needs; whoever left while the database was away is taken off first."""
    done = mailer.carry_out_departures()
    if done.aside:
        screen.complain(
            f"Of {counted(done.aside, 'file')} of kept unsubscribes something can't be carried out:"
            " see what ends in .aside in data/letterbox."
        )
    return {
        "db": mailer.db,
        "keys": mailer.keys,
        "clock": mailer.clock,
        "folder": mailer.runs,
        "pace": mailer.pace,
        "retry_after": mailer.settings.retry_after,
        "expires_after": mailer.settings.expires_after,
        "signing": mailer.signing,
    }


def _look_first(
    mailer: Mailer, campaign: CampaignReport, *, frozen: bool, site_check: bool, far: bool
) -> None:
    """Before the first mail: has the issue changed since the plan, and do its links work?"""
    from mailer.usecases.check_site import check_site, skip_site_check
    from mailer.usecases.compare_issue import compare_issue

    approval(mailer)(campaign.slug)
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
    mailer: Mailer,
    slug: str,
    max_wait: float,
    shown: SendProgress,
    transport: Transport,
    *,
    hold: int,
    told: set[int],
) -> SendReport | None:
    """Sends; SIGINT and SIGTERM stop it cleanly: what is on the wire is finished first.

    ``told`` takes up which of them came.
    """
    import asyncio
    import signal

    from mailer.usecases.send_campaign import send_campaign

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    sending = asyncio.current_task()

    def interrupt(number: int) -> None:
        told.add(number)
        if stop.is_set() and sending is not None:
            sending.cancel()
            return
        screen.note(
            "\nStopping: what is on the wire is finished first. Interrupt again to stop at once;"
            " whose answer is not there then becomes unknown."
        )
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt, number)
    if hold and not await scheduling.hold(mailer, slug, hold, stop):
        return None
    return await send_campaign(
        slug,
        **_ports(mailer),
        transport=transport,
        max_wait=max_wait,
        progress=shown.progress,
        watched=shown.watched,
        stop=stop,
        only_from=(CampaignState.held,) if hold else (),
    )


def _ask(
    mailer: Mailer,
    campaign: CampaignReport,
    *,
    yes: bool,
    spool: str | None,
    at: datetime | None,
    missing: int,
) -> None:
    campaign_report.print_headlines(campaign, missing)
    servers = ", ".join(mailer.mail_servers_named)
    screen.note(f"  into      {spool}" if spool else f"  through   {servers}")
    if at is not None:
        screen.note(f"  at        {scheduling.moments_shown(at)}")
    people = campaign.counts.left + missing
    if people > _ASK_FOR_NUMBER:
        question = f"Type the number of people, {people}, to send:"
        screen.confirm(question, answer=str(people), yes=yes)
    else:
        screen.confirm(f"Send {'then' if at else 'now'}? Type yes:", answer="yes", yes=yes)

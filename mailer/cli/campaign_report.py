"""Prints how a campaign stands, and what a send has done, as people read it and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mailer.cli import screen
from mailer.model.measuring import ClickMode, LoadMode
from mailer.model.shown import counted, headcount
from mailer.model.words import CampaignState, Counts, DeliveryState

if TYPE_CHECKING:
    from mailer.usecases.list_recipients import Recipient
    from mailer.usecases.send_campaign import SendReport
    from mailer.usecases.show_campaign import CampaignReport, SplitReport


def document(report: CampaignReport) -> dict[str, Any]:
    found: dict[str, Any] = {
        "campaign": report.campaign,
        "slug": report.slug,
        "state": report.state,
        **screen.plain(report.counts),
        "seconds": report.seconds,
        "per_second": report.per_second,
        "subject": report.subject,
        "list": report.list_name,
        "segment": _segment(report),
        "excluded": report.excluded,
        "added": report.added,
        "reasons": report.reasons,
        "stopped_because": report.because,
        "next_try": report.next_due,
        "web_url": report.web_url,
        "withdrawn": report.withdrawn or None,
        "in_archive": report.in_archive,
        "clicks": report.clicks,
        "image_loads": report.image_loads,
        "approved": report.approved or None,
        "start_at": report.start_at,
        "not_after": report.not_after,
        "spread_until": report.spread_until,
        "worker_alive": report.worker,
    }
    if report.variants:
        found["variants"] = [
            {
                "language": each.language,
                "version": each.version,
                "subject": each.subject,
                "web_url": each.web_url,
                **screen.plain(each.counts),
            }
            for each in report.variants
        ]
    if report.split is not None:
        found["split"] = {
            **screen.plain(report.split),
            "measured": {
                rule: {version: m._asdict() for version, m in counted.items()}
                for rule, counted in report.split.measured.items()
            },
        }
    return found


def _segment(report: CampaignReport) -> dict[str, str] | None:
    """The segment as it was when the campaign was planned."""
    segment = report.selection.get("segment")
    return {"name": segment["name"], "rule": segment["rule"]} if segment else None


def print_overview(reports: Any) -> None:
    if not reports:
        screen.say("No campaign yet.")
        screen.say("Next: mailer campaigns plan PATH --list NAME")
        return
    screen.table(
        [
            (
                r.campaign,
                r.slug,
                r.state,
                f"{r.counts.accepted:,} of {r.counts.audience:,} accepted",
                screen.instant(r.planned_at),
            )
            for r in reports
        ],
        indent="",
    )


def print_report(report: CampaignReport) -> None:
    state = report.state.value
    if report.state is CampaignState.sending:
        state = f"sending (process {report.sender})" if report.sender else "interrupted"
    screen.say(f"Campaign {report.campaign}, “{report.slug}”: {state}")
    screen.say(f"{report.subject}")
    if segment := _segment(report):
        screen.say(f"For “{segment['name']}”, which was: {segment['rule']}")
    screen.say()
    print_counts(report)
    if report.because and report.counts.left:
        screen.say()
        screen.say(f"Stopped: {report.because}")
    screen.say()
    if report.approved:
        screen.say(f"Approved by {report.approved['by']}, {report.approved['at']}")
    if report.withdrawn:
        screen.say(f"Withdrawn: {report.withdrawn}")
    if report.spread_until is not None and report.counts.left:
        screen.say(f"Spread until {screen.instant(report.spread_until)}")
    screen.say(f"Web version: {report.web_url}")
    print_next(report)


def print_headlines(campaign: CampaignReport, missing: int = 0) -> None:
    """What is about to be sent, before somebody is asked; ``missing`` are to be added first."""
    screen.note(f"Campaign {campaign.campaign}, “{campaign.slug}”")
    screen.note(f"  subject   {campaign.subject}")
    if campaign.split is not None and not campaign.split.chosen:
        screen.note(f"  or        {campaign.split.b}")
    screen.note(f"  from      {campaign.sender_address}")
    screen.note(f"  signed    {campaign.signed_as or 'not here'}")
    if campaign.approved:
        screen.note(f"  approved  {campaign.approved['by']}, {campaign.approved['at']}")
    screen.note(f"  list      {campaign.list_name}")
    screen.note(
        f"  audience  {campaign.counts.audience:,}, of whom {campaign.counts.left:,} to send"
    )
    if campaign.clicks is not ClickMode.off:
        screen.note(f"  clicks    {campaign.clicks}")
    if campaign.image_loads is not LoadMode.off:
        screen.note(f"  image loads: {campaign.image_loads}")
    if missing:
        screen.note(f"  added     {missing:,} who are on the list by now, and not in the audience")
    if campaign.excluded:
        left_out = ", ".join(f"{people:,} {reason}" for reason, people in campaign.excluded.items())
        screen.note(f"  left out  {left_out}")


def print_counts(report: CampaignReport) -> None:
    counts = report.counts
    on_list = counts.audience - report.added + sum(report.excluded.values())
    screen.table(
        [
            ("on the list", on_list),
            *((f"  left out: {reason}", people) for reason, people in report.excluded.items()),
            *([("added since the plan", report.added)] if report.added else []),
            ("audience", counts.audience),
        ]
    )
    screen.say("  " + "─" * 30)
    rows: list[tuple[str, int]] = []
    for state in DeliveryState:
        people = getattr(counts, state)
        if people or state is DeliveryState.accepted:
            rows.append((state.value, people))
            rows += [
                (f"  {reason or 'no reason given'}", many)
                for reason, many in report.reasons.get(state, {}).items()
            ]
    screen.table(rows)
    for each in report.variants:
        told = [f"{people:,} {state}" for state, people in _states(each.counts)]
        which = f"{each.language}, subject {each.version}" if report.split else each.language
        screen.say(f"  {which}: {headcount(each.counts.audience)} – {', '.join(told)}")
    if report.split is not None:
        _print_split(report.split)
    for reason, reply in report.replies.items():
        screen.say(f"  {reason}: the server said “{reply}”")
    if report.seconds:
        screen.say(f"  on the wire for {report.seconds:,.1f} s, {report.per_second:,.0f} a second")


def _print_split(split: SplitReport) -> None:
    screen.say(f"  subject a: {split.a}")
    screen.say(f"  subject b: {split.b}")
    for rule, measured in split.measured.items():
        told = " · ".join(f"{v}: {m.counted:,} of {m.of:,}" for v, m in measured.items())
        screen.say(f"  {rule}: {told}")
    if split.chosen and not split.waits:
        screen.say(f"  chosen: {split.chosen}")
    elif split.decide_at is not None:
        when = screen.clock_time(split.decide_at)
        screen.say(f"  the rest waits until {when}; then {split.rule}, or a at a tie")
    else:
        screen.say(f"  the rest waits for the winner: {split.rule}")


def _states(counts: Counts) -> list[tuple[str, int]]:
    people = [(state.value, int(getattr(counts, state))) for state in DeliveryState]
    return [each for each in people if each[1]] or [("planned", 0)]


def print_recipients(people: Iterable[Recipient]) -> None:
    for person in people:
        words = " · ".join(w for w in (person.reason, person.reply) if w)
        screen.say(f"{person.address}  {person.state}" + (f"  {words}" if words else ""))


def print_outcome(outcome: SendReport, report: CampaignReport) -> None:
    found = outcome.recovered
    if found.released or found.answered or found.unknown:
        screen.say(
            f"An interrupted run was settled: {found.answered:,} had been answered,"
            f" {found.released:,} had not been started, {found.unknown:,} unknown."
        )
    head = "Finished" if report.state is CampaignState.finished else report.state.value.capitalize()
    screen.say(f"{head}: “{report.slug}”")
    print_counts(report)
    if outcome.because:
        screen.say()
        screen.say(f"Stopped: {outcome.because}")
    for sentence in outcome.suspensions:
        screen.say(f"Left alone: {sentence}")
    if outcome.closed_until:
        when = screen.clock_time(outcome.closed_until)
        screen.say(f"Nothing goes before {when}: mailer.toml has hours of delivery or a daily cap.")
    print_next(report)


def print_next(report: CampaignReport) -> None:
    if report.state is CampaignState.scheduled:
        times = f"{screen.instant(report.start_at)}, not after {screen.instant(report.not_after)}"
        if report.late:
            screen.say(f"It was to be sent at {times}, and no worker did.")
            screen.say(f"Next: mailer campaigns send {report.slug}")
            return
        screen.say(f"It is to be sent at {times}.")
        if report.worker:
            screen.say(f"Next: mailer campaigns cancel {report.slug}, or send it now")
        else:
            screen.say("No worker is alive to send it then.")
            screen.say("Next: mailer worker")
        return
    if report.state is CampaignState.cancelled and report.counts.sending and not report.sender:
        screen.say("The process that was sending it died.")
        screen.say(f"Next: mailer campaigns cancel {report.slug}  (settles what it left)")
    elif report.counts.left and not report.sender and report.state is not CampaignState.cancelled:
        if report.counts.deferred and report.next_due:
            screen.say(f"The next deferred person is due at {screen.clock_time(report.next_due)}.")
        split = report.split
        by_hand = split is not None and split.waits and report.because and not split.decide_at
        verb = "choose {} a|b" if by_hand else "send {}"
        screen.say(f"Next: mailer campaigns {verb.format(report.slug)}")
    elif report.counts.unknown:
        screen.say(
            f"{counted(report.counts.unknown, 'person is', 'people are')} unknown: their text was"
            " on its way and no answer came back. Nobody sends it to them again unless you say so."
        )
        screen.say(f"Next: mailer campaigns unknown {report.slug}  (then --resend or --skip)")
    elif report.state is CampaignState.finished:
        screen.say(f"Next: mailer campaigns recipients {report.slug}")

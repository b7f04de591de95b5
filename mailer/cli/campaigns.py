"""``mailer campaigns``: plan, show, and what became of everybody; its other commands join here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli import (
    campaign_control,
    campaign_report,
    campaign_send,
    campaign_site,
    clicks_report,
    loads_report,
    screen,
    subject_tests,
)
from mailer.cli.campaign_words import Id
from mailer.errors import Fault, InputError
from mailer.model.measuring import ClickMode, LoadMode
from mailer.model.words import DeliveryState, OnUnknown

if TYPE_CHECKING:
    from mailer.usecases.select_audience import Wishes
    from mailer.wiring import Mailer

commands = typer.Typer(no_args_is_help=True, help="Plan, send and follow campaigns.")


def register(app: typer.Typer) -> None:
    for command in (*campaign_send.COMMANDS, *campaign_control.COMMANDS, *campaign_site.COMMANDS):
        commands.command()(command)
    app.add_typer(commands, name="campaigns")


@commands.command()
def plan(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="ISSUE", help="Its name in data/issues, its folder or its issue.md."
        ),
    ],
    list_name: Annotated[str, typer.Option("--list", metavar="NAME", help="Who gets it.")],
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", metavar="NAME", help="Leave out this list, or this segment; repeatable."
        ),
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option("--segment", metavar="NAME", help="Only who is in this segment, too."),
    ] = None,
    not_in: Annotated[
        list[str] | None,
        typer.Option("--not-in", metavar="CAMPAIGN", help="Leave out who got this campaign."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Mail people who already got this issue, too.")
    ] = False,
    blank_ok: Annotated[
        bool, typer.Option("--blank-ok", help="Leave a gap where somebody's field is empty.")
    ] = False,
    cap: Annotated[
        str | None,
        typer.Option(
            "--cap", metavar="N/DAYS", help="Leave out who had N campaigns in so many days."
        ),
    ] = None,
    no_cap: Annotated[
        bool, typer.Option("--no-cap", help="Whatever MAILER_FREQUENCY_CAP says.")
    ] = False,
    on_unknown: Annotated[
        OnUnknown | None,
        typer.Option(
            "--on-unknown", help="When an answer is lost. Default: MAILER_ON_UNKNOWN, or hold."
        ),
    ] = None,
    no_archive: Annotated[
        bool, typer.Option("--no-archive", help="Keep it out of the site's archive and feeds.")
    ] = False,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="SHARE",
            help="Test two subjects on this part of the audience, such as 20%.",
        ),
    ] = None,
    winner: Annotated[
        str,
        typer.Option(
            "--winner",
            metavar="RULE",
            help="Who chooses between the two: manual (you), unsubscribes, refusals or clicks.",
        ),
    ] = "manual",
    decide_after: Annotated[
        str,
        typer.Option(
            "--decide-after", metavar="TIME", help="How long after the test the rule decides."
        ),
    ] = "4h",
    clicks: Annotated[
        ClickMode | None,
        typer.Option(
            "--clicks",
            help="Measure links. Default: `clicks:` of the issue, MAILER_CLICKS, or off.",
        ),
    ] = None,
    image_loads: Annotated[
        LoadMode | None,
        typer.Option(
            "--image-loads",
            help="Count loads of one picture; tells little. Default: the issue, the setting, off.",
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain", metavar="ADDRESS", help="Plan nothing: say whether this person gets it."
        ),
    ] = None,
) -> None:
    """Freeze an issue and its audience. Nothing is sent yet."""
    from mailer.settings import parse_cap
    from mailer.usecases.plan_campaign import plan_campaign
    from mailer.usecases.select_audience import Wishes

    if cap is not None and no_cap:
        raise InputError("Either --cap or --no-cap, not both.")
    tested = subject_tests.parse_split(split, winner, decide_after)
    with screen.opened() as mailer:
        wanted = parse_cap(cap) if cap is not None else mailer.settings.frequency_cap
        wishes = Wishes(
            list=list_name,
            segment=segment,
            exclude=exclude or (),
            not_in=not_in or (),
            again=again,
            cap=None if no_cap else wanted,
        )
        if explain is not None:
            _explain(mailer, path, explain, wishes)
            return
        report = plan_campaign(
            mailer.issue(path),
            wishes=wishes,
            calendar=mailer.calendar,
            blank_ok=blank_ok,
            on_unknown=on_unknown or mailer.settings.on_unknown,
            in_archive=not no_archive,
            split=tested,
            clicks=clicks,
            image_loads=image_loads,
            db=mailer.db,
            layouts=mailer.layout,
            brand=mailer.brand,
            keys=mailer.keys,
            clock=mailer.clock,
            sending=mailer.sending_policy,
            folder=mailer.runs,
            retry_after=mailer.settings.retry_after,
        )
    for warning in [*report.warnings, *report.doubts]:
        screen.note(f"Warning: {warning}")
    if screen.result(
        {
            "campaign": report.campaign,
            "slug": report.slug,
            "audience": report.audience,
            "variants": report.variants,
            "languages": report.languages,
            "excluded": report.excluded,
            **({"split": report.split} if report.split else {}),
            "warnings": [
                *map(screen.fault_document, report.warnings),
                *(screen.fault_document(Fault(each)) for each in report.doubts),
            ],
            "clicks": report.clicks,
            "measured_links": report.measured_links,
            "measured_people": report.measured_people,
            "image_loads": report.image_loads,
        }
    ):
        return
    screen.say(f"Planned campaign {report.campaign}, “{report.slug}”: {report.subject}")
    left_out = sum(report.excluded.values())
    screen.table(
        [
            ("on the list", report.audience + left_out),
            *(
                (f"– {reason}: {screen.left_out_because(reason)}", people)
                for reason, people in report.excluded.items()
            ),
            ("audience", report.audience),
        ]
    )
    screen.say()
    if not report.audience:
        screen.say("Nobody is in the audience: there is nothing to send.")
    if report.variants > 1:
        screen.table(list(report.languages.items()))
    if report.split is not None:
        subject_tests.print_plan(report.split)
    if report.clicks is not ClickMode.off:
        screen.say(clicks_report.planned(report))
    if report.image_loads is not LoadMode.off:
        screen.say(loads_report.planned(report))
    screen.say(f"Web version: {report.web_url}")
    if not report.audience:
        return
    screen.say(f"Next: mailer campaigns test {report.slug} --to YOU@example.org")
    if mailer.settings.require_approval:
        screen.say(f"      mailer campaigns approve {report.slug}")
    screen.say(f"      mailer campaigns send {report.slug}")


def _explain(mailer: Mailer, path: Path, address: str, wishes: Wishes) -> None:
    from mailer.cli import verdicts
    from mailer.usecases.explain_plan import explain_plan

    found = explain_plan(
        mailer.issue(path).name,
        address,
        wishes=wishes,
        calendar=mailer.calendar,
        db=mailer.db,
        clock=mailer.clock,
        folder=mailer.runs,
        retry_after=mailer.settings.retry_after,
    )
    if screen.result(found):
        return
    screen.say(f"{found.address} {'gets it.' if found.included else 'does not get it.'}")
    for reason in found.reasons:
        if reason != "suppressed":
            screen.say(f"  – {reason}: {screen.left_out_because(reason)}")
    for block in found.suppressed:
        where = f"on “{block.list}”" if block.list else "on any list"
        screen.say(f"  – suppressed: is never to be mailed {where} ({block.reason})")
    for each in found.segments:
        verdicts.show(each)


@commands.command()
def show(
    name: Annotated[str | None, typer.Argument(metavar="ID", help="Number or slug.")] = None,
) -> None:
    """One campaign with its counts and reasons, or the newest ones."""
    from mailer.usecases.show_campaign import show_campaign, show_campaigns

    with screen.opened() as mailer:
        ports: dict[str, Any] = {"db": mailer.db, "clock": mailer.clock, "folder": mailer.runs}
        if name is None:
            reports = show_campaigns(**ports)
            if screen.result([campaign_report.document(report) for report in reports]):
                return
            campaign_report.print_overview(reports)
        else:
            report = show_campaign(name, **ports)
            if not screen.result(campaign_report.document(report)):
                campaign_report.print_report(report)


@commands.command()
def report(
    name: Id,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write the measured links there; - prints."),
    ] = None,
) -> None:
    """What became of everybody: counts that add up, the reasons, and what is measured."""
    from mailer.usecases.report_clicks import report_clicks
    from mailer.usecases.report_image_loads import report_image_loads
    from mailer.usecases.show_campaign import show_campaign
    from mailer.wiring.files import write_rows

    with screen.opened() as mailer:
        shown = show_campaign(name, db=mailer.db, clock=mailer.clock, folder=mailer.runs)
        rules_dated = mailer.click_rules.dated
        clicks = report_clicks(name, db=mailer.db, rules_dated=rules_dated)
        loads = report_image_loads(name, db=mailer.db, rules_dated=rules_dated)
        if csv is not None:
            write_rows(None if str(csv) == "-" else csv, clicks_report.rows(clicks))
            return
        found = campaign_report.document(shown)
        measured = {
            "clicks": clicks_report.document(clicks),
            "image_loads": loads_report.document(loads),
        }
        if screen.result({**found, **measured}):
            return
        campaign_report.print_report(shown)
        screen.say()
        clicks_report.show(clicks)
        loads_report.show(loads)


@commands.command()
def recipients(
    name: Id,
    state: Annotated[
        list[DeliveryState] | None, typer.Option("--state", help="Only these states.")
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
) -> None:
    """Everybody in the audience, with state, reason and the server's words."""
    from mailer.usecases.list_recipients import list_recipients

    with screen.opened() as mailer:
        people = list_recipients(name, db=mailer.db, states=state or ())
        if jsonl:
            screen.stream(people)
        elif not screen.result(people):
            campaign_report.print_recipients(people)


@commands.command()
def test(
    name: Id,
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="Who gets the copy.")],
    as_address: Annotated[
        str | None, typer.Option("--as", metavar="ADDRESS", help="As this recipient will see it.")
    ] = None,
    lang: Annotated[
        str | None, typer.Option("--lang", metavar="TAG", help="Only this language.")
    ] = None,
) -> None:
    """Send one marked copy a language, outside of the ledger. Its links change nothing."""
    import asyncio

    from mailer.usecases.send_test_copy import send_campaign_copy

    with screen.opened() as mailer:
        copies = asyncio.run(
            send_campaign_copy(
                name,
                to=to,
                as_address=as_address,
                language=lang,
                db=mailer.db,
                transport=mailer.transport,
                keys=mailer.keys,
                clock=mailer.clock,
                signing=mailer.signing,
            )
        )
    print_copies(copies)


def print_copies(copies: Any) -> None:
    if not screen.result(
        [
            {"address": c.address, "language": c.language, "accepted": c.accepted, "reply": c.reply}
            for c in copies
        ]
    ):
        for copy in copies:
            what = "accepted" if copy.accepted else "NOT accepted"
            screen.say(f"{copy.address} ({copy.language}): {what} – {copy.reply}")
    if not all(copy.accepted for copy in copies):
        raise typer.Exit(1)

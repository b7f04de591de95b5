"""``mailer campaigns send --dry-run``: everything but the wire and the ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mailer.cli import screen
from mailer.model.shown import counted, headcount

if TYPE_CHECKING:
    from mailer.usecases.rehearse_campaign import Rehearsal
    from mailer.wiring import Mailer


def dry_run(name: str, report: Path | None) -> None:
    """Prints what a send would do now; exit status 1 when somebody could not be sent a letter."""
    from mailer.usecases.compare_issue import compare_issue
    from mailer.usecases.rehearse_campaign import rehearse_campaign
    from mailer.wiring.files import write_text

    with screen.opened() as mailer:
        line = screen.ProgressLine()
        found = rehearse_campaign(
            name,
            db=mailer.db,
            keys=mailer.keys,
            clock=mailer.clock,
            signing=mailer.signing,
            progress=line.show,
        )
        line.clear()
        changes = compare_issue(name, db=mailer.db, issue_at=mailer.issue, layouts=mailer.layout)
        for change in changes:
            screen.note(f"Changed since the plan: {change}")
        document = {**screen.plain(found), "changed_since_plan": list(changes)}
        if report is not None:
            text = json.dumps(document, ensure_ascii=False, indent=2)
            write_text(report, f"{text}\n")
        if not screen.result(document):
            _print(found, mailer)
            if report is not None:
                screen.say(f"Written to {report}")
    if found.unsendable or found.troubles:
        raise typer.Exit(1)


def _print(found: Rehearsal, mailer: Mailer) -> None:
    screen.say(f"Dry run of “{found.slug}”: nothing was sent, and nothing was written down.")
    screen.table(
        [
            ("still to be tried", found.to_try),
            *(
                (f"– {reason}: {screen.left_out_because(reason)}", n)
                for reason, n in _skipped(found)
            ),
            ("– can't be sent", found.unsendable),
            ("would be sent", found.letters),
        ]
    )
    for each in found.sizes:
        screen.say(
            f"  {each.language}: {counted(each.letters, 'letter')} of"
            f" {_kilobytes(each.smallest)} to {_kilobytes(each.largest)},"
            f" {_kilobytes(each.average)} on average"
        )
    screen.say(
        f"  {_kilobytes(found.octets)} in all; the longest line has"
        f" {counted(found.longest_line, 'octet')}"
    )
    if found.beyond_ascii:
        screen.say(
            f"  {counted(found.beyond_ascii, 'address needs', 'addresses need')} a server that"
            " offers SMTPUTF8"
        )
    rate = mailer.settings.smtp_rate
    if rate:
        minutes = found.letters / rate / 60
        screen.say(f"  at {rate:g} a second: {minutes:,.1f} min")
    for trouble in found.troubles:
        who = f" ({headcount(trouble.people)}, such as {', '.join(trouble.examples)})"
        screen.say(f"  ✗ {trouble.what}{who if trouble.people else ''}")
    screen.say()
    if found.troubles:
        screen.say("Next: mend the issue or the people, and plan it again.")
    elif found.letters:
        first = "approve" if mailer.settings.require_approval else "send"
        screen.say(f"Next: mailer campaigns {first} {found.slug}")


def _skipped(found: Rehearsal) -> list[tuple[str, int]]:
    return list(found.skipped.items())


def _kilobytes(octets: int) -> str:
    return f"{octets / 1000:,.1f} KB" if octets < 1_000_000 else f"{octets / 1_000_000:,.1f} MB"

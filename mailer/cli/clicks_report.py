"""Prints how often links were followed: raw and filtered beside each other, and as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mailer.cli import measured, screen
from mailer.model.measuring import ClickMode
from mailer.model.shown import counted, headcount

if TYPE_CHECKING:
    from mailer.usecases.plan_campaign import PlanReport
    from mailer.usecases.report_clicks import ClicksReport


def planned(report: PlanReport) -> str:
    """What is measured, in a sentence; not of who said no, or nothing."""
    links = f"Clicks on {counted(report.measured_links, 'link')} are measured"
    if report.measured_people is None:
        return f"{links}, without anybody's name."
    return (
        f"{links}, of {headcount(report.measured_people)} who agreed; the others get direct links."
    )


def document(report: ClicksReport) -> dict[str, Any]:
    found: dict[str, Any] = {"mode": report.mode}
    if report.mode is ClickMode.off:
        return found
    found |= measured.numbers(report)
    found["links"] = [
        {
            "number": each.number,
            "url": each.url,
            "raw": each.raw,
            "filtered": each.filtered,
            **({"people": each.people} if report.mode is ClickMode.people else {}),
        }
        for each in report.links
    ]
    return found


def rows(report: ClicksReport) -> Iterator[Sequence[str]]:
    """As CSV, with headings."""
    yield ("number", "url", "raw", "filtered", "people")
    for each in report.links:
        people = str(each.people) if report.mode is ClickMode.people else ""
        yield (str(each.number), each.url, str(each.raw), str(each.filtered), people)


def show(report: ClicksReport) -> None:
    if report.mode is ClickMode.off:
        screen.say("Clicks: not measured.")
        return
    screen.say(f"Clicks ({report.mode})")
    measured.show(report, readers="different readers")
    if report.links:
        screen.say()
        screen.say("  Of each link: raw, filtered")
        screen.table([(each.raw, each.filtered, each.url) for each in report.links])

"""Prints how often links were followed: raw and filtered beside each other, and as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mailer.cli import screen
from mailer.model.measuring import ClickMode
from mailer.model.shown import counted, headcount

if TYPE_CHECKING:
    from mailer.usecases.plan_campaign import PlanReport
    from mailer.usecases.report_clicks import ClicksReport

WHY = {
    "agent": "the program named itself as one, or named nothing",
    "network": "from a network of a link scanner",
    "early": "before the mail could have been read",
    "burst": "several links of one mail within seconds",
    "repeat": "the same link again within seconds",
    "crowd": "the mails of many readers, from one network at one time",
}


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
    found |= {
        "raw": report.raw,
        "filtered": report.filtered,
        "left_out": report.left_out,
        "rules_dated": report.rules_dated,
    }
    if report.mode is ClickMode.people:
        found |= {"people": report.people, "measured_people": report.measured}
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
    totals: list[tuple[str, object]] = [
        ("raw, machines with it", report.raw),
        *((f"– {why}: {WHY.get(why, why)}", many) for why, many in report.left_out.items()),
        ("filtered", report.filtered),
    ]
    if report.mode is ClickMode.people:
        totals += [
            ("different readers", report.people or 0),
            ("of the audience, who agreed to it", report.measured or 0),
        ]
    screen.table(totals)
    screen.say(f"  Machines are guessed at, by rules of {report.rules_dated}.")
    if report.links:
        screen.say()
        screen.say("  Of each link: raw, filtered")
        screen.table([(each.raw, each.filtered, each.url) for each in report.links])

"""Prints how often a campaign's picture was loaded, with what that does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailer.cli import clicks_report, screen
from mailer.model.measuring import LoadMode
from mailer.model.shown import headcount

if TYPE_CHECKING:
    from mailer.usecases.plan_campaign import PlanReport
    from mailer.usecases.report_image_loads import LoadsReport

_WHY = {
    **clicks_report.WHY,
    "repeat": "the picture again within seconds",
    "ahead": "a program that loads every picture, whoever reads: Apple's, Google's",
    "proxy": "a mailbox provider's machine, in a reader's place or ahead: Google's, Yahoo's",
}
UNRELIABLE = (
    "Unreliable: machines load pictures of mails that nobody reads, and many readers load none."
)


def planned(report: PlanReport) -> str:
    """What is counted, in a sentence."""
    if report.image_loads is LoadMode.people:
        return f"Image loads are counted, of {headcount(report.measured_people or 0)} who agreed."
    return "Image loads are counted, without anybody's name."


def document(report: LoadsReport) -> dict[str, Any]:
    found: dict[str, Any] = {"mode": report.mode}
    if report.mode is LoadMode.off:
        return found
    found |= {
        "note": UNRELIABLE,
        "raw": report.raw,
        "filtered": report.filtered,
        "left_out": report.left_out,
        "rules_dated": report.rules_dated,
    }
    if report.mode is LoadMode.people:
        found |= {"people": report.people, "measured_people": report.measured}
    return found


def show(report: LoadsReport) -> None:
    """Nothing at all where nothing is counted: no owner is to miss this number."""
    if report.mode is LoadMode.off:
        return
    screen.say()
    screen.say(f"Image loads ({report.mode})")
    screen.say(f"  {UNRELIABLE}")
    totals: list[tuple[str, object]] = [
        ("raw, machines with it", report.raw),
        *((f"– {why}: {_WHY.get(why, why)}", many) for why, many in report.left_out.items()),
        ("filtered", report.filtered),
    ]
    if report.mode is LoadMode.people:
        totals += [
            ("from mails of so many readers", report.people or 0),
            ("of the audience, who agreed to it", report.measured or 0),
        ]
    screen.table(totals)
    screen.say(f"  Machines are guessed at, by rules of {report.rules_dated}.")

"""Prints how often a campaign's picture was loaded, with what that does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailer.cli import measured, screen
from mailer.model.measuring import LoadMode, Measured
from mailer.model.shown import headcount

if TYPE_CHECKING:
    from mailer.usecases.plan_campaign import PlanReport

_WHY = {
    **measured.WHY,
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


def document(report: Measured) -> dict[str, Any]:
    found: dict[str, Any] = {"mode": report.mode}
    if report.mode is LoadMode.off:
        return found
    found |= {"note": UNRELIABLE, **measured.numbers(report)}
    return found


def show(report: Measured) -> None:
    """Nothing at all where nothing is counted: no owner is to miss this number."""
    if report.mode is LoadMode.off:
        return
    screen.say()
    screen.say(f"Image loads ({report.mode})")
    screen.say(f"  {UNRELIABLE}")
    measured.show(report, readers="from mails of so many readers", why=_WHY)

"""Prints what was counted of a campaign: raw and filtered side by side, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailer.cli import screen
from mailer.model.measuring import Measured

WHY = {
    "agent": "the program named itself as one, or named nothing",
    "network": "from a network of a link scanner",
    "early": "before the mail could have been read",
    "burst": "several links of one mail within seconds",
    "repeat": "the same link again within seconds",
    "crowd": "the mails of many readers, from one network at one time",
}


def numbers(report: Measured) -> dict[str, Any]:
    found: dict[str, Any] = {
        "raw": report.raw,
        "filtered": report.filtered,
        "left_out": report.left_out,
        "rules_dated": report.rules_dated,
    }
    if report.mode == "people":
        found |= {"people": report.people, "measured_people": report.measured}
    return found


def show(report: Measured, *, readers: str, why: Mapping[str, str] = WHY) -> None:
    """The table; ``readers`` says who the different people are."""
    totals: list[tuple[str, object]] = [
        ("raw, machines with it", report.raw),
        *((f"– {each}: {why.get(each, each)}", many) for each, many in report.left_out.items()),
        ("filtered", report.filtered),
    ]
    if report.mode == "people":
        totals += [
            (readers, report.people or 0),
            ("of the audience, who agreed to it", report.measured or 0),
        ]
    screen.table(totals)
    screen.say(f"  Machines are guessed at, by rules of {report.rules_dated}.")

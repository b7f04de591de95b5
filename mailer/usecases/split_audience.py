"""A test between two subjects: what a plan freezes of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailer.errors import Fault, InputError
from mailer.model.measuring import ClickMode
from mailer.model.shown import counted, headcount
from mailer.store.crowd import Draw
from mailer.usecases.check_issue import CheckReport
from mailer.usecases.compile_letter import Letter
from mailer.usecases.decide_subject import MANUAL, RULES
from mailer.usecases.freeze_audience import Frozen

_FEW = 500  # people with each subject, below which only a large difference means anything


@dataclass(frozen=True, slots=True)
class Split:
    """As an officer says it: which part of the audience tests, who decides, and how soon."""

    share: float  # of the audience, both subjects together: above 0, below 1
    winner: str = MANUAL
    decide_after: int = 4 * 3600  # seconds after the last of the test was tried

    def frozen(self, letters: Sequence[Letter]) -> dict[str, Any]:
        """What the campaign keeps of it; ``letters`` have the second subject."""
        return {
            "split": {
                "share": self.share,
                "winner": self.winner,
                "decide_after": self.decide_after,
                "key": secrets.token_hex(16),
                "subjects": [
                    {"language": each.offered.tag, "subject": each.subject} for each in letters
                ],
            }
        }

    def draw(self, frozen: Mapping[str, Any]) -> Draw:
        return Draw(self.share / 2, frozen["split"]["key"])

    def told(self, found: Frozen, a: str, b: str) -> dict[str, Any]:
        """What the plan tells of it."""
        each = Draw(self.share / 2, "").each(found.audience)
        rest = found.audience - 2 * each
        rule = RULES[self.winner].says
        return {"each": each, "rest": rest, "a": a, "b": b, "winner": self.winner, "rule": rule}

    def require(self, clicks: ClickMode) -> None:
        """Raises InputError where nothing is measured of what the rule counts."""
        if RULES[self.winner].of_clicks and clicks is not ClickMode.people:
            raise InputError(
                f"The rule “{self.winner}” needs clicks by people, and here they are {clicks}:"
                " without a reader's mark, links are the same behind both subjects.",
                hint="Plan with --clicks people, or with another --winner.",
            )

    def doubts(self, found: Frozen, report: CheckReport, agreed: int | None) -> Iterator[str]:
        """What the numbers of a test are worth; ``agreed`` is how many people are measured."""
        each = Draw(self.share / 2, "").each(found.audience)
        if RULES[self.winner].of_clicks:
            yield (
                f"The clicks of about {headcount(round((agreed or 0) * self.share / 2))} decide for"
                " each subject: so many of the test agreed to be measured."
            )
        if each < _FEW:
            yield (
                f"{counted(each, 'person gets', 'people get')} each subject: with so few, only a"
                " large difference between the two means anything."
            )
        if not found.held:
            yield "Nobody is left for the winner: everybody is in the test."


def require_seconds(report: CheckReport) -> None:
    """Raises InputError for each language that has no second subject."""
    there = {each.front.lang for each in report.seconds}
    faults = [
        Fault(
            "There is no second subject to test.",
            each.where,
            each.front.line("subject"),
            "Write `subject_b: …` below `subject`.",
        )
        for each in report.variants
        if each.front.lang not in there
    ]
    if faults:
        raise InputError(faults)


def unsplit(report: CheckReport) -> Iterator[str]:
    """A second subject that nobody will get."""
    if report.seconds:
        yield "`subject_b` is not used: plan with --split to test it."

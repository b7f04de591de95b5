"""Shows why a person is in a segment or not: a tree of marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.cli import screen

if TYPE_CHECKING:
    from mailer.usecases.explain_segments import Explained, Verdict


def show(explained: Explained) -> None:
    """One segment: in or out, what decided, and below it each clause with its mark."""
    if explained.verdict is None:
        screen.say(f"{explained.segment}: can't be used. {explained.problem}")
        return
    where = "in" if explained.inside else "not in"
    screen.say(f"{where} “{explained.segment}”, decided by {' · '.join(explained.decided)}")
    _part(explained.verdict, "  ")


def _part(verdict: Verdict, indent: str) -> None:
    mark = "✓" if verdict.holds else "✗"
    if not verdict.parts:
        answer = f"   ({verdict.answer})" if verdict.answer else ""
        screen.say(f"{indent}{mark} {verdict.text}{answer}")
        return
    head = {"and": "all of", "or": "any of", "not": "not"}.get(verdict.joined, verdict.text)
    screen.say(f"{indent}{mark} {head}")
    for part in verdict.parts:
        _part(part, indent + "  ")

"""Tells why a rule means a person or not: a mark for each part, and the parts that decided."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from mailer.contacts.rule import And, Clause, Kind, Moment, Not, Or, Rule, Source, Within
from mailer.model.shown import shown_value


@dataclass(frozen=True, slots=True)
class Verdict:
    """One part of a rule, as it stands for one person.

    ``answer`` is what the person has there, as people read it; ``segment`` is set where the rule
    of another segment stands.
    """

    text: str
    holds: bool
    answer: str = ""
    joined: str = ""  # and, or, not: how the parts are joined
    segment: str = ""
    parts: tuple[Verdict, ...] = ()


def judge(rule: Rule, marks: Sequence[bool], answers: Sequence[Any]) -> Verdict:
    """The verdict on one person. Marks and answers are those of the rule's clauses, in order."""
    return _judge(rule, iter(zip(marks, answers, strict=True)))


def _judge(rule: Rule, marks: Iterator[tuple[bool, Any]]) -> Verdict:
    match rule:
        case Clause():
            mark, answer = next(marks)
            return Verdict(rule.text, mark, _shown(rule, answer))
        case Not():
            part = _judge(rule.part, marks)
            if isinstance(rule.part, Clause):
                return Verdict(rule.text, not part.holds, part.answer)
            return Verdict(rule.text, not part.holds, joined="not", parts=(part,))
        case Within():
            part = _judge(rule.part, marks)
            return Verdict(rule.text, part.holds, segment=rule.name, parts=(part,))
        case And():
            parts = tuple(_judge(part, marks) for part in rule.parts)
            return Verdict(rule.text, all(p.holds for p in parts), joined="and", parts=parts)
        case Or():
            parts = tuple(_judge(part, marks) for part in rule.parts)
            return Verdict(rule.text, any(p.holds for p in parts), joined="or", parts=parts)


def deciding(verdict: Verdict) -> list[Verdict]:
    """The clauses that decided: were they otherwise, so might the answer be.

    Of an ``and`` that fails it is the first part that fails; of one that holds, all of them.
    """
    if not verdict.parts:
        return [verdict]
    if verdict.joined not in ("and", "or"):
        return deciding(verdict.parts[0])
    settles = verdict.joined == "or"  # one part that holds settles an or, one that fails an and
    if verdict.holds is settles:
        first = next(part for part in verdict.parts if part.holds is settles)
        return deciding(first)
    return [clause for part in verdict.parts for clause in deciding(part)]


def _shown(clause: Clause, answer: Any) -> str:
    """What the person has there, with the day that a relative date means."""
    subject = clause.subject
    if subject.kind is Kind.yesno and subject.source is not Source.field:
        return ""
    if subject.source is Source.mailed and answer is not None:
        answer = datetime.fromtimestamp(answer / 1000, UTC)
    if answer is None or answer == "":
        shown = "empty"
    elif isinstance(answer, datetime):
        shown = answer.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    elif subject.kind is Kind.yesno:
        shown = {"1": "yes", "true": "yes", "0": "no", "false": "no"}.get(
            str(answer).lower(), str(answer)
        )
    elif subject.kind is Kind.many:
        shown = _several(str(answer))
    else:
        shown = shown_value(answer)
    meant = [_day(value) for value in clause.values if isinstance(value, Moment | date)]
    if meant and not any(day in clause.text for day in meant):
        return f"{shown}; compared with {', '.join(meant)}"
    return shown


def _several(answer: str) -> str:
    try:
        return shown_value(json.loads(answer))
    except ValueError:  # a text from before the field was declared to hold several
        return answer


def _day(value: Moment | date) -> str:
    return (
        value.isoformat() if isinstance(value, date) else value.start.strftime("%Y-%m-%d %H:%M UTC")
    )

"""The register of rules: each with a name that stays, a severity, and a sentence of why.

A rule is a function from a ``View`` to what it found. ``@rule`` enters it; ``declare`` enters a
rule that is held elsewhere, while an issue is read and composed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mailer.errors import Fault

if TYPE_CHECKING:
    from mailer.compose.rules.view import View


class Severity(StrEnum):
    """How bad a finding is: an error stops a plan, a warning deserves a look."""

    error = "error"
    warning = "warning"


class Family(StrEnum):
    """What rules are about; the value is the heading that people read."""

    writing = "What was written"
    structure = "Structure and law"
    size = "Size"
    links = "Links"
    accessibility = "Accessibility"
    clients = "Mail programs"
    text = "Text part"
    personal = "Personal text"
    hidden = "Hidden text"
    filters = "Spam filters"
    typography = "Typography"
    silence = "Silenced rules"


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found. ``line`` and ``file`` are the author's; None when the layout wrote it.

    ``severity`` is given where it differs from the rule's own.
    """

    message: str
    line: int | None = None
    hint: str = ""
    file: str | None = None
    severity: Severity | None = None


Judge = Callable[["View"], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Without a ``judge`` it is held while the issue is read, or by the message."""

    name: str
    family: Family
    severity: Severity
    why: str
    silenceable: bool = True
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class Finding(Fault):
    """One thing that a rule has against an issue; ``silenced`` is the author's reason, if any."""

    severity: Severity = Severity.error
    why: str = ""
    family: Family = Family.writing
    silenced: str | None = None


RULES: dict[str, Rule] = {}


def rule(
    name: str, family: Family, severity: Severity, why: str, *, silenceable: bool = True
) -> Callable[[Judge], Judge]:
    """Enters a function as a rule."""

    def enter(judge: Judge) -> Judge:
        _enter(Rule(name, family, severity, why, silenceable, judge))
        return judge

    return enter


def declare(
    name: str, family: Family, severity: Severity, why: str, *, silenceable: bool = False
) -> None:
    """Enters a rule that is held elsewhere."""
    _enter(Rule(name, family, severity, why, silenceable))


def _enter(made: Rule) -> None:
    if made.name in RULES:
        raise ValueError(f"two rules are called {made.name}")
    RULES[made.name] = made


def as_finding(fault: Fault) -> Finding:
    """Returns a fault that was found elsewhere as a finding, with its rule's why."""
    if isinstance(fault, Finding):
        return fault
    known = RULES.get(fault.rule)
    return Finding(
        fault.message,
        fault.file,
        fault.line,
        fault.hint,
        fault.rule,
        severity=known.severity if known else Severity.error,
        why=known.why if known else "",
        family=known.family if known else Family.writing,
    )

"""Looks at a composed issue as a reader's mail program would, and says what is wrong with it.

The rules stand in ``mailer/compose/rules``, one file a family. An error stops a plan; a warning
deserves a look. Nothing is rendered here and nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mailer.compose.compose import Composed
from mailer.compose.names import did_you_mean
from mailer.compose.rules import (  # noqa: F401  # each enters its rules
    accessibility,
    clients,
    contrasts,
    filters,
    followed,
    held,
    hiding,
    hints,
    links,
    personal,
    size,
    structure,
    textpart,
    typography,
)
from mailer.compose.rules.audiences import DATED, EVERYONE, Audience
from mailer.compose.rules.clients import Support, support_of
from mailer.compose.rules.followed import targets
from mailer.compose.rules.registry import RULES, Finding, Found, Rule, Severity, as_finding
from mailer.compose.rules.size import longest_html
from mailer.compose.rules.view import Letter, View
from mailer.errors import Fault
from mailer.model.words import Trail

__all__ = [
    "DATED",
    "RULES",
    "Finding",
    "Findings",
    "Letter",
    "Rule",
    "Severity",
    "Support",
    "check",
    "link_targets",
]


@dataclass(frozen=True, slots=True)
class Findings:
    """What ``check`` found, in the order of the rules. Silenced findings are told apart."""

    findings: tuple[Finding, ...] = ()
    support: tuple[Support, ...] = ()  # what a part of the audience can't show
    html_bytes: int = 0  # of the reader with the longest values

    @property
    def errors(self) -> tuple[Finding, ...]:
        return self._of(Severity.error)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return self._of(Severity.warning)

    @property
    def silenced(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.silenced is not None)

    @property
    def ok(self) -> bool:
        return not self.errors

    def _of(self, severity: Severity) -> tuple[Finding, ...]:
        return tuple(
            each for each in self.findings if each.severity is severity and each.silenced is None
        )


def check(
    composed: Composed,
    *,
    letter: Letter | None = None,
    audience: Audience = EVERYONE,
    trails: Mapping[str, Trail] | None = None,
    faults: Iterable[Fault] = (),
) -> Findings:
    """Applies every rule to a composed issue.

    ``letter`` is the mail of the invented reader with the longest values; without it, rules about
    the message keep silent. ``trails`` says where links led. ``faults`` were found elsewhere, and
    count as findings of their rules.
    """
    view = View(composed, letter, audience, trails)
    found = [as_finding(each) for each in (*faults, *composed.warnings)]
    for rule in RULES.values():
        if rule.judge is not None:
            found += [_finding(rule, each, composed) for each in rule.judge(view)]
    found = list(dict.fromkeys(found))
    found += _silence_troubles(composed, {each.rule for each in found})
    silences = composed.front.silence
    heard = tuple(
        replace(each, silenced=silences[each.rule].reason)
        if each.rule in silences and RULES[each.rule].silenceable
        else each
        for each in found
    )
    return Findings(heard, tuple(support_of(view)), longest_html(view))


def link_targets(composed: Composed) -> list[str]:
    """Returns every web address of an issue that is the same for everybody, for a follower."""
    return targets(View(composed))


def _finding(rule: Rule, found: Found, composed: Composed) -> Finding:
    return Finding(
        found.message,
        found.file or composed.where,
        found.line,
        found.hint or None,
        rule.name,
        severity=found.severity or rule.severity,
        why=rule.why,
        family=rule.family,
    )


def _silence_troubles(composed: Composed, found: set[str]) -> list[Finding]:
    """A silence must name a rule, one that may be silenced, and one that would have spoken."""
    told: list[Finding] = []
    for name, silence in composed.front.silence.items():
        rule = RULES.get(name)
        if rule is None:
            hint = did_you_mean(name, RULES, kind="rules")
            told.append(
                _about("silence-unknown", f"There is no rule `{name}`.", silence.line, hint)
            )
        elif not rule.silenceable:
            message = f"The rule `{name}` can't be silenced."
            told.append(_about("silence-refused", message, silence.line, f"{rule.why}"))
        elif name not in found:
            message = f"The rule `{name}` is silenced and has nothing to say."
            told.append(_about("silence-unused", message, silence.line, "Take the line out."))
    return [replace(each, file=composed.where) for each in told]


def _about(rule: str, message: str, line: int, hint: str) -> Finding:
    return as_finding(Fault(message, None, line, hint, rule))

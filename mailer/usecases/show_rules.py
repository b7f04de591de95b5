"""Shows the rules by which an issue is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.compose.check import RULES
from mailer.compose.names import did_you_mean
from mailer.compose.rules.registry import Family
from mailer.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class RuleShown:
    """One rule, for people."""

    rule: str
    family: str
    severity: str
    why: str
    silenceable: bool


def show_rules(name: str | None = None) -> Sequence[RuleShown]:
    """Returns every rule, family by family, or one. Raises NotFoundError for an unknown name."""
    if name is not None and name not in RULES:
        raise NotFoundError(
            f"There is no rule `{name}`.", hint=did_you_mean(name, RULES, kind="rules")
        )
    families = list(Family)
    chosen = [RULES[name]] if name is not None else list(RULES.values())
    return [
        RuleShown(each.name, each.family.value, each.severity.value, each.why, each.silenceable)
        for each in sorted(chosen, key=lambda rule: families.index(rule.family))
    ]

"""Prints what a check found: for people, as JSON, and as annotations of a build."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailer.cli import screen
from mailer.model.shown import counted

if TYPE_CHECKING:
    from mailer.usecases.check_issue import CheckReport
    from mailer.usecases.show_rules import RuleShown

_SHOWN_PROGRAMS = 3


def print_report(report: CheckReport, *, path: Path, form: str, programs: bool) -> None:
    """Prints a report in the wanted form."""
    if screen.result(report_document(report)):
        return
    if form == "github":
        for finding in report.findings:
            if finding.silenced is None:
                screen.say(annotation(finding))
        return
    families = list(dict.fromkeys(each.family for each in report.findings))
    loud = [each for each in report.findings if each.silenced is None]
    loud.sort(key=lambda each: (families.index(each.family), each.line or 0))
    for family, found in groupby(loud, key=lambda each: each.family):
        screen.say(str(family.value))
        for each in found:
            place = f"{each.file}:{each.line}" if each.line else each.file or ""
            screen.say(f"  {each.severity.value:<8} {place}: {each.message}  [{each.rule}]")
            if each.hint:
                screen.say(f"{'':11}{each.hint}")
    if report.silenced:
        screen.say("Silenced")
        for each in report.silenced:
            screen.say(f"  {each.rule}: {each.message}")
            screen.say(f"{'':11}Reason: {each.silenced}")
    if programs:
        _print_programs(report)
    _print_summary(report, path)


def _print_programs(report: CheckReport) -> None:
    screen.say(f"What some mail programs of the audience `{report.audience}` can't show")
    rows = []
    for each in report.support:
        names = each.affected.programs
        shown = ", ".join(names[:_SHOWN_PROGRAMS])
        if len(names) > _SHOWN_PROGRAMS:
            shown += f" and {len(names) - _SHOWN_PROGRAMS} more"
        rows.append((each.feature, f"{each.affected.without:4.0%}", shown, each.instead))
    screen.table(rows)
    screen.say(f"  By Can I Email, {report.support_dated}; https://www.caniemail.com")


def _print_summary(report: CheckReport, path: Path) -> None:
    counts = [counted(len(report.errors), "error"), counted(len(report.warnings), "warning")]
    if report.silenced:
        counts.append(f"{len(report.silenced)} silenced")
    if report.errors or report.warnings or report.silenced:
        screen.say(", ".join(counts))
    else:
        screen.say("Nothing is wrong with it.")
    if report.variants:
        followed = f"; {counted(report.followed, 'link')} followed" if report.followed else ""
        screen.say(
            f"HTML at most {report.html_bytes / 1000:.0f} kB of the 102 kB that Gmail shows"
            f"{followed}"
        )
    if report.errors or report.warnings:
        screen.say("Why a rule is there: mailer issues rules RULE")
    if report.ok:
        screen.say(f"Next: mailer issues test {path} --to YOU@example.org")


def report_document(report: CheckReport) -> dict[str, Any]:
    """A report as JSON: the public interface's fields, and more."""
    return {
        "ok": report.ok,
        "errors": [finding_document(each) for each in report.errors],
        "warnings": [finding_document(each) for each in report.warnings],
        "silenced": [
            {**finding_document(each), "reason": each.silenced} for each in report.silenced
        ],
        "html_bytes": report.html_bytes,
        "links_followed": report.followed,
        "audience": report.audience,
        "programs": {
            "source": "https://www.caniemail.com",
            "dated": report.support_dated,
            "features": [
                {
                    "feature": each.feature,
                    "without": round(each.affected.without, 4),
                    "partly": round(each.affected.partly, 4),
                    "programs": list(each.affected.programs),
                    "instead": each.instead or None,
                }
                for each in report.support
            ],
        },
    }


def finding_document(finding: Any) -> dict[str, Any]:
    """One finding as JSON."""
    return {
        **screen.fault_document(finding),
        "severity": finding.severity.value,
        "family": finding.family.value,
        "hint": finding.hint,
        "why": finding.why,
    }


def annotation(finding: Any) -> str:
    """A finding as a workflow command of GitHub Actions, which shows it beside the line.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    where = [f"file={_property(finding.file)}"] if finding.file else []
    if finding.line:
        where.append(f"line={finding.line}")
    where.append(f"title={_property(finding.rule)}")
    text = f"{finding.message} {finding.hint}" if finding.hint else finding.message
    return f"::{finding.severity.value} {','.join(where)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def print_rules(rules: Sequence[RuleShown], *, whole: bool) -> None:
    """Prints the rules, family by family, or one with its why."""
    if screen.result(list(rules)):
        return
    for family, found in groupby(rules, key=lambda each: each.family):
        screen.say(family)
        for each in found:
            fixed = "" if each.silenceable else ", can't be silenced"
            screen.say(f"  {each.rule:<20} {each.severity}{fixed}")
            screen.say(f"{'':23}{each.why}")
            if whole and each.silenceable:
                screen.say("To let it be, write into the front matter:")
                screen.say(f"  silence:\n    {each.rule}: the reason")

"""An author may silence a rule with a reason; what can't be silenced says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailer.compose.check import Findings, check
from mailer.compose.compose import Composed
from mailer.errors import Fault

Compose = Callable[..., Composed]


def issue(silence: str, body: str = "[ici](https://example.org)") -> str:
    head = "subject: Boats are back\npreheader: A quay again\n"
    return f"---\n{head}silence:{silence}\n---\n{body}\n"


def heard(findings: Findings) -> list[tuple[str, int | None]]:
    return [(each.rule, each.line) for each in (*findings.errors, *findings.warnings)]


def test_a_silenced_rule_is_listed_with_its_reason(compose: Compose) -> None:
    findings = check(compose(issue("\n  link-text: The word is meant as a joke")))

    assert heard(findings) == []
    assert [(each.rule, each.silenced) for each in findings.silenced] == [
        ("link-text", "The word is meant as a joke")
    ]


def test_without_it_the_rule_speaks(compose: Compose) -> None:
    assert heard(check(compose(issue(" {}")))) == [("link-text", 6)]


def test_an_error_that_may_be_silenced_stops_nothing(compose: Compose) -> None:
    body = "[www.a.example](https://b.example)"
    loud = check(compose(issue(" {}", body)))
    quiet = check(compose(issue("\n  link-mismatch: Both are ours", body)))

    assert (loud.ok, quiet.ok) == (False, True)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("link-txt: because", "silence-unknown"),
        ("postal-address: because", "silence-refused"),
        ("link-ip: because", "silence-unused"),
    ],
)
def test_a_silence_that_does_nothing_is_told_on_its_line(
    line: str, rule: str, compose: Compose
) -> None:
    found = heard(check(compose(issue(f"\n  {line}", "Boats"))))

    assert found == [(rule, 5)]


def test_law_is_told_although_somebody_silenced_it(compose: Compose) -> None:
    composed = compose(issue("\n  web-personal: never mind", "You are {{ email }}"))

    assert heard(check(composed)) == [("web-personal", 7), ("silence-refused", 5)]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (" link-text", "`silence` takes rules, each with its reason."),
        ("\n  link-text:", "`link-text` is silenced without a reason."),
        ('\n  link-text: " "', "`link-text` is silenced without a reason."),
        ("\n  link-text: [a]", "`link-text` is silenced without a reason."),
        ("\n  link-text: a\n  link-text: b", "`link-text` is silenced twice."),
    ],
)
def test_a_silence_needs_its_reason(
    written: str, said: str, compose: Compose, faults_of: Callable[..., list[Fault]]
) -> None:
    (fault,) = faults_of(compose, issue(written))

    assert (fault.message, fault.file) == (said, "issue.md")
    assert fault.line in (4, 5, 6)

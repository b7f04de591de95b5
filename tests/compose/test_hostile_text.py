"""Text made to slow patterns down costs what ordinary text of its length costs.

Nothing here measures: what costs the square of 300 kB does not come back before the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from lxml import etree

from mailer.compose.check import check
from mailer.compose.comparing import marked
from mailer.compose.compose import Composed
from mailer.compose.css import troubles_of
from mailer.compose.frame import carry_over
from mailer.compose.layout import Layout
from mailer.compose.rules.boxes import declarations, runs_of
from mailer.errors import Fault

MUCH = 300_000
pytestmark = pytest.mark.timeout(30)


def much(seed: str) -> str:
    return seed * (MUCH // len(seed))


@pytest.mark.parametrize(
    "seed", ["a", "-", "{", "{{ '", "((", "a.", "a@", "https://a.", "A1 ", "*|", "!  ", "«a_"]
)
def test_an_issue_of_hostile_text_is_judged(
    seed: str, compose: Callable[..., Composed], faults_of: Callable[..., list[Fault]]
) -> None:
    many = 20_000 if seed in ("*|", "«a_", "!  ", "A1 ") else MUCH
    text = "x" + much(seed)[:many] + "\n"

    if seed.startswith("{"):  # such an opening is refused
        assert faults_of(compose, text)
    else:
        assert check(compose(text)).warnings is not None


def test_links_that_no_bracket_closes_are_carried_over(tiny: Layout) -> None:
    for seed in ("[", "[a](", "\\["):
        text = f"---\nsubject: Boats\n---\n::: story\nlinks: {much(seed)}\n:::\n"

        frame = carry_over(
            text, "issue.md", tiny.blocks, day=date(2026, 3, 6), moved=timedelta(days=7)
        )

        assert frame.text.count("](") == 1


def test_rules_of_dashes_are_compared_in_words() -> None:
    assert marked("Boats " + much("-"), "Boats").startswith("Boats")


def test_a_paragraph_of_very_many_pieces_is_read() -> None:
    body = etree.fromstring(f"<body><p>{much('<b>a</b>b')}</p></body>")

    assert [run.text for run in runs_of(body)] == ["a", "b"] * (MUCH // len("<b>a</b>b"))


@pytest.mark.parametrize("seed", ["(", "a(", " ", "0", "a", "a:"])
def test_a_style_of_hostile_text_is_read(seed: str) -> None:
    body = etree.fromstring("<body/>")
    body.set("style", f"font-size:1{much(seed)}x")
    body.text = "Boats"

    assert len(declarations(body.get("style") or "")) == 1
    assert [run.text for run in runs_of(body)] == ["Boats"]
    assert troubles_of(much(seed), inlined=True) is not None


def test_a_size_of_two_points_is_no_size() -> None:
    body = etree.fromstring('<body style="font-size:1.2.3px">Boats</body>')

    assert [run.look.size for run in runs_of(body)] == [16.0]

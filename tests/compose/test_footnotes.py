"""Footnotes are numbered through the issue and stand under the block that they belong to."""

from __future__ import annotations

from collections.abc import Callable

from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from mailer.errors import Fault

TWO = """\
The quay[^a] is open[^b].

[^a]: Built in 1911.
[^b]: Until *five*, {{ city | default("here") }}.

::: story headline=Boats

They are back[^x].

[^x]: All of them.
:::
"""


def test_notes_are_numbered_through_the_issue(compose: Callable[..., Composed]) -> None:
    composed = compose(TWO)
    page = parse(composed.rendition.html)
    notes = ["".join(each.itertext()).split() for each in page.xpath("//*[@class='footnotes']/p")]
    city = next(s.sentinel for s in composed.rendition.slots if s.source.startswith("city"))

    assert page.xpath("//sup/text()") == ["1", "2", "1", "2", "3", "3"]
    assert notes == [
        ["1", "Built", "in", "1911."],
        ["2", "Until", "five,", f"{city}."],
        ["3", "All", "of", "them."],
    ]
    text = composed.rendition.text
    assert "The quay¹ is open².\n\n¹ Built in 1911.\n\n² Until five," in text
    assert "They are back³.\n\n³ All of them." in text
    assert 'href="#' not in composed.rendition.html


def test_a_mark_without_a_note_and_a_note_without_a_mark_are_told(
    compose: Callable[..., Composed], faults_of: Callable[..., list[Fault]]
) -> None:
    found = faults_of(compose, "Hello[^a].\n\nMore.\n\n[^b]: Nobody leads here.\n")

    assert [(fault.line, fault.message) for fault in found] == [
        (5, "The footnote `a` has no text."),
        (9, "Nothing in the text leads to the footnote `b`."),
    ]

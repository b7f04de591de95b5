"""Front matter is YAML 1.2 with a closed list of keys, and every fault names its line."""

from __future__ import annotations

from datetime import date

import pytest

from mailer.compose.source import LONGEST_ISSUE, Front, clean, read_front, split
from mailer.errors import Fault


def read(text: str) -> tuple[Front, list[Fault]]:
    faults: list[Fault] = []
    halves = split(clean(text, "issue.md", faults), "issue.md", faults)
    first = halves.front_line
    numbers = tuple(range(first, first + halves.front.count("\n") + 1))
    return read_front(halves.front, numbers, "issue.md", faults), faults


def lines(faults: list[Fault]) -> list[int | None]:
    return [fault.line for fault in faults]


def test_every_key_is_read() -> None:
    front, faults = read(
        "---\n"
        "subject: Boats are back\n"
        "preheader: 'A quay: again'\n"
        "layout: letter\n"
        "lang: pt-BR\n"
        "dir: ltr\n"
        "date: 2026-11-24\n"
        "contact: desk@example.org\n"
        "from: Harbour Trust <news@example.org>\n"
        "reply_to: desk@example.org\n"
        "title: Boats\n"
        "---\n"
    )

    assert faults == []
    assert front.subject == "Boats are back"
    assert front.preheader == "A quay: again"
    assert (front.layout, front.lang, front.dir) == ("letter", "pt-BR", "ltr")
    assert front.date == date(2026, 11, 24)
    assert front.sender == "Harbour Trust <news@example.org>"
    assert (front.line("subject"), front.line("title")) == (2, 11)


@pytest.mark.parametrize("value", ["no", "12:30", "0123", "1.10", "2026-11-24", "true"])
def test_text_stays_as_it_was_spelled(value: str) -> None:
    front, faults = read(f"---\nsubject: {value}\n---\n")

    assert (front.subject, faults) == (value, [])


def test_an_empty_value_is_no_value() -> None:
    front, faults = read("---\nsubject: x\nlayout:\nlang: ~\n---\n")

    assert (front.layout, front.lang, faults) == ("newsroom", "en", [])


@pytest.mark.parametrize(("lang", "direction"), [("ar", "rtl"), ("he-IL", "rtl"), ("fr", "ltr")])
def test_direction_follows_language(lang: str, direction: str) -> None:
    front, _ = read(f"---\nsubject: x\nlang: {lang}\n---\n")

    assert front.dir == direction


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("Hello\n", 1, "begins with its front matter"),
        ("", 1, "begins with its front matter"),
        ("---\nsubject: x\n", 1, "never ends"),
        ("---\npreheader: x\n---\n", 1, "no subject"),
        ("---\nsubject:\n---\n", 2, "no subject"),
        ("---\nsubject: x\nsubjekt: y\n---\n", 3, "Did you mean `subject`?"),
        ("---\nsubject: x\n\n# note\nsubject: y\n---\n", 5, "first on line 2"),
        ("---\nsubject: [a, b]\n---\n", 2, "one line of text"),
        ("---\nsubject: x\nlang: english!\n---\n", 3, "no language"),
        ("---\nsubject: x\ndir: up\n---\n", 3, "`ltr` or `rtl`"),
        ("---\nsubject: x\ndate: 24 November\n---\n", 3, "2026-11-24"),
        ('---\nsubject: "x\npreheader: y\n---\n', 3, "YAML"),
        ("---\nsubject: x\npreheader: a: b\n---\n", 3, "between quotes"),
        ("---\nsubject: @x\n---\n", 2, "between quotes"),
        ("---\n- subject\n---\n", 2, "key: value"),
        ("---\nsubject: |\n  a\n  b\n---\n", 2, "must be one line"),
        ("---\nsubject: a\0b\n---\n", 2, "U+0000"),
        ("---\nsubject: x\n---\na\nb\ud800\n", 5, "U+D800"),
        ("---\nsubject: x\n---\na\x07\n", 4, "U+0007"),
    ],
)
def test_each_fault_names_its_line(text: str, line: int, says: str) -> None:
    _, faults = read(text)

    assert says in " ".join(map(str, faults))
    assert line in lines(faults)
    assert {fault.file for fault in faults} == {"issue.md"}


def test_broken_yaml_is_one_fault_not_three() -> None:
    _, faults = read('---\nsubject: "x\n---\n')

    assert len(faults) == 1


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_line_ends_and_a_byte_order_mark_are_tolerated(ending: str) -> None:
    text = "\ufeff---\nsubject: x\nsubjekt: y\n---\nBody\n".replace("\n", ending)

    front, faults = read(text)

    assert front.subject == "x"
    assert lines(faults) == [3]


def test_blank_lines_may_stand_before_the_front_matter() -> None:
    faults: list[Fault] = []

    halves = split("\n\n---\nsubject: x\n---\nBody", "issue.md", faults)

    assert (halves.front_line, halves.body, halves.body_line, faults) == (4, "Body", 6, [])


def test_a_rule_in_the_body_does_not_end_anything() -> None:
    faults: list[Fault] = []

    halves = split("---\nsubject: x\n---\nA\n\n---\n\nB", "issue.md", faults)

    assert halves.body == "A\n\n---\n\nB"


@pytest.mark.parametrize(
    "front",
    ["[" * 3000, "a: " + "{" * 3000, "x: " * 3000, "&a " * 2000, "a: |\n" + " x\n" * 20000],
    ids=["brackets", "braces", "colons", "anchors", "long"],
)
def test_hostile_yaml_is_a_fault(front: str) -> None:
    _, faults = read(f"---\n{front}\n---\n")

    assert faults


def test_a_library_is_no_issue() -> None:
    faults: list[Fault] = []

    clean("x" * (LONGEST_ISSUE + 1), "issue.md", faults)

    assert "too long" in faults[0].message

"""How counts and values read to people. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable


def counted(number: int, one: str, many: str | None = None) -> str:
    """A count with its word: ``1 row``, ``1,234 rows``.

    ``many`` is for what an ``s`` at the end does not make: ``counted(n, "person", "people")``,
    or ``counted(n, "person is", "people are")`` where the verb goes along.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def headcount(number: int) -> str:
    """``1 person``, ``1,234 people``."""
    return counted(number, "person", "people")


def listed(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def shown_value(value: object) -> str:
    """A person's value as people read it: yes or no, the words of a list with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(shown_value(each) for each in value)
    return str(value)

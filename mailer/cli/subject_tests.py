"""``mailer campaigns plan --split``: a test between two subjects, as it is typed and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailer.cli import screen
from mailer.errors import InputError
from mailer.model.shown import counted, headcount

if TYPE_CHECKING:
    from mailer.usecases.split_audience import Split

_LONGEST = 24 * 3600  # seconds: what is later than a day is not sent unasked


def parse_split(share: str | None, winner: str, decide_after: str) -> Split | None:
    """What was asked for; None without ``--split``. Raises InputError."""
    from mailer.settings import parse_wait
    from mailer.usecases.decide_subject import RULES
    from mailer.usecases.split_audience import Split

    if share is None:
        if winner != "manual":
            raise InputError("--winner belongs to --split.")
        return None
    try:
        part = float(share.strip().removesuffix("%")) / 100
    except ValueError:
        part = 0.0
    if not 0 < part <= 1:
        raise InputError(
            f"“{share[:20]}” is no part of an audience.", hint="Write a share such as 20%."
        )
    if winner not in RULES:
        known = ", ".join(RULES)
        raise InputError(f"“{winner[:40]}” is no rule for a winner.", hint=f"There are: {known}.")
    wait = parse_wait(decide_after)
    if not 60 <= wait <= _LONGEST:
        raise InputError("--decide-after takes 1m to 24h.")
    return Split(part, winner, wait)


def print_plan(split: dict[str, Any]) -> None:
    """What the plan says of the test."""
    screen.say(f"Subject a, {headcount(split['each'])}: {split['a']}")
    screen.say(f"Subject b, {headcount(split['each'])}: {split['b']}")
    screen.say(
        f"The other {counted(split['rest'], 'waits', 'wait')} for the winner: {split['rule']}."
    )

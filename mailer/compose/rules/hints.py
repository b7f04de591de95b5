"""Hints: what `issues new --from` wrote, and nobody has replaced yet."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailer.compose.frame import HINT
from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View

_END = re.compile(r"\]\(|\*\*|\|")  # of a link, of bold words, of a cell


@rule(
    "hint-left",
    Family.writing,
    Severity.warning,
    "A hint tells the author what to write; readers must never see one.",
)
def hint_left(view: View) -> Iterator[Found]:
    for number, line in enumerate(view.composed.source.split("\n"), 1):
        if HINT in line:
            hint = _END.split(line[line.index(HINT) :].lstrip(f"{HINT} "))[0].strip()
            yield Found(f"A hint stands here still: “{hint[:60]}”.", number, "Write your own.")

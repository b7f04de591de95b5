"""Hidden text: only the preheader may be, and it has to come first."""

from __future__ import annotations

from collections.abc import Iterator

from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View, squeezed


@rule(
    "hidden-text",
    Family.hidden,
    Severity.warning,
    "Text that only machines see is counted as spam; the preheader alone is common.",
)
def hidden_text(view: View) -> Iterator[Found]:
    preheader = squeezed(view.composed.rendition.preheader)
    for run in view.runs:
        text = squeezed(run.text)
        if not run.look.hidden or run.alt or not any(each.isalnum() for each in text):
            continue
        if text == preheader or (preheader and preheader in text):
            continue
        yield Found(
            f"`{view.shown(text)[:60]}` is hidden ({run.look.hidden}).",
            view.line(text),
            "Show it, or take it out.",
        )


@rule(
    "preheader-first",
    Family.hidden,
    Severity.warning,
    "A mail program shows the first words that it finds beside the subject.",
)
def preheader_first(view: View) -> Iterator[Found]:
    preheader = squeezed(view.composed.rendition.preheader)
    first = next((run for run in view.runs if not run.alt), None)
    if preheader and first is not None and not squeezed(first.text).startswith(preheader):
        yield Found(
            f"The mail begins with `{view.shown(squeezed(first.text))[:60]}`, not with the"
            " preheader.",
            hint="The layout must write {{ issue.preheader }} first.",
        )

"""Contrast: of text against its ground, as it is, and when a mail program inverts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mailer.compose.rules.boxes import Look, Run
from mailer.compose.rules.colour import Colour, contrast, hexed, negative, turned
from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View, squeezed

# WCAG 2.2, 1.4.3: large text is 24 px, or 18.66 px and bold.
ENOUGH, ENOUGH_WHEN_LARGE = 4.5, 3.0
SAME = 1.25  # below it nobody sees that there is text


@rule(
    "contrast",
    Family.accessibility,
    Severity.error,
    "Text needs 4.5:1 against its ground, large text 3:1, or many can't read it (WCAG 2.2, 1.4.3).",
)
def contrast_as_it_is(view: View) -> Iterator[Found]:
    for run in _combinations(view):
        ratio = contrast(run.look.colour, run.look.ground)
        if SAME <= ratio < wanted(run.look):
            yield _told(view, run, ratio, "")


@rule(
    "contrast-inverted",
    Family.accessibility,
    Severity.warning,
    "Several mail programs invert colours for readers who asked for dark, and ask nobody.",
)
def contrast_inverted(view: View) -> Iterator[Found]:
    ways: tuple[Callable[[Colour], Colour], ...] = (turned, negative)
    for run in _combinations(view):
        look = run.look
        if contrast(look.colour, look.ground) < wanted(look):
            continue
        ratio = min(contrast(way(look.colour), way(look.ground)) for way in ways)
        if ratio < wanted(look):
            yield _told(view, run, ratio, "Inverted, ")


@rule(
    "hidden-colour",
    Family.hidden,
    Severity.error,
    "Text in the colour of its ground is how filters are deceived, and they know it.",
)
def hidden_colour(view: View) -> Iterator[Found]:
    for run in _combinations(view):
        if contrast(run.look.colour, run.look.ground) < SAME:
            yield Found(
                f"The text `{squeezed(run.text)[:40]}` has the colour of its ground"
                f" ({hexed(run.look.ground)}).",
                view.line(squeezed(run.text)),
                "Give it another colour, or take it out.",
            )


def wanted(look: Look) -> float:
    """Returns the contrast that text of this look needs."""
    large = look.size >= 24 or (look.bold and look.size >= 18.66)
    return ENOUGH_WHEN_LARGE if large else ENOUGH


def _combinations(view: View) -> Iterator[Run]:
    """Yields the first visible text of each look; text over a picture can't be judged."""
    seen: set[tuple[Colour, Colour, float]] = set()
    for run in view.runs:
        look = run.look
        if look.hidden or look.pictured or not any(each.isalnum() for each in run.text):
            continue
        key = (look.colour, look.ground, wanted(look))
        if key not in seen:
            seen.add(key)
            yield run


def _told(view: View, run: Run, ratio: float, how: str) -> Found:
    look = run.look
    what = "the alternative text" if run.alt else "the text"
    what = f"{how}{what}" if how else what[0].upper() + what[1:]
    return Found(
        f"{what} `{squeezed(run.text)[:40]}` ({hexed(look.colour)} on {hexed(look.ground)})"
        f" has a contrast of {ratio:.1f}:1; it needs {wanted(look):g}:1.",
        view.line(squeezed(run.text)),
        "Choose other colours in the layout's theme.",
    )

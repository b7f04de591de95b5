"""Finds the nearest known name for one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that was probably meant, or None when nothing is near."""
    spoken = list(known)
    found = get_close_matches(name[:60], spoken, n=1, cutoff=0.6)
    if found:
        return found[0]
    folded = {each.casefold(): each for each in spoken}
    return folded.get(name.casefold())


def did_you_mean(name: str, known: Iterable[str], *, kind: str) -> str:
    """Says which name was probably meant, or which names there are."""
    spoken = sorted(known)
    near = nearest(name, spoken)
    if near is not None:
        return f"Did you mean `{near}`?"
    if not spoken:
        return f"There is no {kind} to choose from."
    return f"Known {kind}: {', '.join(spoken)}."

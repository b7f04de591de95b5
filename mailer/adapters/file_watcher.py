"""Tells when files change, so that a preview can follow an editor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path


async def changes(places: Sequence[Path], *, every: float) -> AsyncIterator[bool]:
    """Yields True after each change under these folders, and False when none came for a while.

    ``every`` is that while, in seconds: whoever listens can see then whether to go on. An editor
    that writes a file in several steps makes one change. A place that does not exist is left out.
    """
    from watchfiles import awatch

    there = [place for place in places if place.is_dir()]
    async for found in awatch(
        *there,
        debounce=200,
        step=40,
        rust_timeout=int(every * 1000),
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        yield bool(found)

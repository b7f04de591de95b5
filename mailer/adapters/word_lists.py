"""Reads the lists that come with the program."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def disposable_domains() -> frozenset[str]:
    """Domains whose mailboxes last for minutes; the file names its source and date."""
    text = files("mailer.adapters").joinpath("data/disposable_domains.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))

"""Reads the lists that come with the program."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from mailer.message.click_rules import ClickRules


@cache
def disposable_domains() -> frozenset[str]:
    """Domains whose mailboxes last for minutes; the file names its source and date."""
    text = files("mailer.adapters").joinpath("data/disposable_domains.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


@cache
def click_rules() -> ClickRules:
    """What is taken for a machine's click; the file names its day."""
    return ClickRules.read(
        files("mailer.adapters").joinpath("data/click_rules.toml").read_text("utf-8")
    )

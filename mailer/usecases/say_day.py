"""Says a day in the words of a reader's language, where the workspace is."""

from __future__ import annotations

from datetime import datetime, tzinfo

from mailer.compose.dates import day_in_words


def say_day(moment: datetime, language: str, *, zone: tzinfo) -> str:
    """The day of a moment, such as ``24 February 2027``."""
    return day_in_words(moment.astimezone(zone).date(), language)

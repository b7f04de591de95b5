"""Shows the web version of a campaign, as it was frozen at plan time, or of a test copy."""

from __future__ import annotations

from mailer.errors import NotFoundError
from mailer.ports import Clock
from mailer.store import site
from mailer.store.database import Database


def show_web_version(key: str, language: str | None, *, db: Database, clock: Clock) -> site.WebPage:
    """Finds the page by its key; without a language, the campaign's first.

    Raises NotFoundError when there is none, not in this language, or no more.
    """
    with db.read() as connection:
        page = site.web_page(connection, key, language)
        if page is None:
            page = site.draft_page(connection, key, language, clock.now())
    if page is None:
        raise NotFoundError("There is no such page.")
    return page

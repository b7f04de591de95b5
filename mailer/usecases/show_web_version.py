"""Shows the web version of a campaign, as it was frozen at plan time."""

from __future__ import annotations

from mailer.errors import NotFoundError
from mailer.store import site
from mailer.store.database import Database


def show_web_version(key: str, language: str | None, *, db: Database) -> site.WebPage:
    """Finds the page by the campaign's key; without a language, its first.

    Raises NotFoundError when there is no such campaign, or not in this language.
    """
    with db.read() as connection:
        page = site.web_page(connection, key, language)
    if page is None:
        raise NotFoundError("There is no such page.")
    return page

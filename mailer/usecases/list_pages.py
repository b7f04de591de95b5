"""Lists every page and every file that a site in files needs."""

from __future__ import annotations

from collections.abc import Sequence

from mailer.store import archive
from mailer.store.archive import Standing
from mailer.store.database import Database


def list_pages(*, db: Database, unlisted: bool = False) -> tuple[Sequence[Standing], Sequence[str]]:
    """The campaigns whose pages are to be there, and the names of the files that they show.

    Those of public lists that were sent, withdrawn ones too: their pages say so, and their mails
    go on showing pictures. ``unlisted`` adds those that no page leads to: of private lists, and
    kept out of the archive.
    """
    with db.read() as connection:
        rows = archive.published(connection, unlisted=unlisted)
        found = [archive.standing(connection, key=row.web_key) for row in rows]
        pictures = archive.pictures_of(connection, [row.id for row in rows])
    return [each for each in found if each is not None], pictures

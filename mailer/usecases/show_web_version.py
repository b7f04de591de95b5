"""Shows the web version of a campaign, as it was frozen at plan time, or of a test copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from mailer.errors import NotFoundError
from mailer.ports import Clock
from mailer.store import archive, site
from mailer.store.archive import Edition, Note, Standing
from mailer.store.database import Database
from mailer.store.site import WebPage


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A frozen page, and what the site puts around it.

    ``standing`` is None for a test copy. A page that is withdrawn is not to be shown.
    """

    page: WebPage
    standing: Standing | None = None
    notes: Sequence[Note] = ()  # corrections, the newest first
    as_sent: bool = False  # what was sent, although a corrected page stands in its stead
    earlier: Edition | None = None  # the issue before it in the archive
    later: Edition | None = None

    @property
    def withdrawn(self) -> bool:
        return self.standing is not None and self.standing.withdrawn


def show_web_version(
    key: str, language: str | None, *, db: Database, clock: Clock, as_sent: bool = False
) -> ShownPage:
    """Finds the page by its key; without a language, the campaign's first.

    Raises NotFoundError when there is none, not in this language, or no more.
    """
    with db.read() as connection:
        standing = archive.standing(connection, key=key)
        if standing is None:
            draft = site.draft_page(connection, key, language, clock.now())
            if draft is None:
                raise NotFoundError("There is no such page.")
            return ShownPage(draft)
        return _shown(connection, standing, language, as_sent=as_sent)


def show_archived(
    shelf: str, slug: str, language: str | None, *, db: Database, as_sent: bool = False
) -> ShownPage:
    """An issue in the archive of a list, with what comes before it and after it.

    Raises NotFoundError when the archive does not name it.
    """
    with db.read() as connection:
        standing = archive.standing(connection, shelf=shelf, slug=slug)
        if standing is None or not standing.listed:
            raise NotFoundError("There is no such issue.")
        return _shown(connection, standing, language, as_sent=as_sent, among=True)


def _shown(
    connection: Connection,
    standing: Standing,
    language: str | None,
    *,
    as_sent: bool,
    among: bool = False,
) -> ShownPage:
    page = site.web_page(connection, standing.web_key, language, as_sent=as_sent)
    if page is None:
        raise NotFoundError("There is no such page.")
    notes = archive.notes(connection, standing.campaign_id)
    earlier = later = None
    if among and not standing.withdrawn:
        numbers = [number for number, _ in archive.sendings(connection, standing.list_id)]
        if standing.campaign_id in numbers:
            place = numbers.index(standing.campaign_id)
            spoken = [page.language]
            before = archive.editions(connection, numbers[place + 1 : place + 2], spoken)
            after = archive.editions(connection, numbers[max(place - 1, 0) : place], spoken)
            earlier, later = (each[0] if each else None for each in (before, after))
    return ShownPage(page, standing, notes, as_sent, earlier, later)

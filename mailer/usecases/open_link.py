"""Opens a reader's link: the token's word for who was written to in which campaign."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from mailer.errors import NotFoundError
from mailer.message.links import KeyRing, Purpose, read
from mailer.ports import Clock
from mailer.store import site


class Through(StrEnum):
    """Which link of a mail led a reader to what both of them can do."""

    unsubscribe = "unsubscribe"
    preferences = "preferences"

    @property
    def purpose(self) -> Purpose:
        return Purpose[self.value]


@dataclass(frozen=True, slots=True)
class ReaderLink:
    """Who was written to in which campaign. A ``test`` copy belongs to nobody: nothing changes."""

    campaign: int
    subscriber: int
    test: bool


def open_link(token: str, purpose: Purpose, *, keys: KeyRing, clock: Clock) -> ReaderLink:
    """Reads a token made for this purpose, or for a test copy.

    Raises NotFoundError for any other, without saying what is wrong with it.
    """
    link = read(keys, token, (purpose, Purpose.test), now=clock.now())
    if link is None:
        raise NotFoundError("There is no such page.")
    test = link.purpose is Purpose.test or link.subscriber == 0
    return ReaderLink(link.campaign, link.subscriber, test)


def linked_list(connection: Connection, link: ReaderLink, through: Through, slug: str) -> int:
    """The list that a link is about: its mail's, or on the preferences page the one with this slug.

    A link opens only lists that its reader is or was on: it is no way onto a private one. Raises
    NotFoundError for any other.
    """
    if through is Through.unsubscribe:
        letter = site.letter(connection, link.campaign, link.subscriber)
        if letter is not None:
            return letter.list_id
    else:
        for each in site.standings(connection, link.subscriber):
            if each.slug == slug:
                return each.list_id
    raise NotFoundError("There is no such list on this page.")

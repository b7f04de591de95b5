"""Opens a reader's link: the token's word for who was written to in which campaign."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.errors import NotFoundError
from mailer.message.links import KeyRing, Purpose, read
from mailer.ports import Clock


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

"""Shows where a reader stands before, and after, they unsubscribe. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailer.contacts.masking import mask_address
from mailer.errors import NotFoundError
from mailer.message.links import KeyRing, Purpose
from mailer.model.words import Frequency
from mailer.ports import Clock
from mailer.store import site, wishes
from mailer.store.database import Database
from mailer.usecases.open_link import open_link


class Position(StrEnum):
    """What the page says, and so which buttons it has."""

    receiving = "receiving"  # can leave this list, or everything
    paused = "paused"  # takes a break, and may end it, or leave
    left = "left"  # left this list, and may undo it
    left_everything = "left_everything"  # asked for no mail at all, and may undo it
    elsewhere = "elsewhere"  # does not get this list, for another reason
    erased = "erased"  # the address is not known any more
    test = "test"  # a test copy, whose links belong to nobody


@dataclass(frozen=True, slots=True)
class UnsubscribeView:
    """What the unsubscribe page shows of one reader; ``address`` is masked."""

    position: Position
    list_title: str
    address: str
    language: str
    paused_until: datetime | None = None
    frequency: Frequency = Frequency.every
    told: bool = False  # they said why they left


def show_unsubscribe(token: str, *, keys: KeyRing, db: Database, clock: Clock) -> UnsubscribeView:
    """Reads the link, then the reader's standing on the list that the mail went to.

    Raises NotFoundError for a wrong token.
    """
    link = open_link(token, Purpose.unsubscribe, keys=keys, clock=clock)
    with db.read() as connection:
        letter = site.letter(connection, link.campaign, link.subscriber)
        if link.test:
            title, language = (letter.list_title, letter.language) if letter else ("", "")
            return UnsubscribeView(Position.test, title, "", language)
        if letter is None:
            raise NotFoundError("There is no such page.")
        reader = site.reader(connection, link.subscriber)
        standings = site.standings(connection, link.subscriber)
        told = wishes.has_told(connection, link.subscriber)
    here = next((each for each in standings if each.list_id == letter.list_id), None)
    position = _position(reader, here, clock.now())
    return UnsubscribeView(
        position,
        letter.list_title,
        mask_address(reader.address) if reader else "",
        letter.language,
        here.paused_until if here and position is Position.paused else None,
        reader.frequency if reader else Frequency.every,
        told,
    )


def _position(reader: site.Reader | None, here: site.Standing | None, now: datetime) -> Position:
    if reader is None:
        return Position.erased
    if site.left_everything(reader):
        return Position.left_everything
    if here is None:
        return Position.elsewhere
    if here.receiving:
        return Position.paused if here.paused(now) else Position.receiving
    return Position.left if here.may_return else Position.elsewhere

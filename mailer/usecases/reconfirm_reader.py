"""Shows and takes a reader's yes to a list that asks again. Looking changes nothing."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from mailer.contacts.masking import mask_address
from mailer.errors import NotFoundError
from mailer.message.links import KeyRing, Purpose
from mailer.model.words import SubscriptionStatus
from mailer.ports import Clock
from mailer.store import asking, site
from mailer.store.database import Database
from mailer.usecases.open_link import open_link

_LONGEST = 300  # characters of a user agent that are kept


class Answer(StrEnum):
    """What the page says, and so whether it has a button."""

    asked = "asked"  # may say yes
    dropped = "dropped"  # was dropped for silence, and may still say yes
    said_yes = "said_yes"
    elsewhere = "elsewhere"  # does not get the list, for another reason
    erased = "erased"
    test = "test"


_OPEN = (Answer.asked, Answer.dropped)


@dataclass(frozen=True, slots=True)
class ReconfirmView:
    """What the page shows of one reader; ``address`` is masked."""

    answer: Answer
    list_title: str
    address: str
    language: str


def show_reconfirm(token: str, *, keys: KeyRing, db: Database, clock: Clock) -> ReconfirmView:
    """Reads the link, and where its reader stands. Raises NotFoundError for a wrong token."""
    link = open_link(token, Purpose.reconfirm, keys=keys, clock=clock)
    with db.read() as connection:
        letter = site.letter(connection, link.campaign, link.subscriber)
        title, language = (letter.list_title, letter.language) if letter else ("", "")
        if link.test:
            return ReconfirmView(Answer.test, title, "", language)
        found = asking.standing(connection, link.campaign, link.subscriber)
    if found is None:
        raise NotFoundError("There is no such page.")
    address = mask_address(found.address) if found.address else ""
    return ReconfirmView(_answer(found), title, address, language)


def reconfirm_reader(
    token: str,
    *,
    keys: KeyRing,
    db: Database,
    clock: Clock,
    ip: str | None = None,
    user_agent: str | None = None,
) -> Future[bool]:
    """Writes the yes down with time, address and program, and answers when that is durable.

    Twice changes nothing. Whoever left by themselves, or is suppressed, is not brought back.
    Raises NotFoundError for a wrong token.
    """
    link = open_link(token, Purpose.reconfirm, keys=keys, clock=clock)
    at = clock.now()

    def work(connection: Connection) -> bool:
        if link.test:
            return False
        asking.hold(connection, db.dialect, link.campaign, link.subscriber)
        found = asking.standing(connection, link.campaign, link.subscriber)
        if found is None:
            raise NotFoundError("There is no such page.")
        if _answer(found) not in _OPEN:
            return False
        program = user_agent[:_LONGEST] if user_agent else None
        asking.say_yes(connection, found, at=at, ip=ip, user_agent=program)
        return True

    return db.writer.submit(work)


def _answer(found: Row[Any]) -> Answer:
    if found.person is None:
        return Answer.erased
    if found.suppressed:
        return Answer.elsewhere
    if found.status == SubscriptionStatus.active:
        return Answer.said_yes if found.yes else Answer.asked
    if found.status == SubscriptionStatus.unsubscribed and found.dropped:
        return Answer.dropped
    return Answer.elsewhere

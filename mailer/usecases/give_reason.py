"""Keeps why a reader left, if they say so. Nobody has to."""

from __future__ import annotations

from concurrent.futures import Future

from sqlalchemy import Connection

from mailer.errors import NotFoundError
from mailer.message.links import KeyRing, Purpose
from mailer.model.words import LeavingReason
from mailer.ports import Clock
from mailer.store import site, wishes
from mailer.store.database import Database
from mailer.store.subscriptions import Click
from mailer.usecases.open_link import open_link

LONGEST = 500  # characters of a reader's own words


def give_reason(
    token: str,
    reason: LeavingReason | None,
    words: str = "",
    *,
    keys: KeyRing,
    db: Database,
    clock: Clock,
) -> Future[bool]:
    """Adds an event with the reason and the reader's own words; answers when it is durable.

    Once for each departure, and only of who left; neither a reason nor words is nothing at all.
    Raises NotFoundError for a wrong token.
    """
    link = open_link(token, Purpose.unsubscribe, keys=keys, clock=clock)
    click = Click(link.subscriber, link.campaign, clock.now())
    detail = _detail(reason, words)

    def work(connection: Connection) -> bool:
        if link.test or not detail:
            return False
        letter = site.letter(connection, link.campaign, link.subscriber)
        if letter is None:
            raise NotFoundError("There is no such page.")
        return wishes.tell_reason(connection, click, letter.list_id, detail)

    return db.writer.submit(work)


def _detail(reason: LeavingReason | None, words: str) -> str:
    """One line: the reason, a colon, the words without what can't be seen."""
    seen = "".join(each if each.isprintable() else " " for each in words)
    own = " ".join(seen.split())[:LONGEST].strip()
    if not own:
        return reason or ""
    return f"{reason or LeavingReason.other}: {own}"

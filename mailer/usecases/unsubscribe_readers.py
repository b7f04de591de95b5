"""Unsubscribes readers whose mail programs posted (RFC 8058), many in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.message.links import KeyRing, Purpose
from mailer.ports import Clock
from mailer.store import site
from mailer.store.database import Database
from mailer.store.leaving import leave_lists
from mailer.store.subscriptions import Click
from mailer.usecases.open_link import ReaderLink, open_link
from mailer.usecases.unsubscribe_reader import Unsubscribed


@dataclass(frozen=True, slots=True)
class Leaving:
    """A genuine link that was posted, and when."""

    link: ReaderLink
    at: datetime


def read_leaving(token: str, *, keys: KeyRing, clock: Clock) -> Leaving:
    """Reads the link of one click. Raises NotFoundError for a wrong token."""
    return Leaving(open_link(token, Purpose.unsubscribe, keys=keys, clock=clock), clock.now())


def unsubscribe_readers(
    leaving: Sequence[Leaving], *, db: Database
) -> Future[list[Unsubscribed | None]]:
    """Takes each off the list of their mail, and answers when all of it is durable.

    None stands for a link of a campaign that there is not.
    """
    return db.writer.submit(lambda connection: _leave(connection, leaving))


def _leave(connection: Connection, leaving: Sequence[Leaving]) -> list[Unsubscribed | None]:
    results: list[Unsubscribed | None] = [None] * len(leaving)
    real = [n for n, each in enumerate(leaving) if not each.link.test]
    clicks = [
        Click(leaving[n].link.subscriber, leaving[n].link.campaign, leaving[n].at) for n in real
    ]
    for n, left in zip(real, leave_lists(connection, clicks), strict=True):
        if left is not None:
            results[n] = Unsubscribed(left.changed, False, left.list_title, left.language)
    for n, each in enumerate(leaving):
        if each.link.test:
            letter = site.letter(connection, each.link.campaign, each.link.subscriber)
            title, language = (letter.list_title, letter.language) if letter else ("", "")
            results[n] = Unsubscribed(False, True, title, language)
    return results

"""Lets a reader say how often they want to hear from us at most, over all lists."""

from __future__ import annotations

from concurrent.futures import Future

from sqlalchemy import Connection

from mailer.message.links import KeyRing
from mailer.model.words import Frequency
from mailer.ports import Clock
from mailer.store import wishes
from mailer.store.database import Database
from mailer.store.subscriptions import Click
from mailer.usecases.open_link import Through, open_link


def choose_frequency(
    token: str,
    frequency: Frequency,
    *,
    through: Through,
    keys: KeyRing,
    db: Database,
    clock: Clock,
) -> Future[bool]:
    """Writes the wish down, and answers when that is durable: did it change?

    Plans and claims leave the person out while a campaign was accepted too short a time ago, with
    the reason ``fewer_mails``. Raises NotFoundError for a wrong token.
    """
    link = open_link(token, through.purpose, keys=keys, clock=clock)
    click = Click(link.subscriber, link.campaign, clock.now())

    def work(connection: Connection) -> bool:
        return not link.test and wishes.choose_frequency(connection, click, frequency)

    return db.writer.submit(work)

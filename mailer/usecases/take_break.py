"""Lets a reader take a break from a list, which ends by itself, and end it before its time."""

from __future__ import annotations

from calendar import monthrange
from concurrent.futures import Future
from datetime import datetime

from sqlalchemy import Connection

from mailer.message.links import KeyRing
from mailer.ports import Clock
from mailer.store import wishes
from mailer.store.database import Database
from mailer.store.subscriptions import Click
from mailer.usecases.open_link import Through, linked_list, open_link

MONTHS = (1, 3, 6)  # that a break may last


def take_break(
    token: str,
    months: int,
    slug: str = "",
    *,
    through: Through,
    keys: KeyRing,
    db: Database,
    clock: Clock,
) -> Future[bool]:
    """Pauses a list for so many months; 0 ends the break. Answers when that is durable.

    Through an unsubscribe link it is the list of the mail, through a preferences link the one with
    this slug. Plans and claims leave the person out until then, with the reason ``paused``.
    Raises NotFoundError for a wrong token; the future raises it for a list that is not theirs.
    """
    link = open_link(token, through.purpose, keys=keys, clock=clock)
    now = clock.now()
    click = Click(link.subscriber, link.campaign, now)

    def work(connection: Connection) -> bool:
        if link.test:
            return False
        list_id = linked_list(connection, link, through, slug)
        if months == 0:
            return wishes.resume_list(connection, click, list_id)
        return wishes.pause_list(connection, click, list_id, months_later(now, months))

    return db.writer.submit(work)


def months_later(moment: datetime, months: int) -> datetime:
    """The same day so many months on, or the last of a month that has no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)

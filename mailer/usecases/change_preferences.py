"""Changes which lists a reader gets, by their own choice on the preferences page."""

from __future__ import annotations

from concurrent.futures import Future
from enum import StrEnum

from sqlalchemy import Connection

from mailer.message.links import KeyRing, Purpose
from mailer.ports import Clock
from mailer.store import subscriptions as reader_steps
from mailer.store.database import Database
from mailer.store.subscriptions import Click
from mailer.usecases.open_link import Through, linked_list, open_link


class Choice(StrEnum):
    """What a reader may ask for on the preferences page."""

    leave = "leave"  # one list
    rejoin = "rejoin"  # one list that they left themselves
    everything = "everything"  # leave every list, now and later


def change_preferences(
    token: str, choice: Choice, slug: str = "", *, keys: KeyRing, db: Database, clock: Clock
) -> Future[bool]:
    """Reads the link, moves the subscription, and answers when that is durable: did it change?

    Raises NotFoundError for a wrong token; the future raises it for a list that is not theirs.
    """
    link = open_link(token, Purpose.preferences, keys=keys, clock=clock)
    click = Click(link.subscriber, link.campaign, clock.now())

    def work(connection: Connection) -> bool:
        if link.test:
            return False
        if choice is Choice.everything:
            return reader_steps.leave_everything(connection, click)
        list_id = linked_list(connection, link, Through.preferences, slug)
        if choice is Choice.leave:
            return reader_steps.leave_list(connection, click, list_id)
        return reader_steps.return_to_list(connection, click, list_id)

    return db.writer.submit(work)

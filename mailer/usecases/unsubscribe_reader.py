"""Unsubscribes a reader who pressed the button, or whose mail program did (RFC 8058)."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from mailer.errors import NotFoundError
from mailer.message.links import KeyRing, Purpose
from mailer.ports import Clock
from mailer.store import site
from mailer.store import subscriptions as reader_steps
from mailer.store.database import Database
from mailer.store.subscriptions import Click
from mailer.usecases.open_link import ReaderLink, open_link


class Step(StrEnum):
    """What a reader may ask for through an unsubscribe link."""

    leave = "leave"  # this list
    everything = "everything"  # every list, now and later
    undo = "undo"  # the last of these


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """What came of it. ``changed`` is false when it was so already, and for a test copy."""

    changed: bool
    test: bool
    list_title: str
    language: str


def unsubscribe_reader(
    token: str, step: Step = Step.leave, *, keys: KeyRing, db: Database, clock: Clock
) -> Future[Unsubscribed]:
    """Reads the link, moves the subscription, and answers when that is durable.

    Raises NotFoundError for a wrong token; the future may raise it for an unknown campaign.
    """
    link = open_link(token, Purpose.unsubscribe, keys=keys, clock=clock)
    at = clock.now()
    if link.test:
        return db.writer.submit(lambda connection: _pretend(connection, link))

    def work(connection: Connection) -> Unsubscribed:
        letter = site.letter(connection, link.campaign, link.subscriber)
        if letter is None:
            raise NotFoundError("There is no such page.")
        click = Click(link.subscriber, link.campaign, at)
        changed = _take(connection, step, click, letter.list_id)
        return Unsubscribed(changed, False, letter.list_title, letter.language)

    return db.writer.submit(work)


def _take(connection: Connection, step: Step, click: Click, list_id: int) -> bool:
    if step is Step.leave:
        return reader_steps.leave_list(connection, click, list_id)
    if step is Step.everything:
        return reader_steps.leave_everything(connection, click)
    return reader_steps.undo_departure(connection, click, list_id)


def _pretend(connection: Connection, link: ReaderLink) -> Unsubscribed:
    letter = site.letter(connection, link.campaign, link.subscriber)
    title, language = (letter.list_title, letter.language) if letter else ("", "")
    return Unsubscribed(False, True, title, language)

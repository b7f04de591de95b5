"""Keeps readers' wishes to leave while the database is away, and carries them out afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailer.errors import NotFoundError
from mailer.message.links import KeyRing, Purpose
from mailer.ports import Clock
from mailer.store import site
from mailer.store.database import Database
from mailer.store.leaving import returned_since
from mailer.store.letterbox import KeptWish, Letterbox
from mailer.store.subscriptions import Click, leave_everything, leave_list
from mailer.usecases.open_link import ReaderLink, open_link
from mailer.usecases.unsubscribe_reader import Step


def keep_departures(wishes: Sequence[tuple[str, Step, datetime]], *, letterbox: Letterbox) -> None:
    """Returns when they are on the disk. The links are genuine: their readers were told so.

    Raises StoppedError when they can't be kept.
    """
    letterbox.keep([KeptWish(token, step.value, at) for token, step, at in wishes])


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """How many wishes were carried out, and how many files were put aside for a person to see."""

    wishes: int = 0
    aside: int = 0


def carry_out_departures(
    *, letterbox: Letterbox, db: Database, keys: KeyRing, clock: Clock
) -> CarriedOut:
    """Takes everybody off who waits, as of the moment of their own click.

    Before a claim this comes first, so that nobody is mailed in between. Whoever has subscribed
    again since then stays. A file whose links the keys of now can't read is left where it is; one
    that is damaged, or is about a campaign that this database does not know (it was restored from
    an older backup), is carried out as far as it can be and put aside.
    """
    count = aside = 0
    for file in letterbox.waiting():
        wishes, whole = letterbox.read(file)
        try:
            links = [
                open_link(each.token, Purpose.unsubscribe, keys=keys, clock=clock)
                for each in wishes
            ]
        except NotFoundError:
            continue

        def work(
            connection: Connection,
            pairs: Sequence[tuple[KeptWish, ReaderLink]] = tuple(zip(wishes, links, strict=True)),
        ) -> int:
            return sum(_carry_out(connection, wish, link) for wish, link in pairs)

        done = db.writer.submit(work).result()
        count += done
        if whole and done == len(wishes):
            letterbox.done(file)
        elif wishes or not whole:
            letterbox.put_aside(file)
            aside += 1
    return CarriedOut(count, aside)


def _carry_out(connection: Connection, wish: KeptWish, link: ReaderLink) -> bool:
    """Does what was wished for; false when the campaign is not known."""
    if link.test:
        return True
    letter = site.letter(connection, link.campaign, link.subscriber)
    if letter is None:
        return False
    click = Click(link.subscriber, link.campaign, wish.at)
    if returned_since(connection, click, letter.list_id):
        return True
    if wish.step == Step.everything:
        leave_everything(connection, click)
    else:
        leave_list(connection, click, letter.list_id)
    return True

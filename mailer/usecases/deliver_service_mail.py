"""Sends the service mails that wait in the outbox: confirmations and welcomes.

Several processes may do so at once (each of the site, and workers). A mail is claimed before it is
sent and removed once the server has taken it; what the server puts off is tried again, and given
up after a day, because nobody waits longer for a confirmation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailer.errors import MailerError
from mailer.message.links import KeyRing, Purpose, make
from mailer.model.words import ServiceMail, SubscriptionStatus
from mailer.ports import Clock
from mailer.store import outbox, people, sign_ups
from mailer.store.database import Database
from mailer.store.outbox import Waiting
from mailer.usecases.post_service_mail import Posted, PostOffice, ServiceLetter, post_service_mail

GIVEN_UP_AFTER = timedelta(days=1)
_MOST = 20  # mails in one round
_UNREACHED = timedelta(minutes=1)  # until the next try when the server is not there
_LOOK = 1.0  # seconds between two looks at the outbox


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one round. ``dropped``: not wanted any more, or given up."""

    accepted: int = 0
    put_off: int = 0
    dropped: int = 0
    trouble: str = ""  # why nothing could be sent

    @property
    def total(self) -> int:
        return self.accepted + self.put_off + self.dropped


@dataclass(frozen=True, slots=True)
class Postbox:
    """What it takes to send what waits. ``rate`` is mails a second, 0 for no limit."""

    office: Callable[[], PostOffice]
    keys: KeyRing
    db: Database
    clock: Clock
    retry_after: Sequence[int]  # seconds
    rate: float = 0.0


async def deliver_service_mail(post: Postbox) -> Delivered:
    """Claims what is due, sends it, and writes down what became of it; one round.

    What is wrong with the server or the settings is ``trouble``: the mails stay.
    """
    now = post.clock.now()
    if not await asyncio.to_thread(_is_due, post.db, now):
        return Delivered()
    most = _MOST if not post.rate else max(1, min(_MOST, int(post.rate)))
    claimed = await asyncio.to_thread(_claim, post.db, now, most)
    wanted = [each for each in claimed if _is_wanted(each, now)]
    trouble = ""
    posted: Sequence[Posted] = ()
    if wanted:
        try:
            letters = [_letter(each, post) for each in wanted]
            office = post.office()
            posted = await post_service_mail(
                letters,
                office=office,
                db=post.db,
                clock=post.clock,
                taken=lambda place: _forget(post.db, wanted[place].id),
            )
            trouble = next((each.trouble for each in posted if each.trouble), "")
        except MailerError as error:
            trouble = str(error)
    answers = {each.id: said for each, said in zip(wanted, posted, strict=False)}
    return await asyncio.to_thread(_settle, claimed, wanted, answers, trouble, post)


async def keep_delivering(
    post: Postbox,
    stop: asyncio.Event,
    *,
    tell: Callable[[Delivered], None],
) -> None:
    """Sends what waits until ``stop`` is set; ``tell`` hears of each round that had work."""
    while not stop.is_set():
        pause = _LOOK
        try:
            done = await deliver_service_mail(post)
        except MailerError as error:  # the database, perhaps
            done = Delivered(trouble=str(error))
        if done.total or done.trouble:
            tell(done)
        if done.accepted:
            pause = done.accepted / post.rate if post.rate else 0.0
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


def _is_due(db: Database, now: datetime) -> bool:
    with db.read() as connection:
        return outbox.is_due(connection, now)


def _claim(db: Database, now: datetime, most: int) -> Sequence[Waiting]:
    with db.write() as connection:
        return outbox.claim(connection, now, most)


def _forget(db: Database, mail_id: int) -> None:
    """Removes a mail as soon as it is taken: whoever is killed now sends only what is on the wire.

    Nobody waits for it: ``_settle`` removes what this did not.
    """
    db.writer.submit(lambda connection: outbox.remove(connection, mail_id))


def _is_wanted(mail: Waiting, now: datetime) -> bool:
    """Whether what the mail says still holds: a person may have answered, left or been erased."""
    if mail.address is None or now - mail.created_at > GIVEN_UP_AFTER:
        return False
    if mail.kind is ServiceMail.confirmation:
        open_still = mail.confirmed_at is None and mail.expires_at is not None
        return (
            open_still
            and not mail.left_since
            and sign_ups.may_be_asked(mail.status, mail.suppressed, mail.kept_off)
        )
    blocked = mail.suppressed or mail.kept_off
    return mail.status == SubscriptionStatus.active and not blocked


def _letter(mail: Waiting, post: Postbox) -> ServiceLetter:
    site = post.office().brand.site_url
    days = 0
    if mail.kind is ServiceMail.confirmation and mail.sign_up_id and mail.expires_at:
        days = max(1, (mail.expires_at - mail.created_at).days)
        token = make(
            post.keys,
            Purpose.confirm,
            mail.sign_up_id,
            mail.subscriber_id,
            expires=mail.expires_at,
        )
        leads = f"{site}/c/{token}"
    else:
        leads = f"{site}/p/{make(post.keys, Purpose.preferences, 0, mail.subscriber_id)}"
    return ServiceLetter(
        mail.kind,
        mail.address or "",
        mail.language,
        leads,
        days,
        list_title=mail.list_title,
        sender=mail.sender or "",
        message_id=mail.message_id,
    )


def _settle(
    claimed: Sequence[Waiting],
    wanted: Sequence[Waiting],
    answers: dict[int, Posted],
    trouble: str,
    post: Postbox,
) -> Delivered:
    """Removes what is done with, and puts off the rest."""
    now = post.clock.now()
    kept = {each.id for each in wanted}
    accepted = put_off = dropped = 0
    with post.db.write() as connection:
        for mail in claimed:
            said = answers.get(mail.id)
            if mail.id in kept and (said is None or not (said.accepted or said.final)):
                due = now + (_UNREACHED if trouble else _delay(mail.attempts, post.retry_after))
                outbox.put_off(connection, mail.id, due)
                put_off += 1
                continue
            outbox.remove(connection, mail.id)
            if said is not None and said.accepted:
                accepted += 1
                continue
            dropped += 1
            if mail.address is not None and (said is not None or _is_late(mail, now)):
                people.note(
                    connection, now, "undeliverable", "server",
                    mail.subscriber_id, mail.list_id, mail.kind,
                )  # fmt: skip
    return Delivered(accepted, put_off, dropped, trouble)


def _is_late(mail: Waiting, now: datetime) -> bool:
    return now - mail.created_at > GIVEN_UP_AFTER


def _delay(attempts: int, retry_after: Sequence[int]) -> timedelta:
    return timedelta(seconds=retry_after[min(attempts, len(retry_after)) - 1])

"""A service mail that waits is sent once, tried again when it must be, and never lost."""

from __future__ import annotations

import asyncio
import email
import email.policy
import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from mailer.errors import InputError
from mailer.model.words import Reply, ServiceMail, Stage, SubscriptionStatus
from mailer.ports import Observer, Source
from mailer.settings import Settings
from mailer.smtp.opening import OpeningError
from mailer.store import outbox, people
from mailer.store.database import Database
from mailer.usecases.deliver_service_mail import (
    Delivered,
    Postbox,
    deliver_service_mail,
    keep_delivering,
)
from mailer.usecases.remind_pending import remind_pending
from mailer.wiring import Mailer
from tests import builders
from tests.fakes import FakeClock

KEY = "00112233445566778899aabbccddeeff" * 2
GREYLISTED = Reply(451, "try again later")
NO_MAILBOX = Reply(550, "no such user")
TAKEN = Reply(250, "ok")


class Server:
    """Fulfils ``ports.Transport``: answers as it was told, then with 250."""

    def __init__(self) -> None:
        self.says: list[Reply] = []
        self.dead = False
        self.killed_after = 0  # so many mails the sending process dies
        self.mails: list[bytes] = []

    async def run(self, source: Source, observer: Observer) -> None:
        if self.dead:
            raise OpeningError("The server is not there.", stage=Stage.connect, temporary=True)
        while (outgoing := source.take()) is not None:
            said = self.says.pop(0) if self.says else TAKEN
            if said is TAKEN:
                self.mails.append(outgoing.render())
            observer.answered(outgoing.key, Stage.dot if said is TAKEN else Stage.rcpt, said)
            if self.killed_after and len(self.mails) == self.killed_after:
                raise asyncio.CancelledError


class Scene:
    """A list with double opt-in, whose people an import made pending."""

    def __init__(self, db: Database, clock: FakeClock, folder: Path) -> None:
        self.db, self.clock, self.server = db, clock, Server()
        settings = Settings.model_construct(
            secret_key=SecretStr(KEY),
            site_url="https://news.example.org",
            organisation="Coastal Aid",
            smtp_host="127.0.0.1",
            mail_from="News <news@example.org>",
        )
        self.mailer = Mailer(folder, settings, db, clock)
        office = replace(self.mailer.post_office, transport=self.server)
        self.post: Postbox = replace(self.mailer.postbox, office=lambda: office)
        self.list = builders.make_list(db, "harbour", title="Harbour News", opt_in="double")

    def pending(self, *names: str) -> list[int]:
        people = [builders.make_subscriber(self.db, f"{name}@example.org") for name in names]
        for person in people:
            builders.subscribe(self.db, person, self.list, SubscriptionStatus.pending)
        return people

    def remind(self, *, dry_run: bool = False) -> int:
        done = remind_pending(
            "harbour",
            message_id=self.mailer.new_message_id,
            db=self.db,
            clock=self.clock,
            dry_run=dry_run,
        )
        return done.may_be_asked if dry_run else done.asked

    def deliver(self) -> Delivered:
        return asyncio.run(deliver_service_mail(self.post))

    def waiting(self) -> int:
        with self.db.read() as connection:
            return outbox.waiting(connection)

    def told(self) -> list[tuple[str, str]]:
        read = [email.message_from_bytes(m, policy=email.policy.default) for m in self.server.mails]
        return [(str(each["To"]), str(each["Message-ID"])) for each in read]


@pytest.fixture
def scene(db: Database, clock: FakeClock, tmp_path: Path) -> Scene:
    return Scene(db, clock, tmp_path)


def test_pending_people_are_asked_twice_and_never_again(scene: Scene) -> None:
    scene.pending("anna", "bruno", "chloe")
    builders.suppress(scene.db, "chloe@example.org")
    assert (scene.remind(dry_run=True), scene.waiting()) == (2, 0)
    assert scene.remind() == 2
    assert scene.remind() == 0  # not at once again
    assert scene.deliver() == Delivered(accepted=2)
    for days, asked in ((2, 0), (1, 2), (3, 0), (365, 0)):
        scene.clock.advance(timedelta(days=days))
        assert scene.remind() == asked
        scene.deliver()

    assert [to for to, _ in scene.told()] == ["anna@example.org", "bruno@example.org"] * 2


def test_a_mail_is_put_off_and_goes_out_later_as_the_same_one(scene: Scene) -> None:
    scene.pending("anna")
    scene.remind()
    with scene.db.read() as connection:
        assert outbox.is_due(connection, scene.clock.now())
    scene.server.says = [GREYLISTED, GREYLISTED]
    assert scene.deliver() == Delivered(put_off=1)
    assert scene.deliver() == Delivered()  # not at once again
    scene.clock.advance(timedelta(minutes=2))
    assert scene.deliver() == Delivered(put_off=1)
    scene.clock.advance(timedelta(minutes=9))
    assert scene.deliver() == Delivered()  # ten minutes the second time
    scene.clock.advance(timedelta(minutes=1))
    assert scene.deliver() == Delivered(accepted=1)

    assert scene.waiting() == 0
    ((_, message_id),) = scene.told()
    assert message_id.strip("<>") in str(builders.dump(scene.db)["sign_up"])


def test_a_server_that_is_not_there_loses_nothing(scene: Scene) -> None:
    scene.pending("anna", "bruno")
    scene.remind()
    scene.server.dead = True
    found = scene.deliver()
    assert (found.put_off, found.trouble) == (2, "The server is not there.")
    scene.server.dead = False
    scene.clock.advance(timedelta(minutes=1))
    assert scene.deliver() == Delivered(accepted=2)


def test_a_sender_that_dies_leaves_its_mails_to_the_next(scene: Scene) -> None:
    scene.pending("anna")
    scene.remind()
    with scene.db.write() as connection:  # claims, and is never heard of again
        assert len(outbox.claim(connection, scene.clock.now(), 20)) == 1
    assert scene.deliver() == Delivered()  # somebody has it
    scene.clock.advance(outbox.LEASE)
    assert scene.deliver() == Delivered(accepted=1)


def test_what_was_taken_before_the_death_is_not_sent_again(scene: Scene) -> None:
    scene.pending("anna", "bruno", "chloe")
    scene.remind()
    scene.server.killed_after = 2
    with pytest.raises(asyncio.CancelledError):
        scene.deliver()
    scene.server.killed_after = 0
    scene.clock.advance(outbox.LEASE)
    assert scene.deliver() == Delivered(accepted=1)

    assert [to[:5] for to, _ in scene.told()] == ["anna@", "bruno", "chloe"]


def test_two_senders_never_take_the_same_mail(scene: Scene) -> None:
    scene.pending(*(f"p{number}" for number in range(25)))
    scene.remind()

    async def together() -> Iterable[Delivered]:
        return await asyncio.gather(*(deliver_service_mail(scene.post) for _ in range(4)))

    rounds = asyncio.run(together())
    assert sum(each.accepted for each in rounds) == 25

    assert len({to for to, _ in scene.told()}) == len(scene.told()) == 25


def test_a_mailbox_that_is_not_there_is_not_tried_again(scene: Scene) -> None:
    (anna,) = scene.pending("anna")
    scene.remind()
    scene.server.says = [NO_MAILBOX]
    assert scene.deliver() == Delivered(dropped=1)

    assert scene.waiting() == 0
    assert builders.events(scene.db, anna)[-1] == (
        "undeliverable", "server", scene.list, "confirmation",
    )  # fmt: skip


def test_a_server_that_relays_for_nobody_burns_nobody(scene: Scene) -> None:
    scene.pending("anna")
    scene.remind()
    scene.server.says = [Reply(550, "5.7.1 Relaying denied", "5.7.1")]
    assert scene.deliver() == Delivered(put_off=1)
    scene.clock.advance(timedelta(minutes=2))
    assert scene.deliver() == Delivered(accepted=1)


def test_the_loop_sends_what_comes_and_stops_when_told(scene: Scene) -> None:
    scene.pending("anna", "bruno")
    heard: list[Delivered] = []

    async def watch() -> None:
        stop, first = asyncio.Event(), asyncio.Event()

        def tell(done: Delivered) -> None:
            heard.append(done)
            first.set()
            if len(heard) == 2:
                stop.set()

        scene.server.dead = True
        loop = asyncio.create_task(keep_delivering(scene.post, stop, tell=tell))
        await asyncio.to_thread(scene.remind)
        await first.wait()
        scene.server.dead = False
        scene.clock.advance(timedelta(minutes=1))
        await loop

    asyncio.run(asyncio.wait_for(watch(), 30))

    assert [each.trouble for each in heard] == ["The server is not there.", ""]
    assert (heard[0].put_off, heard[1].accepted, scene.waiting()) == (2, 2, 0)


def test_what_nobody_waits_for_is_given_up_after_a_day(scene: Scene) -> None:
    (anna,) = scene.pending("anna")
    scene.remind()
    scene.server.dead = True
    scene.deliver()
    scene.clock.advance(timedelta(days=1, minutes=1))
    scene.server.dead = False

    assert scene.deliver() == Delivered(dropped=1)
    assert scene.server.mails == []
    assert builders.events(scene.db, anna)[-1][0] == "undeliverable"


@pytest.mark.parametrize("why", ["confirmed", "complained", "gone"])
def test_what_is_not_true_any_more_is_not_said(scene: Scene, why: str) -> None:
    (anna,) = scene.pending("anna")
    scene.remind()
    if why == "complained":
        builders.suppress(scene.db, "anna@example.org")
    with scene.db.write() as connection:
        if why == "gone":
            outbox.add(
                connection,
                ServiceMail.welcome,
                list_id=scene.list,
                subscriber_id=anna,
                language="en",
                message_id="x@example.org",
                at=scene.clock.now(),
            )  # a welcome for who is not on the list
            outbox.remove(connection, 1)
        if why == "confirmed":
            connection.exec_driver_sql("UPDATE sign_up SET confirmed_at = asked_at")

    assert scene.deliver() == Delivered(dropped=1)
    assert scene.server.mails == []


def test_nobody_is_asked_where_no_mail_can_be_sent(scene: Scene) -> None:
    scene.pending("anna")
    with pytest.raises(InputError, match="No mail can be sent"):
        remind_pending("harbour", message_id=lambda: None, db=scene.db, clock=scene.clock)


def test_an_address_that_no_header_can_hold_keeps_nobody_else_waiting(scene: Scene) -> None:
    (odd, *_) = scene.pending("\N{BUG}", "anna", "bruno")
    scene.remind()
    assert scene.deliver() == Delivered(accepted=2, dropped=1)

    assert scene.waiting() == 0
    assert builders.events(scene.db, odd)[-1][0] == "undeliverable"


def test_words_that_are_broken_in_one_language_hold_up_that_one_alone(
    scene: Scene, tmp_path: Path
) -> None:
    own = tmp_path / "layouts" / "service"
    shutil.copytree(Path(__file__).parents[2] / "layouts" / "service", own)
    (own / "mails" / "confirmation.fr.md").write_text("---\nsubject: [\n---\n")
    anna, _ = scene.pending("anna", "bruno")
    with scene.db.write() as connection:
        people.update_subscriber(connection, anna, {"language": "fr"})
    scene.remind()
    found = scene.deliver()
    assert (found.accepted, found.put_off) == (1, 1)

    assert "confirmation.fr.md" in found.trouble
    assert [to for to, _ in scene.told()] == ["bruno@example.org"]

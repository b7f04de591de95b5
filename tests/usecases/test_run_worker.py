"""A worker starts what is due, finishes what was left, and asks about what is late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.adapters.inbox import Inbox
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.errors import InputError
from mailer.model.words import CampaignState, Stage
from mailer.smtp.opening import OpeningError
from mailer.smtp.pace import Pace
from mailer.smtp.timetable import Timetable
from mailer.store import campaigns, workers
from mailer.store.database import Database
from mailer.store.ledger import counts
from mailer.usecases.run_worker import STOPPED, Reached, Told, Worker
from mailer.usecases.schedule_campaign import (
    call_back,
    hold_campaign,
    schedule_campaign,
    wait_out,
)
from mailer.usecases.send_campaign import SendReport, send_campaign
from mailer.usecases.stop_campaign import cancel_campaign, pause_campaign
from tests.fakes import FakeClock
from tests.sending import KEYS, plan_letters
from tests.smtpd import Smtpd, say

HOUR = timedelta(hours=1)


@pytest.fixture
def beating(db: Database, clock: FakeClock) -> Database:
    """A database with a worker that is alive."""
    with db.write() as connection:
        workers.sign_on(connection, clock.now())
    return db


def schedule(db: Database, clock: FakeClock, campaign: int, **late: Any) -> None:
    start = clock.now() + HOUR
    schedule_campaign(campaign, start_at=start, not_after=None, db=db, clock=clock, **late)


class Bench:
    """One worker over real SMTP, whose clock is told the time."""

    def __init__(self, db: Database, clock: FakeClock, folder: Path, port: int) -> None:
        self.db, self.clock, self.folder, self.port = db, clock, folder, port
        self.told: list[Told] = []
        self.pace = Pace()
        self.approve: Callable[[str], None] = lambda slug: None
        self.worker = Worker(
            db=db,
            clock=clock,
            folder=folder,
            retry_after=(600,),
            send=self._send,
            require_approval=lambda slug: self.approve(slug),
            tell=self.told.append,
        )

    async def _send(
        self, campaign_id: int, only_from: CampaignState, stop: asyncio.Event
    ) -> tuple[SendReport, bool]:
        transport = Reached(SmtpTransport("127.0.0.1", self.port, security="none"))
        report = await send_campaign(
            campaign_id,
            db=self.db,
            transport=transport,
            keys=KEYS,
            clock=self.clock,
            folder=self.folder,
            pace=self.pace,
            retry_after=(600,),
            expires_after=86_400,
            max_wait=0,
            stop=stop,
            stopped_by=STOPPED,
            only_from=(only_from,),
            hurry=False,
        )
        return report, not transport.reached

    def run(self, seconds: float = 0.3, *, until: int = 0) -> list[tuple[str, str]]:
        """Lets it work until it has told so many things, at most ``seconds`` beyond."""
        self.told.clear()

        async def work() -> None:
            stop = asyncio.Event()
            task = asyncio.create_task(self.worker.run(stop))
            loop = asyncio.get_running_loop()
            end = loop.time() + (10 if until else seconds)
            while loop.time() < end and not task.done() and len(self.told) < (until or 99):
                await asyncio.wait({task}, timeout=0.02)
            stop.set()
            await task

        asyncio.run(work())
        return [(each.event, each.campaign) for each in self.told]


def state_of(db: Database, campaign: int) -> tuple[str, str]:
    with db.read() as connection:
        row = campaigns.find(connection, campaign)
    return row.state, row.stopped_because


def test_nothing_can_be_scheduled_while_no_worker_is_alive(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    campaign = plan_letters(db, 3)

    with pytest.raises(InputError, match="No worker is alive"):
        schedule(db, clock, campaign)
    with db.write() as connection:
        workers.sign_on(connection, clock.now() - timedelta(seconds=40))  # its last beat
    with pytest.raises(InputError, match="No worker is alive"):
        schedule(db, clock, campaign)

    assert state_of(db, campaign) == ("planned", "")
    with db.write() as connection:
        workers.sign_on(connection, clock.now())
    schedule(db, clock, campaign)
    assert state_of(db, campaign) == ("scheduled", "")


def test_a_scheduled_campaign_goes_at_its_time_and_not_before(
    beating: Database, clock: FakeClock, tmp_path: Path
) -> None:
    campaign = plan_letters(beating, 5)
    schedule(beating, clock, campaign)
    with Inbox() as inbox:
        bench = Bench(beating, clock, tmp_path, inbox.port)
        assert bench.run() == []
        clock.advance(HOUR - timedelta(seconds=1))
        assert bench.run() == []
        assert len(inbox.messages) == 0
        clock.advance(timedelta(seconds=1))

        assert bench.run(until=2) == [("started", "edition"), ("sent", "edition")]
        assert len(inbox.messages) == 5

    assert state_of(beating, campaign) == ("finished", "")


def test_a_late_campaign_is_not_sent_but_asked_about(
    beating: Database, clock: FakeClock, tmp_path: Path
) -> None:
    campaign = plan_letters(beating, 5)
    schedule(beating, clock, campaign)
    clock.advance(2 * HOUR + timedelta(seconds=1))
    with Inbox() as inbox:
        bench = Bench(beating, clock, tmp_path, inbox.port)

        assert bench.run(until=1) == [("asked", "edition")]
        assert bench.run() == []
        assert len(inbox.messages) == 0

    state, because = state_of(beating, campaign)
    assert (state, "Its time has passed" in because) == ("planned", True)


def test_a_cancelled_or_paused_schedule_does_not_go(
    beating: Database, clock: FakeClock, tmp_path: Path
) -> None:
    both = plan_letters(beating, 2, slug="one"), plan_letters(beating, 2, slug="two")
    for campaign in both:
        schedule(beating, clock, campaign)
    ports: dict[str, Any] = {"db": beating, "clock": clock}
    cancel_campaign(both[0], folder=tmp_path, retry_after=(600,), **ports)
    pause_campaign(both[1], **ports)
    clock.advance(HOUR)
    with Inbox() as inbox:
        assert Bench(beating, clock, tmp_path, inbox.port).run() == []
        assert len(inbox.messages) == 0

    assert state_of(beating, both[1]) == ("paused", "It was paused.")


def test_deferred_people_are_finished_when_they_are_due(
    beating: Database, clock: FakeClock, tmp_path: Path
) -> None:
    campaign = plan_letters(beating, 6)
    schedule(beating, clock, campaign)
    clock.advance(HOUR)
    with Smtpd() as server:
        server.at("dot", say("451 4.3.0 Later"), nth=1)
        bench = Bench(beating, clock, tmp_path, server.port)
        assert bench.run(until=2)[-1] == ("sent", "edition")
        assert state_of(beating, campaign) == ("paused", "")
        assert bench.run() == []
        clock.advance(timedelta(seconds=599))
        assert bench.run() == []
        clock.advance(timedelta(seconds=70))

        assert bench.run(until=2)[-1] == ("sent", "edition")
        assert len(server.accepted) == 6

    assert state_of(beating, campaign) == ("finished", "")
    with beating.read() as connection:
        assert counts(connection, campaign).accepted == 6


def test_a_days_cap_is_kept_by_a_worker_and_the_next_day_goes_on(
    beating: Database, clock: FakeClock, tmp_path: Path
) -> None:
    campaign = plan_letters(beating, 6)
    schedule(beating, clock, campaign)
    clock.advance(HOUR)
    with Smtpd() as server:
        bench = Bench(beating, clock, tmp_path, server.port)
        bench.pace = Pace(timetable=Timetable(per_day=4))
        bench.run(until=2)
        assert (len(server.accepted), state_of(beating, campaign)) == (4, ("paused", ""))
        clock.advance(HOUR)
        assert bench.run() == []  # it does not go round and round meanwhile
        again = Bench(beating, clock, tmp_path, server.port)  # nor does another one send more
        again.pace = bench.pace
        again.run(0.5)
        assert len(server.accepted) == 4
        clock.advance(24 * HOUR)
        bench.run(until=2)

        assert len(server.accepted) == 6
    assert state_of(beating, campaign) == ("finished", "")


def test_what_somebody_paused_or_put_back_is_left_alone(
    beating: Database, clock: FakeClock, tmp_path: Path
) -> None:
    campaign = plan_letters(beating, 3)
    schedule(beating, clock, campaign)
    clock.advance(HOUR)
    with Smtpd() as server:
        server.at("dot", say("451 4.3.0 Later"), nth=1)
        bench = Bench(beating, clock, tmp_path, server.port)
        bench.run(until=2)
        pause_campaign(campaign, db=beating, clock=clock)
        clock.advance(HOUR)

        assert bench.run() == []
        assert len(server.accepted) == 2


def test_a_pause_in_the_last_moment_of_a_run_holds(
    beating: Database, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = plan_letters(beating, 3)
    schedule(beating, clock, campaign)
    clock.advance(HOUR)
    run = SmtpTransport.run

    async def paused_while_it_says_goodbye(self: Any, source: Any, observer: Any) -> None:
        await run(self, source, observer)
        pause_campaign(campaign, db=beating, clock=clock)

    monkeypatch.setattr(SmtpTransport, "run", paused_while_it_says_goodbye)
    with Smtpd() as server:
        server.at("dot", say("451 4.3.0 Later"), nth=1)
        bench = Bench(beating, clock, tmp_path, server.port)
        bench.run(until=2)
        assert state_of(beating, campaign) == ("paused", "It was paused.")
        clock.advance(HOUR)

        assert bench.run() == []
        assert len(server.accepted) == 2


def test_a_void_approval_leaves_the_campaign_to_a_person(
    beating: Database, clock: FakeClock, tmp_path: Path
) -> None:
    campaign = plan_letters(beating, 3)
    schedule(beating, clock, campaign)
    clock.advance(HOUR)

    def refuse(slug: str) -> None:
        raise InputError("The approval is void.")

    with Inbox() as inbox:
        bench = Bench(beating, clock, tmp_path, inbox.port)
        bench.approve = refuse

        assert bench.run(until=1) == [("asked", "edition")]
        assert len(inbox.messages) == 0

    assert state_of(beating, campaign) == ("planned", "The approval is void.")


def test_a_mail_server_that_cannot_be_reached_is_tried_again(
    beating: Database, clock: FakeClock, tmp_path: Path
) -> None:
    campaign = plan_letters(beating, 3)
    schedule(beating, clock, campaign)
    clock.advance(HOUR)
    with Inbox() as inbox:
        port = inbox.port
    bench = Bench(beating, clock, tmp_path, port)  # where nobody listens now

    assert bench.run(until=2) == [("started", "edition"), ("sent", "edition")]
    assert state_of(beating, campaign)[0] == "paused"
    assert state_of(beating, campaign)[1] != ""
    with Inbox() as inbox:
        bench.port = inbox.port
        assert bench.run() == []
        clock.advance(timedelta(seconds=61))
        assert bench.run(until=2)[-1] == ("sent", "edition")
        assert len(inbox.messages) == 3


def test_reached_tells_a_server_that_is_away_from_one_that_says_no() -> None:
    class Broken:
        def __init__(self, temporary: bool) -> None:
            self.temporary = temporary

        async def run(self, source: Any, observer: Any) -> None:
            raise OpeningError("no", stage=Stage.connect, temporary=self.temporary)

    for temporary in (True, False):
        transport = Reached(Broken(temporary))
        with pytest.raises(OpeningError):
            asyncio.run(transport.run(None, None))  # type: ignore[arg-type]

        assert transport.reached is not temporary


def test_an_interrupted_campaign_is_taken_up_soon_and_asked_about_later(
    beating: Database, clock: FakeClock, tmp_path: Path
) -> None:
    soon, long_ago = plan_letters(beating, 2, slug="one"), plan_letters(beating, 2, slug="two")
    with beating.write() as connection:
        connection.execute(text("UPDATE campaign SET state = 'sending'"))
        for campaign, ago in ((soon, 60), (long_ago, 7200)):
            beat = int((clock.now().timestamp() - ago) * 1000)
            connection.execute(
                text(
                    "INSERT INTO run (campaign_id, host, boot_id, pid, recorder, started_at,"
                    " heartbeat_at) VALUES (:c, 'elsewhere', 'b', 1, 'gone',"
                    " '2026-11-24 08:00:00', :beat)"
                ),
                {"c": campaign, "beat": beat},
            )
    with Inbox() as inbox:
        bench = Bench(beating, clock, tmp_path, inbox.port)
        assert bench.run(until=1) == [("asked", "two")]  # the other may live for two minutes
        clock.advance(timedelta(minutes=2))

        assert bench.run(until=2) == [("started", "one"), ("sent", "one")]
        assert len(inbox.messages) == 2

    assert state_of(beating, soon) == ("finished", "")
    assert state_of(beating, long_ago)[0] == "paused"


def test_a_hold_can_be_called_back(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    campaign = plan_letters(db, 2)
    stop = asyncio.Event()

    async def held(*, meanwhile: Callable[[], object]) -> bool:
        until = hold_campaign(campaign, 60, db=db, clock=clock)
        asyncio.get_running_loop().call_later(0.05, meanwhile)
        return await wait_out(campaign, until, db=db, clock=clock, stop=stop)

    assert asyncio.run(held(meanwhile=lambda: clock.advance(HOUR)))
    assert state_of(db, campaign)[0] == "held"
    assert not asyncio.run(held(meanwhile=stop.set))
    assert state_of(db, campaign)[0] == "planned"
    stop.clear()
    assert not asyncio.run(held(meanwhile=lambda: pause_campaign(campaign, db=db, clock=clock)))
    assert state_of(db, campaign) == ("paused", "It was paused.")

    hold_campaign(campaign, 60, db=db, clock=clock)
    cancel_campaign(campaign, db=db, clock=clock, folder=tmp_path, retry_after=(600,))
    call_back(campaign, db=db, clock=clock)
    assert state_of(db, campaign)[0] == "cancelled"

"""Providers have lanes: one that wants a rest gets it, the others get their mail; caps are kept."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from mailer.adapters.inbox import Inbox
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.errors import SettingsError
from mailer.model.words import CampaignState, Counts, Reply, Stage
from mailer.settings.sending import load_plan
from mailer.smtp.exchange import Observer, Source
from mailer.smtp.pace import Pace
from mailer.smtp.timetable import Timetable
from mailer.store import planning
from mailer.store.claims import _shares
from mailer.store.database import Database
from mailer.store.lanes import Day, Lane, count_today, left_today
from tests.builders import make_list, make_subscriber, subscribe
from tests.sending import plan_for, send
from tests.smtpd import Smtpd, say

PEOPLE = [f"p{n}@{domain}" for domain in ("example.org", "gmail.com", "gmx.de") for n in range(6)]
LANES = [("other", 6), ("gmail", 6), ("gmx", 6)]


@pytest.fixture
def campaign(db: Database) -> int:
    """Eighteen people in three lanes."""
    list_id = make_list(db, "edition")
    people = {make_subscriber(db, address): address for address in PEOPLE}
    for subscriber in people:
        subscribe(db, subscriber, list_id)
    return plan_for(db, people, list_id, lanes=LANES)


def lane(db: Database, name: str) -> tuple[int | None, str]:
    with db.read() as connection:
        row = connection.execute(
            text("SELECT resume_at, why FROM lane WHERE name = :name"), {"name": name}
        ).one()
    return row[0], row[1]


def untouched(sizes: list[int]) -> list[Lane]:
    """Lanes of so many people, of whom none was looked at."""
    ends = accumulate(sizes)
    return [
        Lane(number, "", end - size + 1, end - size, end, None, "")
        for number, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]


def test_lanes_with_a_rate_do_not_wait_for_each_other(
    db: Database, campaign: int, tmp_path: Path
) -> None:
    with Inbox() as inbox:
        rates = {"other": 400, "gmail": 400, "gmx": 400}
        report = send(db, campaign, tmp_path, inbox.port, pace=Pace(lane_rates=rates))

    assert report.counts == Counts(audience=18, accepted=18)


def test_a_large_lane_with_a_rate_leaves_the_others_their_room(
    db: Database, tmp_path: Path
) -> None:
    list_id = make_list(db, "edition")
    addresses = [f"p{n}@{'gmail.com' if n >= 20 else 'example.org'}" for n in range(120)]
    people = {make_subscriber(db, address): address for address in addresses}
    for subscriber in people:
        subscribe(db, subscriber, list_id)
    campaign = plan_for(db, people, list_id, lanes=[("other", 20), ("gmail", 100)])

    with Inbox() as inbox:
        send(db, campaign, tmp_path, inbox.port, pace=Pace(lane_rates={"gmail": 30}))

    domains = [mail.recipients[0].partition("@")[2] for mail in inbox.messages]
    assert len(domains) == 120
    assert "example.org" not in domains[80:]  # they were done a second and more before the rest


def test_lanes_take_turns(db: Database, campaign: int, tmp_path: Path) -> None:
    with Inbox() as inbox:  # by one connection: of several, one may be slow
        transport = SmtpTransport("127.0.0.1", inbox.port, security="none", connections=1)
        send(db, campaign, tmp_path, inbox.port, transport=transport, pace=Pace(connections=1))

    first = [mail.recipients[0].partition("@")[2] for mail in inbox.messages][:6]
    assert sorted(first) == sorted(["example.org", "gmail.com", "gmx.de"] * 2)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_lanes_take_turns_when_few_rows_are_claimed_at_a_time(
    db: Database, campaign: int, tmp_path: Path, rows: int
) -> None:
    with Inbox() as inbox:
        transport = SmtpTransport("127.0.0.1", inbox.port, security="none", connections=1)
        pace = Pace(window=rows, group=1, connections=1)
        send(db, campaign, tmp_path, inbox.port, transport=transport, pace=pace)

    half = Counter(mail.recipients[0].partition("@")[2] for mail in inbox.messages[:9])
    assert set(half.values()) <= {2, 3, 4}


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=12),
    st.integers(1, 60),
    st.dictionaries(st.integers(0, 11), st.integers(1, 40)),
)
def test_what_a_limited_lane_does_not_use_goes_to_the_others(
    sizes: list[int], want: int, limits: dict[int, int]
) -> None:
    lanes = untouched(sizes)

    shares = _shares(lanes, want, limits)

    assert all(0 <= share <= limits.get(n, share) for n, share in enumerate(shares))
    assert 1 <= sum(shares) <= want
    if any(lane.lane not in limits for lane in lanes):
        assert sum(shares) == want


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(1, 60))
def test_each_lane_gets_its_share_of_a_claim(sizes: list[int], want: int) -> None:
    shares = _shares(untouched(sizes), want, {})

    assert sum(shares) == want
    exact = [want * size / sum(sizes) for size in sizes]
    assert all(abs(share - due) < 1 for share, due in zip(shares, exact, strict=True))


def test_a_provider_that_wants_a_rest_is_left_alone_and_the_others_are_served(
    db: Database, campaign: int, tmp_path: Path
) -> None:
    with Smtpd() as server:
        server.at("rcpt", say("421 4.7.28 Unusual rate of mail"), holding=b"@gmail.com")
        report = send(db, campaign, tmp_path, server.port)
        heard = {mail.recipients[0].partition("@")[2] for mail in server.accepted}

    resume_at, why = lane(db, "gmail")
    wait = (resume_at or 0) / 1000 - datetime.now(UTC).timestamp()
    assert report.state is CampaignState.paused
    assert report.counts.accepted >= 12
    assert report.counts.balanced
    assert report.counts.unknown == report.counts.refused == 0
    assert {"example.org", "gmx.de"} <= heard
    assert 590 < wait <= 600
    assert "4.7.28" in why
    assert [line[:5] for line in report.suspensions] == ["gmail"]
    assert (report.next_due or 0) >= (resume_at or 0)

    with Inbox() as inbox:  # another send does not touch the lane before its time
        again = send(db, campaign, tmp_path, inbox.port)
        assert not inbox.messages
    assert again.counts == report.counts

    with db.write() as connection:
        connection.execute(text("UPDATE lane SET resume_at = 1"))
        connection.execute(text("UPDATE waiting SET due_at = 1"))
        connection.execute(text("UPDATE delivery SET at = 1 WHERE state = 'deferred'"))
    with Inbox() as inbox:
        last = send(db, campaign, tmp_path, inbox.port)
    assert last.counts == Counts(audience=18, accepted=18)


class _GmailWantsARest:
    """Answers at once, so that claims are on their way while a lane is suspended."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def run(self, source: Source, observer: Observer) -> None:
        async with asyncio.timeout(10):  # not until the lane opens again
            while not source.finished:
                outgoing = source.take()
                if outgoing is None:
                    await source.changed()
                elif outgoing.recipient.endswith("@gmail.com"):
                    reply = Reply(421, "4.7.28 Unusual rate of mail", "4.7.28")
                    observer.answered(outgoing.key, Stage.rcpt, reply)
                elif observer.started(outgoing.key):
                    self.heard.append(outgoing.recipient)
                    observer.answered(outgoing.key, Stage.dot, Reply(250, "2.0.0 Ok", "2.0.0"))


def test_what_was_being_claimed_when_its_lane_was_suspended_does_not_hold_the_run_up(
    db: Database, campaign: int, tmp_path: Path
) -> None:
    transport = _GmailWantsARest()
    pace = Pace(window=5, group=1)
    report = send(db, campaign, tmp_path, 0, transport=transport, pace=pace)

    assert report.state is CampaignState.paused
    assert report.counts == Counts(audience=18, planned=5, accepted=12, deferred=1)
    assert len(transport.heard) == 12


def test_a_lane_with_a_rate_lets_the_others_pass(
    db: Database, campaign: int, tmp_path: Path
) -> None:
    with Inbox() as inbox:
        report = send(db, campaign, tmp_path, inbox.port, pace=Pace(lane_rates={"gmx": 4}))

    domains = [mail.recipients[0].partition("@")[2] for mail in inbox.messages]
    assert report.counts == Counts(audience=18, accepted=18)
    assert domains[-3:] == ["gmx.de"] * 3
    assert report.seconds > 1


def test_a_days_cap_holds_over_sends_and_says_when_it_goes_on(
    db: Database, campaign: int, tmp_path: Path
) -> None:
    pace = Pace(timetable=Timetable(per_day=10))
    with Inbox() as inbox:
        first = send(db, campaign, tmp_path, inbox.port, pace=pace)
        second = send(db, campaign, tmp_path, inbox.port, pace=pace)
        assert len(inbox.messages) == 10
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)

    assert first.counts == second.counts == Counts(audience=18, planned=8, accepted=10)
    assert datetime.fromtimestamp((first.closed_until or 0) / 1000, UTC).date() == tomorrow
    with db.write() as connection:
        connection.execute(text("UPDATE sent_day SET day = '2026-01-01'"))
    with Inbox() as inbox:
        assert send(db, campaign, tmp_path, inbox.port, pace=pace).counts.accepted == 18


class _HangsUpOnce:
    """Hands the first envelope back as if the server had hung up on it, then takes all."""

    async def run(self, source: Source, observer: Observer) -> None:
        hung_up = False
        while not source.finished:
            outgoing = source.take()
            if outgoing is None:
                await source.changed()
            elif not hung_up:
                hung_up = True
                observer.returned(outgoing.key, Stage.rcpt, "the server hung up")
            elif observer.started(outgoing.key):
                observer.answered(outgoing.key, Stage.dot, Reply(250, "2.0.0 Ok", "2.0.0"))


def test_the_last_message_of_a_day_that_came_back_goes_on_that_day(
    db: Database, campaign: int, tmp_path: Path
) -> None:
    pace = Pace(timetable=Timetable(per_day=1))
    report = send(db, campaign, tmp_path, 0, transport=_HangsUpOnce(), pace=pace)

    assert report.counts == Counts(audience=18, planned=17, accepted=1)


def test_what_came_back_after_midnight_makes_no_room_on_the_new_day(db: Database) -> None:
    day = Day("2026-11-25", 10)
    with db.write() as connection:
        assert left_today(connection, db.dialect, day, back=4) == 10
        count_today(connection, day, 10)
        assert left_today(connection, db.dialect, day) == 0
        assert left_today(connection, db.dialect, day, back=2) == 2


def test_nothing_goes_outside_of_the_hours(db: Database, campaign: int, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    begin = (now + timedelta(hours=2)).time().replace(microsecond=0)
    end = (now + timedelta(hours=3)).time().replace(microsecond=0)
    with Inbox() as inbox:
        pace = Pace(timetable=Timetable(hours=(begin, end)))
        report = send(db, campaign, tmp_path, inbox.port, pace=pace)
        assert not inbox.messages

    assert report.counts == Counts(audience=18, planned=18)
    assert report.closed_until is not None
    wait = report.closed_until / 1000 - now.timestamp()
    assert 7100 < wait <= 7200
    assert pace.timetable.hours != (time(0), time(0))


def test_the_file_is_read_and_a_wrong_word_is_refused_with_its_place(tmp_path: Path) -> None:
    assert load_plan(tmp_path).sending.per_day == 0
    file = tmp_path / "mailer.toml"
    file.write_text(
        '[sending]\nper_day = 500\nhours = "08:00-20:00"\n[warm_up]\nsince = 2026-11-20\n'
        '[lanes.gmail]\nrate = 20\n[lanes.partner]\ndomains = ["Partner.example"]\nrate = 2.5\n'
    )
    plan = load_plan(tmp_path)
    assert plan.sending.hours == (time(8), time(20))
    assert plan.warm_up is not None
    assert plan.lanes["partner"].domains == ("partner.example",)

    for wrong, what in (
        ("[sending]\nper_dya = 5\n", "per_dya is not known here"),
        ("[sending]\nper_day = -5\n", "sending.per_day = -5 is not accepted"),
        ('[sending]\nhours = "8-25"\n', "sending.hours"),
        ("[lanes.nobody]\nrate = 2\n", "lanes.nobody: no provider of that name"),
        ("[sending\n", "is not TOML"),
    ):
        file.write_text(wrong)
        with pytest.raises(SettingsError, match=r"mailer\.toml") as caught:
            load_plan(tmp_path)
        assert what in str(caught.value)


def test_two_plans_at_one_moment_get_a_name_each(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, both = planning._free_slug, threading.Barrier(2)

    def found_at_one_moment(connection: Connection, issue: str) -> str:
        slug = find(connection, issue)
        with suppress(threading.BrokenBarrierError):
            both.wait(1)
        return slug

    publish = planning.publish
    monkeypatch.setattr(planning, "_free_slug", found_at_one_moment)
    monkeypatch.setattr(
        planning, "publish", lambda *given, **more: publish(*given, **more | {"issue": "edition"})
    )
    list_id = make_list(db, "edition")
    people = {make_subscriber(db, "p@example.org"): "p@example.org"}
    with ThreadPoolExecutor(2) as threads:
        jobs = [threads.submit(plan_for, db, people, list_id, slug=each) for each in "ab"]
        numbers = {job.result() for job in jobs}

    with db.read() as connection:
        slugs = connection.execute(text("SELECT slug FROM campaign ORDER BY slug")).scalars()
        assert list(slugs) == ["edition", "edition-2"]
    assert len(numbers) == 2


def test_a_rest_made_long_by_a_clock_set_back_is_cut_short_at_once(
    db: Database, campaign: int, tmp_path: Path
) -> None:
    """Not only for the next run: this one may last for hours."""
    year = datetime.now(UTC) + timedelta(days=365)
    with db.write() as connection:
        connection.execute(
            text("UPDATE lane SET resume_at = :year WHERE name = 'gmail'"),
            {"year": int(year.timestamp() * 1000)},
        )
    told: list[int | None] = []
    with Inbox() as inbox:
        send(db, campaign, tmp_path, inbox.port, progress=lambda _, due: told.append(due))

    assert (told[-1] or 0) / 1000 - datetime.now(UTC).timestamp() == pytest.approx(7200, abs=30)

"""Backing off halves a pace, clean minutes bring it back, and a slow lane holds nobody up."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from mailer.model.words import Blame, DeliveryState, Outcome, Reply, Stage
from mailer.smtp.breaker import Breaker
from mailer.smtp.flow import Flow, Stretch
from mailer.smtp.pace import SLOWEST, Pace, Throttle
from mailer.smtp.providers import PROVIDERS, lane_names
from mailer.smtp.timetable import Timetable, WarmUp

GENEVA = ZoneInfo("Europe/Zurich")
BUSY = Outcome(DeliveryState.deferred, "rate", Blame.rate)
REST = Outcome(DeliveryState.deferred, "rate", Blame.rate, stops_run=True, suspend=600)


def sent(throttle: Throttle, seconds: float, *, begin: float = 0.0) -> int:
    """How many messages leave within some seconds, when there is always one ready."""
    now, count = begin, 0
    while now < begin + seconds:
        if throttle.opens_at(now) <= now:
            throttle.took(now)
            count += 1
        now += 0.001
    return count


@given(st.floats(1, 200))
def test_a_rate_is_kept_to_within_a_burst(rate: float) -> None:
    assert abs(sent(Throttle(rate), 2.0) - 2 * rate) <= 1 + 0.05 * rate + 0.01 * rate * 2


def test_a_deferral_halves_the_pace_that_was_seen_and_a_burst_of_them_counts_once() -> None:
    throttle = Throttle()
    for step in range(1000):  # a hundred a second, for ten seconds
        throttle.took(step / 100)
    assert throttle.rate == 0

    changed = [throttle.deferred(10.0), throttle.deferred(10.1), throttle.deferred(15.0)]

    assert changed == [True, False, False]
    assert 40 <= throttle.rate <= 60
    assert throttle.deferred(21.0)
    assert 20 <= throttle.rate <= 30


def test_a_pace_grows_by_clean_minutes_until_it_is_free_again() -> None:
    throttle = Throttle()
    for step in range(1000):
        throttle.took(step / 100)
    throttle.deferred(10.0)
    rates = []
    for minute in range(1, 6):
        throttle.accepted(10.0 + 60 * minute)
        throttle.accepted(10.5 + 60 * minute)  # the same minute
        rates.append(round(throttle.rate))

    assert rates[0] > 50
    assert rates[-1] == 0  # no limit any more
    assert not throttle.backing_off


def test_one_message_put_off_in_a_hundred_slows_nobody_down_and_one_in_five_does() -> None:
    few, many = Throttle(), Throttle()
    for step in range(1000):  # a hundred a second
        now = step / 100
        for throttle, one_in in ((few, 100), (many, 5)):
            throttle.took(now)
            if step % one_in == 0:
                throttle.deferred(now, asked=False)

    assert few.rate == 0
    assert 0 < many.rate <= 60


def test_a_pace_is_seen_from_the_first_moment_on() -> None:
    throttle = Throttle()
    for step in range(20):  # two hundred a second, in the first tenth of a second
        throttle.took(1000 + step / 200)
    throttle.deferred(1000.1)

    assert 80 <= throttle.rate <= 120


def test_a_pace_never_falls_below_one_a_minute() -> None:
    throttle = Throttle(1.0)
    for number in range(20):
        throttle.deferred(number * 20.0)

    assert throttle.rate == SLOWEST


def flow(pace: Pace | None = None) -> Flow[int]:
    """Three lanes of ten keys each."""
    stretches = [Stretch(n, last, 0, "") for n, last in (("other", 10), ("gmail", 20), ("gmx", 30))]
    found: Flow[int] = Flow(pace or Pace(), stretches)
    for key in (1, 11, 21, 2, 12, 22):
        found.add(key, key, 0.0)
    return found


def emptied(queue: Flow[int], now: float) -> list[int]:
    found = []
    while (popped := queue.pop(now)) is not None:
        lane, key = popped
        queue.went(lane, now)
        found.append(key)
    return found


def test_without_limits_everything_goes_in_its_order() -> None:
    assert emptied(flow(), 0.0) == [1, 11, 21, 2, 12, 22]


def test_a_lane_with_a_rate_holds_nobody_else_up() -> None:
    queue = flow(Pace(lane_rates={"gmail": 1.0}))

    assert emptied(queue, 0.0) == [11, 1, 21, 2, 22]
    assert queue.opens_at(0.0) == 1.0
    assert emptied(queue, 0.5) == []
    assert emptied(queue, 1.0) == [12]


def test_each_lane_with_a_rate_has_room_of_its_own() -> None:
    queue = flow(Pace(lane_rates={"other": 1.0, "gmail": 400.0, "gmx": 9999.0}))

    assert queue.room(0.0) == {0: 0, 1: 248, 2: 248}  # two of each are there already


def test_a_provider_that_asks_for_a_rest_gets_it_and_the_run_goes_on() -> None:
    queue = flow()

    meaning, rest = queue.troubled(11, REST, Reply(421, "4.7.28 later", "4.7.28"), 5.0)

    assert (meaning.stops_run, rest) == (False, 600)
    assert queue.troubled(12, REST, Reply(421, "later"), 6.0)[1] == 0  # it rests already
    assert queue.room(6.0)[1] == 0
    assert emptied(queue, 6.0) == [1, 21, 2, 22]
    assert queue.withdraw(1) == [11, 12]
    assert queue.left_alone(1, 65.0) == 540


def test_a_relay_that_takes_everything_stops_the_run_as_before() -> None:
    meaning, rest = flow().troubled(1, REST, Reply(550, "5.4.5 daily limit"), 5.0)

    assert (meaning.stops_run, rest) == (True, 0)


def test_a_greylisted_reader_slows_nobody_down() -> None:
    queue = flow()
    grey = Outcome(DeliveryState.deferred, "greylisted", Blame.policy)
    full = Outcome(DeliveryState.deferred, "mailbox_full", Blame.recipient)

    for outcome in (grey, full):
        queue.troubled(11, outcome, Reply(450, "later"), 5.0)
    assert queue.room(5.0) == {}

    queue.troubled(11, BUSY, Reply(450, "busy"), 5.0)
    assert list(queue.room(5.0)) == [1]


def test_no_domain_belongs_to_two_providers_and_the_owner_has_the_last_word() -> None:
    listed = [domain for domains in PROVIDERS.values() for domain in domains]

    assert len(set(listed)) == len(listed)
    assert all(domain == domain.lower() and "." in domain for domain in listed)
    names = lane_names({"ours": ["Gmail.com", "partner.example"]})
    assert (names["gmail.com"], names["partner.example"]) == ("ours", "ours")
    assert names["googlemail.com"] == "gmail"


def at(hour: int, minute: int = 0, day: int = 24) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=GENEVA).astimezone(UTC)


def test_hours_of_delivery_open_in_the_owners_time_zone() -> None:
    table = Timetable(GENEVA, (time(8), time(20)))

    assert table.opens_at(at(8)) == at(8)
    assert table.opens_at(at(19, 59)) == at(19, 59)
    assert table.opens_at(at(7, 59)) == at(8)
    assert table.opens_at(at(20)) == at(8, day=25)
    assert table.tomorrow(at(12)) == at(8, day=25)


def test_hours_may_span_midnight() -> None:
    table = Timetable(GENEVA, (time(22), time(4)))

    assert table.opens_at(at(23)) == at(23)
    assert table.opens_at(at(3)) == at(3)
    assert table.opens_at(at(12)) == at(22)


def test_a_warm_up_grows_from_day_to_day_below_the_cap() -> None:
    table = Timetable(GENEVA, per_day=800, warm_up=WarmUp(date(2026, 11, 24), 500, 1.25))

    assert [table.cap(at(12, day=day)) for day in (20, 24, 25, 26, 27)] == [500, 500, 625, 781, 800]
    assert Timetable(UTC).cap(at(12)) is None


def test_the_clock_may_be_put_back_and_the_hours_still_open() -> None:
    table = Timetable(GENEVA, (time(2, 30), time(3)))
    summer = datetime(2026, 10, 24, 12, tzinfo=UTC)  # the night before it ends

    assert table.opens_at(summer) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


OK = Outcome(DeliveryState.accepted, "accepted", Blame.infrastructure)
GONE = Outcome(DeliveryState.refused, "no_such_user", Blame.recipient)


def heard(breaker: Breaker, outcome: Outcome) -> str:
    return breaker.heard(Stage.rcpt, outcome, Reply(550, "5.1.1 no", "5.1.1"))


def test_most_of_the_last_two_hundred_must_be_refused_before_the_run_stops() -> None:
    half, most = Breaker(), Breaker()

    assert not any(heard(half, outcome) for _ in range(500) for outcome in (OK, GONE))
    sentences = [heard(most, outcome) for _ in range(100) for outcome in (GONE, GONE, OK)]
    assert sentences.index(next(filter(None, sentences))) == 199
    assert "Of the last 200 people" in next(filter(None, sentences))


def test_a_server_that_hangs_up_on_one_person_puts_that_one_off() -> None:
    breaker = Breaker()

    assert [breaker.hung_up(7) for _ in range(3)] == [0.0, 8.0, None]
    assert breaker.hung_up(8) == 0.0

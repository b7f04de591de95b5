"""Spreads a campaign over a time, when its settings can make it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailer.errors import Fault, InputError
from mailer.model.shown import counted, headcount
from mailer.ports import Clock
from mailer.smtp.pace import Pace
from mailer.store import campaigns, runs, schedule, splits
from mailer.store.database import Database
from mailer.store.lanes import lanes_of, sent_on
from mailer.store.ledger import counts

_A_DAY = timedelta(days=1)


def spread_campaign(
    name: str | int,
    seconds: int,
    *,
    start_at: datetime | None = None,
    more: int = 0,
    db: Database,
    clock: Clock,
    pace: Pace,
) -> datetime | None:
    """Writes down until when it is sent evenly, from now or ``start_at`` on; 0 takes that back.

    ``more`` are people who are about to be added; who waits for a choice between two subjects is
    not counted, because no send reaches them before. Every later send keeps to it, a worker's too,
    with what is left then. Raises InputError when hours, rates or caps do not let so many through
    in that time.
    """
    begin = start_at or clock.now()
    until = begin + timedelta(seconds=seconds) if seconds else None
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        runs.lock_campaign(connection, db.dialect, campaign.id)
        if until is not None:
            waiting = splits.people_waiting(connection, campaign.id)
            left = counts(connection, campaign.id).left - waiting + more
            sizes: dict[str, int] = {}
            for lane in lanes_of(connection, campaign.id):
                sizes[lane.name] = sizes.get(lane.name, 0) + lane.left
            today = pace.timetable.day(begin).isoformat()
            faults = list(_troubles(begin, until, left, sizes, sent_on(connection, today), pace))
            if faults:
                raise InputError(faults)
        schedule.spread(connection, campaign.id, until)
    return until


def _troubles(
    begin: datetime, until: datetime, left: int, sizes: dict[str, int], sent: int, pace: Pace
) -> Iterator[Fault]:
    open_for = pace.timetable.open_seconds(begin, until)
    if open_for <= 0:
        yield Fault("That time lies outside of the hours of delivery in mailer.toml.")
        return
    if pace.rate and left > pace.rate * open_for:
        yield Fault(
            f"{headcount(left)} in {_told(open_for)} make {left / open_for:,.1f} a second, and"
            f" MAILER_SMTP_RATE allows {pace.rate:g}.",
            hint=f"It takes at least {_told(left / pace.rate)}.",
        )
    for name, people in sizes.items():
        rate = pace.lane_rates.get(name, 0.0)
        if rate and people > rate * open_for:
            yield Fault(
                f"{counted(people, 'of them is', 'of them are')} at {name}, and mailer.toml"
                f" allows that lane {rate:g} a second.",
                hint=f"It takes at least {_told(people / rate)}.",
            )
    room = _room(begin, until, sent, pace)
    if room is not None and left > room:
        yield Fault(
            f"The caps of mailer.toml let {counted(room, 'message')} through in that time, and"
            f" {counted(left, 'person is', 'people are')} waiting.",
        )


def _room(begin: datetime, until: datetime, sent: int, pace: Pace) -> int | None:
    """How many messages the daily caps allow until then; None without caps."""
    table = pace.timetable
    if table.cap(begin) is None:
        return None
    room, moment, last = -sent, begin, table.day(until)
    while table.day(moment) <= last:
        room += table.cap(moment) or 0
        moment += _A_DAY
    return max(room, 0)


def _told(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.999), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes and not rest else f"{minutes * 60 + rest} s"

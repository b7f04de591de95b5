"""Clicks are counted in a log of their own, bounded, and by nobody's name without a yes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import Connection, text

from mailer.adapters.word_lists import click_rules
from mailer.message.click_links import Click
from mailer.message.click_rules import Networks
from mailer.message.image_loads import Load
from mailer.model.words import TrackingAnswer
from mailer.store import clicks, evidence
from mailer.store.database import Database
from mailer.usecases import count_clicks as counting
from mailer.usecases.count_clicks import Followed, count_clicks
from mailer.usecases.report_clicks import report_clicks
from tests import builders

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
AT = round(NOW.timestamp() * 1000)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PORTS: dict[str, Any] = {"rules": click_rules(), "networks": Networks(bytes(range(32)))}


def make(db: Database, mode: str = "totals") -> tuple[int, int]:
    """A campaign that began an hour ago, and Anna, whose mail was accepted then."""
    began = datetime(2026, 11, 24, 8, tzinfo=UTC)
    anna = builders.make_subscriber(db, "anna@example.org")
    made = builders.make_campaign(
        db, builders.make_list(db), readers={anna: "en"}, started_at=began, frozen={"clicks": mode}
    )
    with db.write() as connection:
        connection.execute(
            text("UPDATE delivery SET state = 'accepted', at = :at"), {"at": AT - 3_600_000}
        )
        connection.execute(
            text("INSERT INTO campaign_link (campaign_id, number, url) VALUES (:c, :n, :u)"),
            [{"c": made.id, "n": n, "u": f"https://example.org/{n}"} for n in range(1, 5)],
        )
    return made.id, anna


def followed(
    campaign: int, number: int, seconds: float = 0, person: int | None = None, ip: str = "192.0.2.7"
) -> Followed:
    click = Click(campaign, number, "https://example.org/", person)
    return Followed(click, AT + round(seconds * 1000), ip, BROWSER)


def answer(db: Database, person: int, said: TrackingAnswer) -> None:
    with db.write() as connection:
        evidence.record_tracking(connection, person, said, source="form", at=NOW)


def people(db: Database) -> list[int | None]:
    with db.read() as connection:
        rows = connection.execute(text("SELECT subscriber_id FROM link_click ORDER BY id"))
        return list(rows.scalars())


def test_nothing_is_kept_of_who_did_not_say_yes(db: Database) -> None:
    campaign, anna = make(db, "people")
    mine = [followed(campaign, 1, person=anna)]
    counted = [count_clicks(mine, db=db, **PORTS)]
    for said in (TrackingAnswer.no, TrackingAnswer.yes, TrackingAnswer.unknown):
        answer(db, anna, said)
        counted.append(count_clicks(mine, db=db, **PORTS))

    assert counted == [0, 0, 1, 0]
    assert people(db) == [None]  # it was hers, until she took the yes back
    assert count_clicks([followed(campaign, 1, person=999_999)], db=db, **PORTS) == 0


def test_a_burst_is_found_over_several_batches(db: Database) -> None:
    campaign, _ = make(db)
    for number in (1, 2, 3):
        count_clicks([followed(campaign, number, number)], db=db, **PORTS)
    count_clicks([followed(campaign, 4, 300)], db=db, **PORTS)
    report = report_clicks(campaign, db=db, rules_dated="")

    assert (report.raw, report.filtered, report.left_out) == (4, 1, {"burst": 3})


def test_processes_that_count_at_one_moment_see_one_burst(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits after its rows for the others' rows, which come only if nothing is locked."""
    campaign, _ = make(db)
    together, add = Barrier(3), clicks.add

    def add_and_wait(connection: Connection, rows: Sequence[clicks.Row], log: clicks.Log) -> None:
        add(connection, rows, log)
        with suppress(BrokenBarrierError):
            together.wait(0.3)

    monkeypatch.setattr(clicks, "add", add_and_wait)
    others = [Database(db.url) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for number, other in enumerate(others, 1):
            pool.submit(count_clicks, [followed(campaign, number, number)], db=other, **PORTS)
    for other in others:
        other.close()
    report = report_clicks(campaign, db=db, rules_dated="")

    assert (report.raw, report.left_out) == (3, {"burst": 3})


def test_nobody_fills_the_database(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_ALIKE", 5)
    campaign, _ = make(db)
    flood = [followed(campaign, 1, n / 10) for n in range(20)]
    kept = [count_clicks(flood, db=db, **PORTS) for _ in range(2)]

    assert kept == [5, 0]
    assert count_clicks([followed(campaign, 1, ip="198.51.100.1")], db=db, **PORTS) == 1
    assert count_clicks([followed(campaign, 1, 600)], db=db, **PORTS) == 1


def loaded(
    campaign: int, seconds: float, person: int | None = None, agent: str = BROWSER
) -> Followed:
    return Followed(Load(campaign, person), AT + round(seconds * 1000), "192.0.2.7", agent)


def test_image_loads_are_a_log_of_their_own(db: Database) -> None:
    """Clicks do not see them: a picture and two links within seconds are no three links."""
    campaign, anna = make(db, "people")
    answer(db, anna, TrackingAnswer.yes)
    mixed = [
        loaded(campaign, 0, anna),
        followed(campaign, 1, 1, anna),
        followed(campaign, 2, 2, anna),
        loaded(campaign, 300, anna),
        loaded(999, 300, anna),
    ]

    assert count_clicks(mixed, db=db, **PORTS) == 4
    report = report_clicks(campaign, db=db, rules_dated="")
    assert (report.raw, report.filtered, report.left_out) == (2, 2, {})
    with db.read() as connection:
        assert clicks.load_count(connection, campaign) == clicks.LoadCount(2, 2)
        assert clicks.people(connection, campaign, clicks.Log.loads) == 1


def test_mails_of_many_readers_that_one_network_loads_are_a_machines(db: Database) -> None:
    campaign, anna = make(db, "people")
    readers = [anna, *(builders.make_subscriber(db, f"p{n}@example.org") for n in range(9))]
    for each in readers:
        answer(db, each, TrackingAnswer.yes)
    with db.write() as connection:
        connection.execute(
            text(
                "INSERT INTO delivery (campaign_id, position, subscriber_id, variant_id, state,"
                " attempt, reason, reply, at) SELECT campaign_id, :n, :s, variant_id, state,"
                " attempt, reason, reply, at FROM delivery WHERE subscriber_id = :anna"
            ),
            [{"n": 100 + n, "s": each, "anna": anna} for n, each in enumerate(readers[1:])],
        )
    count_clicks([loaded(campaign, n, p) for n, p in enumerate(readers)], db=db, **PORTS)

    with db.read() as connection:
        assert clicks.verdicts(connection, campaign, clicks.Log.loads) == {"crowd": 10}


def test_of_a_providers_machines_no_network_is_kept_and_so_many_a_minute(db: Database) -> None:
    campaign, _ = make(db)
    proxied = [loaded(campaign, n / 1000, agent="YahooMailProxy") for n in range(300)]
    others = [loaded(campaign, 100 + n / 1000) for n in range(300)]

    assert count_clicks(proxied, db=db, **PORTS) == 300
    assert count_clicks(others, db=db, **PORTS) == counting.MOST_ALIKE
    with db.read() as connection:
        networks = connection.execute(
            text("SELECT verdict, count(network) FROM image_load GROUP BY verdict ORDER BY 1")
        )
        assert [tuple(row) for row in networks][-1] == ("repeat", counting.MOST_ALIKE - 1)
        assert clicks.verdicts(connection, campaign, clicks.Log.loads)["proxy"] == 300


def test_only_neighbours_of_its_network_or_mail_are_asked_for(db: Database) -> None:
    """Others would be read anew for each click of a crowd, and change no verdict."""
    campaign, anna = make(db, "people")
    answer(db, anna, TrackingAnswer.yes)
    strangers = [followed(campaign, 1, n / 10, ip=f"198.51.{n}.7") for n in range(20)]
    count_clicks([*strangers, followed(campaign, 1, 3, ip="203.0.113.7")], db=db, **PORTS)
    mine = [followed(campaign, 2, 4, anna), followed(campaign, 3, 5, anna, ip="203.0.113.9")]
    count_clicks(mine, db=db, **PORTS)
    first, last = AT - 60_000, AT + 60_000
    with db.read() as connection:
        every = {
            (row.number, row.subscriber_id): bytes(row.network)
            for row in connection.execute(
                text("SELECT number, subscriber_id, network FROM link_click WHERE number > 1")
            )
        }
        by_mail = clicks.Row(campaign, 9, AT, anna, None)
        by_network = clicks.Row(campaign, 9, AT, None, every[3, anna])
        seen = [
            sorted(each.number for each in clicks.near(connection, campaign, first, last, like))
            for like in ([], [by_mail], [by_network], [by_mail, by_network])
        ]
        crowds = clicks.crowds(connection, campaign, first, last, [every[3, anna], None])

    assert seen == [[], [2, 3], [1, 3], [1, 2, 3]]
    assert crowds == {(1, every[3, anna]): 1, (3, every[3, anna]): 1}

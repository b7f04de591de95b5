"""A plan's audience: reasons that add up, an even order, exact snapshots, whole or gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from mailer.contacts.rule_reader import read_rule
from mailer.contacts.rule_time import Calendar
from mailer.errors import StoppedError
from mailer.model.words import FrequencyCap
from mailer.store import audience, planning, segments
from mailer.store.audience import Selection
from mailer.store.crowd import Crowd, gathered
from mailer.store.database import Database
from tests import rules
from tests.builders import make_list, make_subscriber, subscribe
from tests.crowd import make_crowd
from tests.rules import NOW, Person


def new_campaign(db: Database, list_id: int, issue: str = "edition") -> tuple[int, list[int]]:
    """A campaign that is being planned, and its one variant."""
    frozen = {"again": False}
    content = planning.Content(
        issue,
        f"nowhere/{issue}",
        "",
        list_id,
        "Boats",
        f"key-{issue}",
        frozen,
        [("en", "", "")],
        [],
    )
    return planning.create(db, content, now=NOW)


def freeze(db: Database, selection: Selection, names: list[str] | None = None) -> Crowd:
    """Writes an audience under a new campaign and takes it away again; returns what was counted."""
    campaign, variants = new_campaign(db, selection.list_id)
    with gathered(db, selection, names or [], {}) as crowd:
        crowd.write(campaign, variants, dict.fromkeys(crowd.languages, 0))
    return crowd


def written(db: Database) -> dict[int, str]:
    """The people of the campaign being planned: id → snapshot, in the order of sending."""
    with db.read() as connection:
        rows = connection.execute(
            text(
                "SELECT d.subscriber_id, s.fields FROM delivery d JOIN snapshot s"
                " ON s.campaign_id = d.campaign_id AND s.position = d.position"
                " JOIN campaign c ON c.id = d.campaign_id AND c.state = 'planning'"
                " ORDER BY d.position"
            )
        )
        return {row[0]: row[1] for row in rows}


def remove(db: Database) -> None:
    with db.read() as connection:
        ids = connection.execute(text("SELECT id FROM campaign WHERE state = 'planning'")).scalars()
        planned = list(ids)
    for campaign in planned:
        planning.discard(db, campaign)


def test_explaining_one_person_says_what_the_plan_does(db: Database) -> None:
    people, campaigns = rules.make_people(db, 50, seed=11)
    with db.write() as connection:
        row = {"name": "other", "rule": rules.OTHER, "description": ""}
        segments.insert_segment(connection, {**row, "created_at": NOW, "changed_at": NOW})
        known = segments.vocabulary(connection)
    calendar = Calendar(NOW)
    trees = rules.rules.map(lambda rule: read_rule(rule, known, calendar))
    some = st.lists(trees, max_size=2)
    selections = st.builds(
        Selection,
        list_id=st.just(known.lists["news"]),
        earlier=st.sampled_from([[], list(campaigns.values()), [campaigns["autumn"]]]),
        segment=st.none() | trees,
        not_on=st.sampled_from([[], [known.lists["press"]]]),
        not_among=some,
        not_in=st.sampled_from([[], [campaigns["spring"]]]),
        cap=st.sampled_from([None, FrequencyCap(1, 1), FrequencyCap(2, 365)]),
        now_ms=st.just(int(NOW.timestamp() * 1000)),
    )

    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(selections)
    def agree(selection: Selection) -> None:
        crowd = freeze(db, selection)
        with db.read() as connection:
            found = {
                person.id: audience.explain(connection, db.dialect, selection, person.id)
                for person in people
            }
        on_list = {key: why for key, why in found.items() if why is not None}

        assert set(written(db)) == {key for key, why in on_list.items() if not why}
        assert crowd.excluded == dict(Counter(why[0] for why in on_list.values() if why))
        assert crowd.size + sum(crowd.excluded.values()) == len(on_list)
        assert set(on_list) == {p.id for p in people if selection.list_id in p.lists}
        for person in people:
            assert_reasons(selection, person, on_list.get(person.id))
        remove(db)

    agree()


def assert_reasons(selection: Selection, person: Person, why: list[str] | None) -> None:
    """What plain Python can say about the segments that were named."""
    if why is None:
        return
    if selection.segment is not None:
        assert ("segment" in why) is not rules.holds(selection.segment, person)
    among = any(rules.holds(each, person) for each in selection.not_among)
    assert ("excluded_segment" in why) is among
    assert ("suppressed" in why) is person.suppressed


def test_the_cap_counts_whole_days_back_from_now(db: Database) -> None:
    list_id, _ = make_crowd(db, 3)
    now, day = int(NOW.timestamp() * 1000), 86_400_000
    campaigns = [new_campaign(db, list_id, f"past-{number}") for number in range(2)]
    with db.write() as connection:
        connection.execute(text("UPDATE campaign SET state = 'finished'"))
        for position, (person, number, at) in enumerate(
            [(1, 0, now - 7 * day + 1), (1, 1, now), (2, 0, now - 7 * day), (2, 1, now)]
        ):
            campaign, (variant,) = campaigns[number]
            connection.execute(
                text(
                    "INSERT INTO delivery (campaign_id, position, subscriber_id, variant_id,"
                    " state, attempt, reason, reply, at)"
                    " VALUES (:c, :p, :s, :v, 'accepted', 1, '', '', :at)"
                ),
                {"c": campaign, "p": position, "s": person, "v": variant, "at": at},
            )
    selection = Selection(list_id, cap=FrequencyCap(2, 7), now_ms=now)

    assert freeze(db, selection).excluded == {"frequency_cap": 1}
    assert set(written(db)) == {2, 3}
    remove(db)
    assert freeze(db, replace(selection, cap=None)).excluded == {}
    remove(db)


def test_a_break_and_the_wish_for_fewer_mails_leave_people_out(db: Database) -> None:
    list_id, _ = make_crowd(db, 5)
    now, day = int(NOW.timestamp() * 1000), 86_400_000
    past, (variant,) = new_campaign(db, list_id, "past")
    with db.write() as connection:
        run = connection.execute
        run(text("UPDATE campaign SET state = 'finished'"))
        pause = text("UPDATE subscription SET paused_until = :until WHERE subscriber_id = :s")
        run(pause, {"s": 1, "until": now + 1})
        run(pause, {"s": 2, "until": now})
        run(text("UPDATE subscriber SET fewer_days = 27 WHERE id IN (1, 3, 4)"))
        for person, at in ((1, now), (3, now - 27 * day + 1), (4, now - 27 * day), (5, now)):
            run(
                text(
                    "INSERT INTO delivery (campaign_id, position, subscriber_id, variant_id,"
                    " state, attempt, reason, reply, at)"
                    " VALUES (:c, :s, :s, :v, 'accepted', 1, '', '', :at)"
                ),
                {"c": past, "s": person, "v": variant, "at": at},
            )
    selection = Selection(list_id, now_ms=now)

    assert freeze(db, selection).excluded == {"fewer_mails": 1, "paused": 1}
    assert set(written(db)) == {2, 4, 5}
    with db.read() as connection:
        found = [audience.explain(connection, db.dialect, selection, n) for n in range(1, 6)]
    assert found == [["paused", "fewer_mails"], [], ["fewer_mails"], [], []]
    remove(db)
    capped = replace(selection, cap=FrequencyCap(1, 1))
    assert freeze(db, capped).excluded == {"fewer_mails": 1, "frequency_cap": 1, "paused": 1}
    remove(db)
    later = replace(selection, now_ms=now + 27 * day)  # they come back by themselves
    assert freeze(db, later).excluded == {}
    remove(db)


def test_each_domain_is_spread_over_the_run(db: Database) -> None:
    list_id = make_list(db)
    small = []
    for number in range(100):
        rare = number < 10
        domain = "small.example.org" if rare else "big.example.org"
        person = make_subscriber(db, f"p{number}@{domain}")
        subscribe(db, person, list_id)
        small += [person] if rare else []
    freeze(db, Selection(list_id))
    order = list(written(db))
    places = [place for place, person in enumerate(order) if person in small]

    assert len(order) == 100
    assert all(8 <= b - a <= 12 for a, b in pairwise(places))
    assert places[0] < 10


@pytest.mark.parametrize("names", [[], ["first_name"], ["absent", "b", "first_name"]])
def test_a_snapshot_has_the_fields_that_the_mail_reads(db: Database, names: list[str]) -> None:
    list_id = make_list(db)
    told: list[dict[str, Any]] = [
        {},
        {"first_name": 'Ana "Z" \\ \u2028 é 😀', "b": [1, "x", {"y": None}]},
        {"first_name": True, "b": False},
        {"first_name": 3, "b": 2.5, "other": "secret"},
        {"first_name": None, "b": {"a": "ü"}},
        {"first_name": ""},
    ]
    people = {}
    for number, fields in enumerate(told):
        people[make_subscriber(db, f"p{number}@example.org", fields=fields)] = fields
    for person in people:
        subscribe(db, person, list_id)
    freeze(db, Selection(list_id), names)
    found = written(db)

    assert len(found) == len(told)
    for person, fields in people.items():
        expected = {n: fields[n] for n in names if fields.get(n) is not None}
        assert json.loads(found[person]) == expected


_KILLED = """
import os, signal, sys
from pathlib import Path
from mailer.store import audience, crowd
from mailer.store.database import Database, database_url
from tests.store.test_audience import new_campaign
crowd.SLICE = 20
db = Database(database_url(sys.argv[1], Path()))
campaign, variants = new_campaign(db, int(sys.argv[2]))
slices = crowd.Crowd._slices
def until_killed(self):
    for number, each in enumerate(slices(self)):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield each
with crowd.gathered(db, audience.Selection(int(sys.argv[2])), [], {}) as found:
    crowd.Crowd._slices = until_killed
    found.write(campaign, variants, dict.fromkeys(found.languages, 0))
"""


def test_a_plan_that_was_killed_half_way_is_removed_by_the_next(db: Database) -> None:
    list_id, _ = make_crowd(db, 100)
    url = db.url.render_as_string(hide_password=False)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, url, str(list_id)], check=False, env={**os.environ}
    )
    half = len(written(db))

    assert killed.returncode == -signal.SIGKILL
    assert half == 60
    campaign, variants = new_campaign(db, list_id, "next")
    with gathered(db, Selection(list_id), [], {}) as crowd:
        crowd.write(campaign, variants, dict.fromkeys(crowd.languages, 0))
    planning.publish(db, campaign, issue="next", audience=crowd.size, excluded={})
    with db.read() as connection:
        left = connection.execute(
            text("SELECT campaign_id, count(*) FROM delivery GROUP BY campaign_id")
        ).all()
    assert [tuple(row) for row in left] == [(campaign, 100)]


def test_the_order_is_that_of_plain_arithmetic(db: Database) -> None:
    list_id = make_list(db, "edition")
    addresses = [f"p{n}@{'abcdz'[n * n % 5]}{n % 3}.example" for n in range(40)]
    ids = {make_subscriber(db, address): address for address in addresses}
    for person in ids:
        subscribe(db, person, list_id)
    lane_of = {"a0.example": "one", "b1.example": "two"}
    lanes = ["", "one", "two"]
    campaign, variants = new_campaign(db, list_id)
    with gathered(db, Selection(list_id), [], lane_of) as crowd:
        crowd.write(campaign, variants, dict.fromkeys(crowd.languages, 0))

    of_domain: dict[str, list[int]] = {}
    for person in sorted(ids):
        of_domain.setdefault(ids[person].partition("@")[2].lower(), []).append(person)
    expected = sorted(
        (lanes.index(lane_of.get(domain, "")), (k + 0.5) / len(people), domain, person)
        for domain, people in of_domain.items()
        for k, person in enumerate(people)
    )
    assert list(written(db)) == [person for *_, person in expected]
    assert [people for _, people in crowd.lanes] == [
        sum(1 for lane, *_ in expected if lane == number) for number in range(3)
    ]


def test_a_plan_that_was_removed_under_its_writer_writes_nobody(db: Database) -> None:
    list_id, _ = make_crowd(db, 10)
    campaign, variants = new_campaign(db, list_id)
    with gathered(db, Selection(list_id), [], {}) as crowd:
        planning.discard(db, campaign)
        with pytest.raises(StoppedError, match="removed by another process"):
            crowd.write(campaign, variants, dict.fromkeys(crowd.languages, 0))

    assert written(db) == {}

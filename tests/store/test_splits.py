"""Who tests which of two subjects is drawn by lot: as many for each, alike on both databases."""

from __future__ import annotations

from sqlalchemy import text

from mailer.model.words import DeliveryState
from mailer.store import planning, splits
from mailer.store.audience import Selection
from mailer.store.crowd import Draw, gathered, lot
from mailer.store.database import Database
from tests.builders import THEN, make_list, make_subscriber, subscribe

LANES = {"gmail.com": "gmail"}


def split(db: Database, people: int) -> tuple[int, list[int]]:
    """A campaign whose people are drawn, and their ids; every third is at Gmail."""
    list_id = make_list(db)
    ids = []
    for n in range(people):
        ids.append(make_subscriber(db, f"p{n}@{'gmail.com' if n % 3 == 0 else 'example.org'}"))
        subscribe(db, ids[-1], list_id)
    content = planning.Content(
        issue="edition",
        folder=".",
        content_hash="",
        list_id=list_id,
        subject="",
        web_key="edition",
        frozen={"again": False},
        variants=[("en", "", "")],
        seconds=[("en", "", "")],
    )
    campaign, (first, second) = planning.create(db, content, now=THEN)
    with gathered(db, Selection(list_id), [], LANES, Draw(0.1, "key")) as crowd:
        crowd.write(campaign, [first], {None: 0}, seconds=[second])
        lanes, held = crowd.lanes, crowd.held
    planning.publish(
        db, campaign, issue="edition", audience=people, excluded={}, lanes=lanes, held=held
    )
    return campaign, ids


def rows(db: Database, campaign: int) -> list[tuple[int, str, int]]:
    """Each person with the version of their subject, and whether they wait."""
    with db.read() as connection:
        found = connection.execute(
            text(
                "SELECT d.subscriber_id, v.version, l.held FROM delivery d"
                " JOIN variant v ON v.id = d.variant_id JOIN lane l ON l.campaign_id = :c"
                " AND d.position BETWEEN l.first AND l.last WHERE d.campaign_id = :c"
                " AND d.state = :planned ORDER BY d.position"
            ),
            {"c": campaign, "planned": DeliveryState.planned},
        )
        return [(row.subscriber_id, row.version, row.held) for row in found]


def test_the_lot_decides_and_everybody_is_there_once(db: Database) -> None:
    campaign, ids = split(db, 40)

    found = rows(db, campaign)
    drawn = sorted(ids, key=lambda person: lot("key", person))
    assert {p for p, version, held in found if version == "a" and not held} == set(drawn[:4])
    assert {p for p, version, held in found if version == "b" and not held} == set(drawn[4:8])
    assert sorted(p for p, _, _ in found) == sorted(ids)
    assert [held for _, _, held in found] == [0] * 8 + [1] * 32  # who waits stands behind


def test_giving_the_second_subject_twice_does_no_harm(db: Database) -> None:
    """As after a kill half-way."""
    campaign, _ = split(db, 20)

    splits.give_second(db, campaign)
    splits.give_second(db, campaign)
    with db.write() as connection:
        splits.let_go(connection, campaign)

    found = rows(db, campaign)
    assert [version for _, version, _ in found].count("a") == 2
    assert {held for _, _, held in found} == {0}

"""A rule's SQL means exactly the people whom the rule means, on both databases."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.contacts.rule_reader import read_rule
from mailer.contacts.rule_time import Calendar
from mailer.store import segments
from mailer.store.database import Database
from tests import rules
from tests.rules import NOW, OTHER, Person

ZURICH = Calendar(NOW, ZoneInfo("Europe/Zurich"))


@pytest.fixture
def people(db: Database) -> list[Person]:
    found, _ = rules.make_people(db, 60, seed=5)
    with db.write() as connection:
        segments.insert_segment(
            connection,
            {
                "name": "other",
                "rule": OTHER,
                "description": "",
                "created_at": NOW,
                "changed_at": NOW,
            },
        )
    return found


def meant(db: Database, rule: str, calendar: Calendar = ZURICH) -> set[int]:
    with db.read() as connection:
        tree = read_rule(rule, segments.vocabulary(connection), calendar)
        return set(connection.execute(segments.members(tree, db.dialect)).scalars())


def test_the_sql_means_whom_plain_python_means(db: Database, people: list[Person]) -> None:
    with db.read() as connection:
        known = segments.vocabulary(connection)

        @settings(
            max_examples=100,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        )
        @given(rules.rules, st.sampled_from([Calendar(NOW), ZURICH]))
        def holds(text: str, calendar: Calendar) -> None:
            rule = read_rule(text, known, calendar)
            found = set(connection.execute(segments.members(rule, db.dialect)).scalars())

            assert found == {person.id for person in people if rules.holds(rule, person)}
            assert segments.count(connection, rule) == len(found)

        holds()

"""Nobody who left, or is suppressed, becomes mailable through any sequence of imports."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import text

from mailer.contacts.people import LEAVING, Arrival
from mailer.model.words import STATUS_RANK, SubscriptionStatus
from mailer.store import migrations, people
from mailer.store.arrivals import Arrivals, Entry, Fates, arriving
from mailer.store.database import Database, database_url
from mailer.store.doubles import laid_over
from tests import postgres
from tests.builders import THEN, make_list, make_subscriber

KEYS = ["a@x.org", "b@x.org", "c@x.org"]
ranks = st.sampled_from(sorted(STATUS_RANK.values()))
values = st.one_of(st.none(), st.sampled_from(["Anna", "Zoë", 'say "hi"', "null", "ünï"]))
fields = st.dictionaries(st.sampled_from(["city", "name"]), values, max_size=2)


def arrival(key: str, rank: int = 0, ceiling: int = 0, told: Any = None, **more: Any) -> Arrival:
    fields = json.dumps(told or {}, ensure_ascii=False, separators=(",", ":"))
    return Arrival(more.get("address", key), key, more.get("language"), rank, ceiling, fields)


class Lists(RuleBasedStateMachine):
    """Imports, departures and suppressions in any order, beside a plain model of them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        self.db = Database(database_url(f"sqlite:///{folder}/mailer.db", folder))
        migrations.upgrade(self.db)
        self.list = make_list(self.db, "news")
        self.ranks: dict[str, int] = {}
        self.fields: dict[str, dict[str, str]] = {}
        self.suppressed: set[str] = set()

    @rule(rows=st.lists(st.tuples(st.sampled_from(KEYS), ranks, ranks, fields), max_size=5))
    def imports(self, rows: list[tuple[str, int, int, dict[str, str | None]]]) -> None:
        folded: dict[str, tuple[int, int, dict[str, Any]]] = {}
        for key, rank, ceiling, told in rows:
            old_rank, old_ceiling, old = folded.get(key, (0, 0, {}))
            folded[key] = (max(rank, old_rank), max(ceiling, old_ceiling), laid_over(old, told))
        expected = {"added": 0, "updated": 0, "unchanged": 0, "suppressed": 0}
        for key, (rank, ceiling, told) in folded.items():
            expected[self._expect(key, rank, ceiling, told)] += 1

        with arriving(self.db) as staged:
            staged.load([arrival(key, rank, ceiling, told) for key, rank, ceiling, told in rows])
            doubles = staged.settle().rows
            counted = staged.count(self.list, None)
            fates = staged.merge(Entry(self.list, "import", "f", THEN))

        assert doubles == len(rows) - len(folded)
        assert fates == counted == Fates(**expected)

    def _expect(self, key: str, rank: int, ceiling: int, told: dict[str, Any]) -> str:
        if key in self.suppressed:  # a departure counts all the same
            if key in self.ranks:
                self.ranks[key] = max(self.ranks[key], ceiling)
            return "suppressed"
        before = dict(self.fields.get(key, {}))
        after = {name: value for name, value in {**before, **told}.items() if value is not None}
        self.fields[key] = after
        if key not in self.ranks:
            self.ranks[key] = rank
            return "added"
        lowered = ceiling > self.ranks[key]
        self.ranks[key] = max(self.ranks[key], ceiling)
        return "updated" if lowered or after != before else "unchanged"

    @rule(key=st.sampled_from(KEYS))
    def leaves(self, key: str) -> None:
        with self.db.write() as connection:
            person = people.find_subscriber(connection, key)
            changed = person is not None and people.unsubscribe(
                connection,
                list_id=self.list,
                subscriber_id=person.id,
                actor="operator",
                at=THEN,
            )
        assert changed is (key in self.ranks and self.ranks[key] < LEAVING)
        if changed:
            self.ranks[key] = LEAVING

    @rule(key=st.sampled_from(KEYS))
    def is_suppressed(self, key: str) -> None:
        with self.db.write() as connection:
            people.suppress(connection, key, reason="complaint", actor="server", at=THEN)
        self.suppressed.add(key)

    @invariant()
    def everybody_stands_where_they_should(self) -> None:
        with self.db.read() as connection:
            found = connection.execute(
                text(
                    "SELECT p.key, u.status, p.fields FROM subscriber p"
                    " JOIN subscription u ON u.subscriber_id = p.id"
                )
            ).all()
            consents = connection.execute(text("SELECT count(*) FROM consent")).scalar_one()
        assert {row.key: STATUS_RANK[SubscriptionStatus(row.status)] for row in found} == self.ranks
        assert {row.key: json.loads(row.fields) for row in found} == self.fields
        assert consents <= len(self.ranks)

    def teardown(self) -> None:
        self.db.close()
        self.folder.cleanup()


Lists.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLists = Lists.TestCase


@pytest.fixture
def on_sqlite(sqlite_template: Path) -> Iterator[Database]:
    with Database(database_url(f"sqlite:///{sqlite_template}", Path())) as database:
        yield database


@pytest.fixture
def on_postgresql(postgresql: postgres.Server) -> Iterator[Database]:
    url = postgresql.make("arrivals", postgres.TEMPLATE)
    with Database(database_url(url, Path())) as database:
        yield database
    postgresql.drop("arrivals")


def test_staging_locks_nobody_out(db: Database) -> None:
    news = make_list(db, "news")
    with arriving(db) as staged:
        staged.load([arrival(key) for key in KEYS])
        with db.write() as connection:
            people.declare_fields(connection, ["meanwhile"], THEN)
        staged.settle()
        make_subscriber(db, "b@x.org")

        assert staged.merge(Entry(news, "import", "f", THEN)) == Fates(added=3)


def test_others_write_between_the_slices(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_SLICE", "SMALLEST", "LARGEST"):
        monkeypatch.setattr(f"mailer.store.arrivals.{name}", 20)
    news = make_list(db, "news")
    answers: list[float] = []
    stop = threading.Event()

    def writes() -> None:
        while not stop.is_set():
            begun = time.monotonic()
            db.writer.submit(lambda c: people.declare_fields(c, ["x"], THEN)).result(timeout=10)
            answers.append(time.monotonic() - begun)

    other = threading.Thread(target=writes)
    with arriving(db) as staged:
        staged.load([arrival(f"p{i}@x.org") for i in range(4000)])
        staged.settle()
        other.start()
        fates = staged.merge(Entry(news, "import", "f", THEN))
    stop.set()
    other.join()

    assert fates == Fates(added=4000)
    assert answers


def test_ids_and_rows_belong_together(db: Database) -> None:
    make_subscriber(db, "m@x.org")
    news = make_list(db, "news")
    keys = [f"{letter}@x.org" for letter in "zmakb"]
    with arriving(db) as staged:
        staged.load([arrival(key, told={"name": key}) for key in keys])
        staged.settle()
        staged.merge(Entry(news, "import", "f", THEN))

    with db.read() as connection:
        rows = connection.execute(
            text(
                "SELECT p.key, CAST(p.fields AS text) AS fields, c.source, e.kind"
                " FROM subscription u JOIN subscriber p ON p.id = u.subscriber_id"
                " JOIN consent c ON c.subscriber_id = p.id"
                " JOIN event e ON e.subscriber_id = p.id ORDER BY p.key"
            )
        ).all()
    assert [row.key for row in rows] == sorted(keys)
    assert all(json.loads(row.fields) == {"name": row.key} for row in rows)
    assert {(row.source, row.kind) for row in rows} == {("import", "subscribed")}


def test_somebody_added_by_others_meanwhile_is_not_added_twice(
    on_postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = on_postgresql  # on SQLite nobody else writes while a slice is written
    news = make_list(db, "news")
    original = Arrivals._read_slice

    def late(self: Arrivals, *arguments: Any) -> None:
        original(self, *arguments)
        make_subscriber(db, "b@x.org", fields={"name": "first"})

    monkeypatch.setattr(Arrivals, "_read_slice", late)
    with arriving(db) as staged:
        staged.load([arrival(key, told={"name": "second"}) for key in KEYS])
        staged.settle()
        staged.merge(Entry(news, "import", "f", THEN))

    with db.read() as connection:
        found = people.find_subscriber(connection, "b@x.org")
        assert found is not None
        assert found.fields == {"name": "first"}
        assert [each.status for each in people.joined(connection, found.id)] == ["active"]
        assert connection.execute(text("SELECT count(*) FROM subscriber")).scalar_one() == 3


def test_people_are_found_through_indexes(on_sqlite: Database) -> None:
    with arriving(on_sqlite) as staged:
        driver: Any = staged._connection.connection.dbapi_connection
        read = str(staged._statements["read"])
        bound = {"list": 1, "wording": None, "first": 1, "last": 9}
        plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {read}", bound)]

    scans = [step for step in plan if step.startswith("SCAN") and "found" not in step]
    assert scans == [], plan

"""Merging only whom a file concerns does to everybody what merging all of them did.

The import leaves out whoever gets the list already and of whom the file says nothing new. Beside
it stands the statement that left nobody out; two databases get the same acts, one by each, and
must have the same rows and the same reports after every step.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import TextClause, text

from mailer.adapters.leftovers import Leftovers
from mailer.contacts.people import LEAVING
from mailer.errors import MailerError
from mailer.model.words import STATUS_RANK, DateOrder, FieldKind
from mailer.store import arrivals, people_sqlite
from mailer.store.database import Database, database_url
from mailer.store.differences import Difference
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.archive_list import archive_list
from mailer.usecases.declare_field import declare_field
from mailer.usecases.edit_subscriber import SubscriberChanges, edit_subscriber
from mailer.usecases.erase_subscriber import erase_subscriber
from mailer.usecases.import_contacts import ImportReport
from mailer.usecases.lift_suppression import lift_suppression
from mailer.usecases.show_imports import show_imports
from mailer.usecases.suppress_address import suppress_address
from mailer.usecases.tag_subscriber import tag_subscriber
from mailer.usecases.undo_import import undo_import
from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber
from tests import postgres
from tests.builders import dump, make_list
from tests.fakes import FakeClock
from tests.usecases.test_import_contacts import counts, import_text, interrupted, many

COLUMNS = "email,language,status,first_name,points,born,colour,topics"
PEOPLE = ["a@x.org", "b@x.org", "C@x.org", "é@x.org"]
SPELT = [*PEOPLE, "A@x.org", "c@x.org", "É@x.org", " a@X.org "]
people = st.sampled_from(PEOPLE)
lists = st.sampled_from(["news", "club"])
CELLS = (
    st.sampled_from(SPELT),
    st.sampled_from(["", "", "en", "pt-BR"]),
    st.sampled_from(["", "", "", "pending", "unsubscribed", "bounced"]),
    st.sampled_from(["", "", "Ann", "Ann ", "Änne", "null", "'=1"]),
    st.sampled_from(["", "1", "1.0", "1.5", "x"]),
    st.sampled_from(["", "2026-11-24", "24.11.2026"]),
    st.sampled_from(["", "Red", "red", "Blue"]),
    st.sampled_from(["", "a;b", "b;a", "a"]),
)
Content = Sequence[Sequence[str]]
rows = st.lists(st.tuples(*CELLS), min_size=1, max_size=6)
wishes = st.fixed_dictionaries(
    {
        "list_name": lists,
        "status": st.sampled_from(["active", "active", "active", "pending", "unsubscribed"]),
        "consent": st.sampled_from([None, "Yes.", "Yes, still."]),
        "empty_clears": st.booleans(),
    }
)
# What a hand, an older version or another program may have left of the same, or other, values.
KEPT = [
    '{"first_name": "Ann", "points": 1}',
    '{"points": 1.0, "first_name": "Ann"}',
    '{"topics":["a","b"],"points":1}',
    '{"points":null,"first_name":""}',
    "{}",
]


def reading_everybody(dialect: Any, subscriber_id: str) -> TextClause:
    """The statement that put everybody into ``slice``, as it was before."""
    ranks = " ".join(f"WHEN '{status}' THEN {rank}" for status, rank in STATUS_RANK.items())
    rank = f"CASE u.status {ranks} END"
    fields = dialect.FIELDS_CHANGE
    if dialect is people_sqlite:
        fields = (
            "(a.fields <> '{}' AND a.fields <> p.fields"
            " AND json_patch(p.fields, a.fields) <> json(p.fields))"
        )
    receiving = "('active', 'pending')"
    return text(
        "INSERT INTO slice (n, subscriber_id, is_new, fate, changed, lowered, agrees, repeats,"
        f" rank, ceiling, respelt) SELECT n, {subscriber_id}, is_new,"
        " CASE WHEN suppressed THEN 'suppressed'"
        " WHEN joins THEN 'added' WHEN changed OR lowered OR agrees THEN 'updated'"
        " ELSE 'unchanged' END, changed, lowered, agrees, repeats, rank, ceiling,"
        " CASE WHEN respelt THEN 1 ELSE 0 END"
        " FROM (SELECT a.n, a.rank, a.ceiling, p.id, p.id IS NULL AS is_new,"
        " p.address <> a.address AS respelt,"
        " (x.hash IS NOT NULL OR y.hash IS NOT NULL) AS suppressed, u.status IS NULL AS joins,"
        f" (p.id IS NOT NULL AND ({fields} OR {dialect.LANGUAGE_CHANGES})) AS changed,"
        f" (u.status IS NOT NULL AND {rank} < a.ceiling) AS lowered,"
        f" (CAST(:wording AS integer) IS NOT NULL AND u.status IN {receiving}"
        f" AND a.ceiling < {LEAVING} AND NOT EXISTS (SELECT 1 FROM consent c"
        " WHERE c.subscriber_id = p.id AND c.list_id = :list AND c.wording_id = :wording))"
        " AS agrees,"
        f" (u.status NOT IN {receiving} AND a.ceiling >= {LEAVING} AND a.ceiling <= {rank})"
        " AS repeats"
        " FROM arrival a LEFT JOIN subscriber p ON p.key = a.key"
        " LEFT JOIN subscription u ON u.list_id = :list AND u.subscriber_id = p.id"
        " LEFT JOIN suppression x ON x.hash = a.hash"
        " LEFT JOIN list_suppression y ON y.list_id = :list AND y.hash = a.hash"
        f" WHERE a.n BETWEEN :first AND :last {dialect.APART}) AS found"
    )


@contextmanager
def everybody_is_read() -> Iterator[None]:
    statements = arrivals._statements

    def with_everybody(dialect: Any) -> dict[str, TextClause]:
        return statements(dialect) | {
            "read": reading_everybody(dialect, "id"),
            "read and number": reading_everybody(dialect, dialect.NUMBERED),
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrivals, "_statements", with_everybody)
        yield


class Twins(RuleBasedStateMachine):
    """Does everything to two databases; in the second, an import reads everybody."""

    def __init__(self, first: Database, second: Database, folder: Path) -> None:
        super().__init__()
        self.first, self.second, self.folder = first, second, folder
        self.clock = FakeClock()
        self.files: list[tuple[Content, dict[str, Any]]] = []
        self.batches = 0

    @initialize(typed=st.booleans())
    def begins(self, typed: bool) -> None:
        for db in (self.first, self.second):
            make_list(db, "news")
            make_list(db, "club")
            if typed:
                for name, kind in (("points", "number"), ("born", "date"), ("topics", "list")):
                    declare_field(name, db=db, clock=self.clock, kind=FieldKind(kind))
                declare_field("colour", db=db, clock=self.clock, choices=["Red", "Blue"])

    def both(self, act: Callable[[Database], Any]) -> Any:
        """Does it to both; what comes of it, a refusal too, must be the same."""
        found = [told(act, self.first)]
        with everybody_is_read():
            found.append(told(act, self.second))
        assert found[0] == found[1]
        self.clock.advance(timedelta(seconds=1))
        return found[0]

    @rule(content=rows, wished=wishes)
    def imports(self, content: Content, wished: dict[str, Any]) -> None:
        self.files.append((content, wished))
        self.merges(content, wished)

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def imports_the_same_again(self, data: st.DataObject) -> None:
        self.merges(*data.draw(st.sampled_from(self.files)))

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def imports_it_with_one_other_cell(self, data: st.DataObject) -> None:
        content, wished = data.draw(st.sampled_from(self.files))
        row = data.draw(st.integers(0, len(content) - 1))
        column = data.draw(st.integers(0, len(CELLS) - 1))
        cells = list(content[row])
        cells[column] = data.draw(CELLS[column])
        self.merges([*content[:row], cells, *content[row + 1 :]], wished)

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def imports_it_in_capitals(self, data: st.DataObject) -> None:
        content, wished = data.draw(st.sampled_from(self.files))
        self.merges([(row[0].upper(), *row[1:]) for row in content], wished)

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def imports_it_with_other_words(self, data: st.DataObject) -> None:
        content, wished = data.draw(st.sampled_from(self.files))
        self.merges(content, wished | {"consent": f"Yes, of {self.batches}."})

    @precondition(lambda self: self.files)
    @rule(data=st.data(), name=st.sampled_from(["list_name", "status", "consent"]), other=wishes)
    def imports_it_with_another_wish(
        self, data: st.DataObject, name: str, other: dict[str, Any]
    ) -> None:
        content, wished = data.draw(st.sampled_from(self.files))
        self.merges(content, wished | {name: other[name]})

    @precondition(lambda self: self.files)
    @rule(data=st.data(), name=st.sampled_from([None, "news", "club"]))
    def suppresses_somebody_and_imports_again(self, data: st.DataObject, name: str | None) -> None:
        content, wished = data.draw(st.sampled_from(self.files))
        person = data.draw(st.sampled_from(content))[0]
        self.both(lambda db: suppress_address(person, db=db, clock=self.clock, list_name=name))
        self.merges(content, wished)

    def merges(self, content: Content, wished: dict[str, Any]) -> None:
        table = COLUMNS + "\n" + "".join(",".join(row) + "\n" for row in content)
        wished = wished | {"keep_columns": True, "dates": DateOrder.dmy}

        def rehearse(db: Database) -> Any:
            seen: list[Difference] = []
            report = import_text(db, self.clock, table, dry_run=True, tell=seen.append, **wished)
            return counts(report), report, seen

        rehearsed = self.both(rehearse)
        done = self.both(lambda db: import_text(db, self.clock, table, **wished))
        if isinstance(done, ImportReport):
            self.batches += 1
            assert counts(done) == rehearsed[0]

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def takes_back(self, data: st.DataObject) -> None:
        batch = data.draw(st.integers(1, self.batches))
        self.both(lambda db: undo_import(batch, db=db, clock=self.clock))

    @rule(
        person=people,
        fields=st.sampled_from([{"first_name": "Ann"}, {"first_name": "Bo"}, {"points": "1"}]),
        clear=st.sampled_from([(), ("colour",)]),
        language=st.sampled_from([None, "", "en"]),
    )
    def edits(
        self, person: str, fields: dict[str, str], clear: Sequence[str], language: str | None
    ) -> None:
        changes = SubscriberChanges(fields=fields, clear=clear, language=language)
        self.both(lambda db: edit_subscriber(person, changes, db=db, clock=self.clock))

    @rule(person=people, new=st.sampled_from(["A@x.org", "d@x.org"]))
    def renames(self, person: str, new: str) -> None:
        changes = SubscriberChanges(address=new)
        self.both(lambda db: edit_subscriber(person, changes, db=db, clock=self.clock))

    @rule(person=people, kept=st.sampled_from(KEPT))
    def is_kept_otherwise(self, person: str, kept: str) -> None:
        def keep(db: Database) -> int:
            with db.write() as connection:
                return connection.execute(
                    text(f"UPDATE subscriber SET fields = {as_json(db)} WHERE key = :key"),
                    {"kept": kept, "key": person.lower()},
                ).rowcount

        self.both(keep)

    @rule(person=people, name=lists)
    def joins_by_hand(self, person: str, name: str) -> None:
        self.both(lambda db: add_subscriber(person, list_name=name, db=db, clock=self.clock))

    @rule(person=people, name=st.sampled_from([None, "news"]))
    def unsubscribes(self, person: str, name: str | None) -> None:
        self.both(
            lambda db: unsubscribe_subscriber(person, db=db, clock=self.clock, list_name=name)
        )

    @rule(person=people, name=st.sampled_from([None, "news", "club"]), back=st.booleans())
    def is_suppressed(self, person: str, name: str | None, back: bool) -> None:
        act = lift_suppression if back else suppress_address
        self.both(lambda db: act(person, db=db, clock=self.clock, list_name=name))

    @rule(person=people, keep_out=st.booleans())
    def is_erased(self, person: str, keep_out: bool) -> None:
        self.both(
            lambda db: erase_subscriber(
                person,
                db=db,
                clock=self.clock,
                leftovers=Leftovers(self.folder / "rejects"),
                keep_out=keep_out,
            )
        )

    @rule(person=people)
    def is_tagged(self, person: str) -> None:
        self.both(lambda db: tag_subscriber(person, ["press"], db=db, clock=self.clock))

    @rule(name=lists, back=st.booleans())
    def is_archived(self, name: str, back: bool) -> None:
        self.both(lambda db: archive_list(name, db=db, clock=self.clock, back=back))

    @invariant()
    def they_are_alike(self) -> None:
        assert dump(self.first) == dump(self.second)
        assert show_imports(db=self.first) == show_imports(db=self.second)

    def teardown(self) -> None:
        self.first.close()
        self.second.close()


def told(act: Callable[[Database], Any], db: Database) -> Any:
    try:
        return act(db)
    except MailerError as error:
        return type(error).__name__, error.message


def as_json(db: Database) -> str:
    return ":kept" if db.on_sqlite else "CAST(:kept AS json)"


def run(machine: Any, examples: int, steps: int) -> None:
    run_machine(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )


def test_on_sqlite(sqlite_template: Path) -> None:
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as folder:

        def opened() -> Database:
            file = Path(folder) / f"{next(numbers)}.db"
            shutil.copy(sqlite_template, file)
            return Database(database_url(f"sqlite:///{file}", Path(folder)))

        run(lambda: Twins(opened(), opened(), Path(folder)), 40, 15)


def test_on_postgresql(postgresql: postgres.Server, tmp_path: Path) -> None:
    numbers = itertools.count()

    def opened() -> Database:
        url = postgresql.make(f"twin_{next(numbers)}", postgres.TEMPLATE)
        return Database(database_url(url, Path()))

    run(lambda: Twins(opened(), opened(), tmp_path), 6, 12)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_every_row_counts_once_over_many_slices(
    db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    for name in ("FIRST_SLICE", "SMALLEST", "LARGEST"):
        monkeypatch.setattr(arrivals, name, size)
    table = "email,first_name\n" + "".join(
        f"p{n // 2 if n % 5 == 0 else n}@x.org,Ann\n" for n in range(20)
    )
    first = import_text(db, clock, table)
    with db.write() as connection:
        connection.execute(text("DELETE FROM subscription WHERE subscriber_id = 3"))
        connection.execute(text("UPDATE subscriber SET fields = '{}' WHERE id = 7"))

    rehearsed = import_text(db, clock, table, dry_run=True)
    again = import_text(db, clock, table)

    people = first.added
    assert counts(first) == (people, 0, 0, 0, 0, 20 - people)
    assert people < 20
    assert counts(again) == counts(rehearsed) == (1, 1, people - 2, 0, 0, 20 - people)
    assert [(shown.added, shown.unchanged) for shown in show_imports(db=db)] == [
        (people, 0),
        (1, people - 2),
    ]


def test_one_that_was_killed_counts_everybody_once(
    db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_SLICE", "SMALLEST", "LARGEST"):
        monkeypatch.setattr(arrivals, name, 10)
    import_text(db, clock, many(50))
    before = dump(db)
    interrupted(db, clock, many(50), after=20)

    report = import_text(db, clock, many(50), digest="same")

    assert (report.batch, counts(report)) == (2, (0, 0, 50, 0, 0, 0))
    assert {name: rows for name, rows in dump(db).items() if name != "batch"} == {
        name: rows for name, rows in before.items() if name != "batch"
    }

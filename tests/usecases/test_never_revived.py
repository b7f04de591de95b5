"""Whoever left or is suppressed never becomes mailable by imports, edits and undos in any order."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import text

from mailer.errors import InputError, NotFoundError
from mailer.store.database import Database, database_url
from mailer.store.subscriptions import Click, leave_everything, leave_list
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.suppress_address import suppress_address
from mailer.usecases.undo_import import undo_import
from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber
from tests import postgres
from tests.builders import dump, make_list
from tests.fakes import FakeClock
from tests.usecases.test_import_contacts import import_text

PEOPLE = ["a@x.org", "b@x.org", "C@x.org"]
LEAVES = ("unsubscribed", "bounced", "complained")
people = st.sampled_from(PEOPLE)
rows = st.lists(
    st.tuples(
        people, st.sampled_from(["", "active", "pending", *LEAVES]), st.sampled_from(["", "X", "Y"])
    ),
    min_size=1,
    max_size=4,
)
lists = st.sampled_from(["news", "club"])


class Revival(RuleBasedStateMachine):
    """Beside the database, who must not be mailed: by hand, for ever; by a file, until its undo."""

    def __init__(self, db: Database) -> None:
        super().__init__()
        self.db, self.clock = db, FakeClock()
        for name in ("news", "club"):
            make_list(db, name)
        self.by_hand: set[tuple[str, str]] = set()
        self.suppressed: set[str] = set()
        self.by_file: dict[int, tuple[str, set[str]]] = {}

    @rule(name=lists, told=rows)
    def imports(self, name: str, told: list[tuple[str, str, str]]) -> None:
        known = {key for key, _ in self.standing()}
        batch = import_text(self.db, self.clock, csv(told), list_name=name).batch
        assert batch is not None
        left = {key.lower() for key, status, _ in told if status in LEAVES}
        kept_out = {key for key in self.suppressed if key not in known}
        self.by_file[batch] = (name, left - kept_out)

    @rule(name=lists, told=rows)
    def imports_and_takes_back(self, name: str, told: list[tuple[str, str, str]]) -> None:
        before = self.state()
        batch = import_text(self.db, self.clock, csv(told), list_name=name, consent="Yes.").batch
        assert batch is not None
        assert undo_import(batch, db=self.db, clock=self.clock).kept == ()
        assert self.state() == before

    @precondition(lambda self: self.by_file)
    @rule(data=st.data())
    def takes_back(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(sorted(self.by_file)))
        try:
            report = undo_import(batch, db=self.db, clock=self.clock)
        except InputError:
            assert self.suppressed  # with its people erased, nothing of it is on record
            return
        name, left = self.by_file[batch]
        self.by_file[batch] = (name, left & {kept.address.lower() for kept in report.kept})

    @rule(person=people, name=lists)
    def operator_unsubscribes(self, person: str, name: str) -> None:
        try:
            unsubscribe_subscriber(person, db=self.db, clock=self.clock, list_name=name)
        except NotFoundError:
            return
        if (person.lower(), name) in self.standing():
            self.by_hand.add((person.lower(), name))

    @rule(person=people, everything=st.booleans())
    def reader_leaves(self, person: str, everything: bool) -> None:
        with self.db.write() as connection:
            found = connection.execute(
                text("SELECT id FROM subscriber WHERE key = :key"), {"key": person.lower()}
            ).scalar()
            if found is None:
                return
            click = Click(int(found), None, self.clock.now())
            if everything:
                leave_everything(connection, click)
                self.suppressed.add(person.lower())
            else:
                leave_list(connection, click, 1)
                self.by_hand.add((person.lower(), "news"))

    @rule(person=people)
    def is_suppressed(self, person: str) -> None:
        suppress_address(person, db=self.db, clock=self.clock)
        self.suppressed.add(person.lower())

    @rule(person=people, name=lists)
    def operator_adds(self, person: str, name: str) -> None:
        add_subscriber(person, list_name=name, db=self.db, clock=self.clock)

    @invariant()
    def nobody_is_revived(self) -> None:
        mailable = {
            place
            for place, status in self.standing().items()
            if status in ("active", "pending") and place[0] not in self.suppressed
        }
        assert mailable & self.by_hand == set()
        for name, left in self.by_file.values():
            assert mailable & {(key, name) for key in left} == set()
        with self.db.read() as connection:
            hashes = connection.execute(text("SELECT count(*) FROM suppression")).scalar_one()
        assert hashes == len(self.suppressed)

    def teardown(self) -> None:
        self.db.close()

    def standing(self) -> Mapping[tuple[str, str], str]:
        with self.db.read() as connection:
            found = connection.execute(
                text(
                    "SELECT p.key, l.name, u.status FROM subscription u"
                    " JOIN subscriber p ON p.id = u.subscriber_id JOIN list l ON l.id = u.list_id"
                )
            )
            return {(row[0], row[1]): row[2] for row in found}

    def state(self) -> Mapping[str, Sequence[str]]:
        rows = dump(self.db)
        return {name: rows[name] for name in ("subscriber", "subscription", "consent")}


def csv(told: Sequence[tuple[str, str, str]]) -> str:
    return "email,status,first_name\n" + "".join(",".join(row) + "\n" for row in told)


def _run(machine: Any, examples: int, steps: int) -> None:
    run_machine(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_on_sqlite(sqlite_template: Path) -> None:
    folder = Path(tempfile.mkdtemp())

    def machine() -> Revival:
        file = folder / f"{next(numbers)}.db"
        shutil.copy(sqlite_template, file)
        return Revival(Database(database_url(f"sqlite:///{file}", folder)))

    numbers = itertools.count()
    _run(machine, 40, 12)
    shutil.rmtree(folder)


def test_on_postgresql(postgresql: postgres.Server) -> None:
    numbers = itertools.count()

    def machine() -> Revival:
        url = postgresql.make(f"revival_{next(numbers)}", postgres.TEMPLATE)
        return Revival(Database(database_url(url, Path())))

    _run(machine, 6, 8)

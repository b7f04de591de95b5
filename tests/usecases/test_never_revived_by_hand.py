"""Nor by renaming, erasing, or a suppression of one list, mixed with imports and undos."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

from hypothesis.stateful import rule
from sqlalchemy import text

from mailer.adapters.leftovers import Leftovers
from mailer.errors import InputError, NotFoundError
from mailer.store.database import Database, database_url
from mailer.usecases.edit_subscriber import SubscriberChanges, edit_subscriber
from mailer.usecases.erase_subscriber import erase_subscriber
from mailer.usecases.suppress_address import suppress_address
from tests import postgres
from tests.usecases.test_never_revived import Revival, _run, lists, people

NOWHERE = Leftovers(Path("nowhere"))


class Hands(Revival):
    """What an operator may do beside: each step is checked by the same invariant."""

    @rule(person=people)
    def is_renamed(self, person: str) -> None:
        new = f"new-{person.lower()}"
        left = {(new, name) for key, name in self.by_hand if key == person.lower()}
        joined = {name for key, name in self.standing() if key == person.lower()}
        try:
            changes = SubscriberChanges(address=new)
            edit_subscriber(person, changes, db=self.db, clock=self.clock)
        except (InputError, NotFoundError):
            return
        self.by_hand |= {(key, name) for key, name in left if name in joined}

    @rule(person=people)
    def is_erased(self, person: str) -> None:
        try:
            erase_subscriber(person, db=self.db, clock=self.clock, leftovers=NOWHERE)
        except NotFoundError:
            return
        self.suppressed.add(person.lower())
        with self.db.read() as connection:
            found = connection.execute(
                text("SELECT count(*) FROM subscriber WHERE key = :key"), {"key": person.lower()}
            ).scalar_one()
        assert found == 0

    @rule(person=people, name=lists)
    def is_kept_off_a_list(self, person: str, name: str) -> None:
        """Who is on it already stays in its rows: plans leave them out."""
        suppress_address(person, db=self.db, clock=self.clock, list_name=name)
        if (person.lower(), name) not in self.standing():
            self.by_hand.add((person.lower(), name))


def test_on_sqlite(sqlite_template: Path, tmp_path: Path) -> None:
    numbers = itertools.count()

    def machine() -> Hands:
        file = tmp_path / f"{next(numbers)}.db"
        shutil.copy(sqlite_template, file)
        return Hands(Database(database_url(f"sqlite:///{file}", tmp_path)))

    _run(machine, 20, 10)


def test_on_postgresql(postgresql: postgres.Server) -> None:
    numbers = itertools.count()

    def machine() -> Hands:
        url = postgresql.make(f"hands_{next(numbers)}", postgres.TEMPLATE)
        return Hands(Database(database_url(url, Path())))

    _run(machine, 4, 8)

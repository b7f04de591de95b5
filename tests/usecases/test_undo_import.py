"""Undoing an import leaves everybody as before it, but for those who acted since."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.errors import BusyError, InputError, NotFoundError
from mailer.store import undoing
from mailer.store.database import Database
from mailer.store.undoing import Kept
from mailer.usecases.show_imports import show_imports
from mailer.usecases.show_subscriber import show_subscriber
from mailer.usecases.suppress_address import suppress_address
from mailer.usecases.undo_import import undo_import
from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber
from tests.builders import dump, make_campaign, make_list
from tests.fakes import FakeClock
from tests.usecases.test_import_contacts import import_text

FIRST = "email,first_name,status\na@x.org,Ann,\nb@x.org,Bob,\nc@x.org,Cy,unsubscribed\n"
SECOND = (
    "email,first_name,last_name,language\na@x.org,Anne,Oslo,nb\nb@x.org,Bob,,\nd@x.org,Di,Bergen,\n"
)
STATE = ("subscriber", "subscription", "consent", "suppression", "list")


def state(db: Database) -> Mapping[str, Sequence[str]]:
    rows = dump(db)
    return {table: rows[table] for table in STATE}


def status(db: Database, address: str) -> str | None:
    return next((each.status for each in show_subscriber(address, db=db).lists), None)


def test_restores_exactly_what_the_import_changed(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, FIRST, consent="Old words.")
    before = state(db)
    clock.advance(timedelta(days=1))
    batch = import_text(db, clock, SECOND, consent="New words.", status="pending").batch
    assert batch is not None
    assert state(db) != before

    report = undo_import(batch, db=db, clock=clock)

    assert (report.undone, report.kept) == (3, ())
    assert state(db) == before
    assert [(x.state, x.undoable) for x in show_imports(db=db)] == [("done", 3), ("undone", 0)]


def test_undone_twice_and_imported_again(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, FIRST, digest="abc")
    after = {name: len(rows) for name, rows in state(db).items()}
    undo_import(1, db=db, clock=clock)
    assert undo_import(1, db=db, clock=clock).undone == 0

    again = import_text(db, clock, FIRST, digest="abc")

    assert (again.batch, again.added) == (2, 3)
    assert {name: len(rows) for name, rows in state(db).items()} == after


def test_whoever_acted_since_is_left_and_named(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, FIRST)
    unsubscribe_subscriber("a@x.org", db=db, clock=clock)
    suppress_address("b@x.org", db=db, clock=clock)

    report = undo_import(1, db=db, clock=clock)

    assert report.undone == 1
    assert report.kept == (
        Kept("a@x.org", "unsubscribed since, by operator"),
        Kept("b@x.org", "suppressed since, by operator"),
    )
    assert status(db, "a@x.org") == "unsubscribed"
    with pytest.raises(NotFoundError):
        show_subscriber("c@x.org", db=db)


def test_a_departure_said_again_by_hand_holds(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email\na@x.org\nb@x.org\n")
    lowered = "email,status\na@x.org,unsubscribed\nb@x.org,unsubscribed\n"
    import_text(db, clock, lowered)
    unsubscribe_subscriber("a@x.org", db=db, clock=clock, list_name="news")

    report = undo_import(2, db=db, clock=clock)

    assert report.kept == (Kept("a@x.org", "unsubscribed since, by operator"),)
    assert (status(db, "a@x.org"), status(db, "b@x.org")) == ("unsubscribed", "active")


def test_a_departure_said_again_by_a_file_holds(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email\na@x.org\n")
    for _ in range(2):
        report = import_text(db, clock, "email,status\na@x.org,unsubscribed\n")
    assert report.unchanged == 1

    assert undo_import(2, db=db, clock=clock).kept == (
        Kept("a@x.org", "changed by a later import"),
    )
    assert status(db, "a@x.org") == "unsubscribed"
    undo_import(3, db=db, clock=clock)
    assert undo_import(2, db=db, clock=clock).undone == 1
    assert status(db, "a@x.org") == "active"


def test_a_file_lowers_also_who_is_suppressed(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email,first_name\na@x.org,Ann\n")
    suppress_address("a@x.org", db=db, clock=clock)

    report = import_text(db, clock, "email,status,first_name\na@x.org,unsubscribed,Anne\n")

    assert report.suppressed == 1
    assert status(db, "a@x.org") == "unsubscribed"
    assert show_subscriber("a@x.org", db=db).fields == {"first_name": "Ann"}
    undo_import(2, db=db, clock=clock)
    assert status(db, "a@x.org") == "active"


def test_whom_a_campaign_names_stays_on_no_list(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email\na@x.org\nb@x.org\n")
    with db.read() as connection:
        ids = connection.execute(text("SELECT id FROM subscriber ORDER BY key")).scalars().all()
    make_campaign(db, 1, readers={ids[0]: "en"})

    assert undo_import(1, db=db, clock=clock).undone == 2

    assert show_subscriber("a@x.org", db=db).lists == []
    with pytest.raises(NotFoundError):
        show_subscriber("b@x.org", db=db)


def test_what_cannot_be_undone_says_so(db: Database, clock: FakeClock) -> None:
    with pytest.raises(NotFoundError):
        undo_import(1, db=db, clock=clock)
    import_text(db, clock, "email\na@x.org\n")
    with db.write() as connection:
        connection.execute(text("UPDATE batch SET state = 'loading'"))
    with pytest.raises(BusyError):
        undo_import(1, db=db, clock=clock)
    with db.write() as connection:
        connection.execute(text("UPDATE batch SET state = 'done'"))
        connection.execute(text("DELETE FROM batch_change"))
    with pytest.raises(InputError, match="not on record"):
        undo_import(1, db=db, clock=clock)
    assert [each.state for each in show_imports(db=db)] == ["done"]


def test_an_undo_that_was_killed_is_completed_by_the_next(
    db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_list(db, "news")
    before = state(db)
    import_text(db, clock, "email\n" + "".join(f"p{n}@x.org\n" for n in range(300)))
    child = (
        "import sys, os; from pathlib import Path; from mailer.store import undoing;"
        "from mailer.store.database import Database, database_url;"
        "from mailer.usecases.undo_import import undo_import; from tests.fakes import FakeClock;"
        "undoing.AT_ONCE = 50;"
        "undo_import(1, db=Database(database_url(sys.argv[1], Path())), clock=FakeClock(),"
        " progress=lambda done: done < 150 or os.kill(os.getpid(), 9))"
    )
    url = db.url.render_as_string(hide_password=False)
    died = subprocess.run(
        [sys.executable, "-c", child, url], cwd=Path(__file__).parents[2], check=False
    )
    assert died.returncode == -9
    assert len(state(db)["subscriber"]) == 150
    monkeypatch.setattr(undoing, "AT_ONCE", 40)

    assert undo_import(1, db=db, clock=clock).undone == 150
    assert state(db) == before

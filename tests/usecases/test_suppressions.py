"""Suppressions hold everywhere or on one list, and travel between databases as hashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.adapters.contact_files import open_contacts
from mailer.adapters.inbox import Inbox
from mailer.adapters.outgoing_files import whole_file, write_csv
from mailer.errors import InputError, NotFoundError
from mailer.store import people
from mailer.store.audience import Selection
from mailer.store.crowd import gathered
from mailer.store.database import Database
from mailer.usecases.add_list import add_list
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.check_suppression import check_suppression
from mailer.usecases.export_suppressions import export_suppressions
from mailer.usecases.import_suppressions import ImportedSuppressions, import_suppressions
from mailer.usecases.lift_suppression import lift_suppression
from mailer.usecases.suppress_address import suppress_address
from tests.builders import dump, events
from tests.fakes import FakeClock
from tests.sending import plan_letters, send


@pytest.fixture(autouse=True)
def lists(db: Database, clock: FakeClock) -> None:
    add_list("news", db=db, clock=clock)
    add_list("letters", db=db, clock=clock)


def exported(db: Database, path: Path, *, addresses: bool = False) -> Path:
    found = export_suppressions(db=db, addresses=addresses)
    with whole_file(path, encoding="utf-8-sig") as file:
        write_csv(file, found.rows)
    return path


def imported(db: Database, clock: FakeClock, path: Path, **words: str) -> ImportedSuppressions:
    with open_contacts(path) as table:
        return import_suppressions(table, db=db, clock=clock, **words)


def test_a_list_of_its_own(db: Database, clock: FakeClock) -> None:
    done = suppress_address("anna@x.org", db=db, clock=clock, list_name="news", reason="by phone")

    assert (done.suppressed, done.reason, done.changed) == (True, "by phone", True)
    assert not check_suppression("anna@x.org", db=db).suppressed
    assert check_suppression("ANNA@x.org", db=db, list_name="news").suppressed
    kept_out = add_subscriber("anna@x.org", list_name="news", db=db, clock=clock)
    let_in = add_subscriber("anna@x.org", list_name="letters", db=db, clock=clock)
    assert (kept_out.outcome, let_in.outcome) == ("suppressed", "added")
    assert lift_suppression("anna@x.org", db=db, clock=clock, list_name="news").changed
    assert add_subscriber("anna@x.org", list_name="news", db=db, clock=clock).outcome == "added"
    with pytest.raises(NotFoundError):
        suppress_address("anna@x.org", db=db, clock=clock, list_name="nws")


def test_hashes_come_back_and_hold(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    suppress_address("anna@x.org", db=db, clock=clock, reason="complaint")
    suppress_address("ben@x.org", db=db, clock=clock, list_name="news", reason="by phone")
    before = dump(db)
    file = exported(db, tmp_path / "hashes.csv")
    lift_suppression("anna@x.org", db=db, clock=clock)
    lift_suppression("ben@x.org", db=db, clock=clock, list_name="news")

    first = imported(db, clock, file)
    again = imported(db, clock, file)

    assert (first.kind, first.rows, first.added, first.there) == ("hashes", 2, 2, 0)
    assert (again.added, again.there) == (0, 2)
    for table in ("suppression", "list_suppression"):
        assert dump(db)[table] == before[table]
    assert "anna" not in file.read_text("utf-8")
    assert file.stat().st_mode & 0o077 == 0


def test_hashes_of_another_key_are_refused(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    suppress_address("anna@x.org", db=db, clock=clock)
    file = exported(db, tmp_path / "hashes.csv")
    text = file.read_text("utf-8-sig")
    ours = text.split(":")[1]
    file.write_text(text.replace(ours, "0123456789abcdef"), "utf-8")
    before = dump(db)

    with pytest.raises(InputError, match=f"0123456789abcdef.*{ours}"):
        imported(db, clock, file)

    assert dump(db) == before


def test_a_file_that_is_cut_short_says_so(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        suppress_address(f"{name}@x.org", db=db, clock=clock)
    file = exported(db, tmp_path / "hashes.csv")
    lines = file.read_text("utf-8-sig").splitlines()
    file.write_text("\n".join([*lines[:2], lines[2][:20]]), "utf-8")

    done = imported(db, clock, file)

    assert (done.rows, done.there, done.rejected, done.missing) == (2, 1, 1, 1)


def test_a_file_of_addresses(db: Database, clock: FakeClock, tmp_path: Path) -> None:
    add_subscriber("anna@x.org", list_name="news", db=db, clock=clock)
    file = tmp_path / "left.csv"
    file.write_text("Name;E-Mail\nA;Anna@x.org\nB;nobody\nC;ben@x.org\n\nD;ANNA@x.org\n", "utf-8")

    done = imported(db, clock, file, reason="old tool")

    assert (done.rows, done.added, done.there, done.rejected) == (4, 2, 1, 1)
    assert done.rejects[0].line == 3
    assert check_suppression("ben@x.org", db=db).reason == "old tool"
    assert events(db, 1)[-1] == ("suppressed", "operator", None, "old tool")
    back = exported(db, tmp_path / "known.csv", addresses=True).read_text("utf-8-sig")
    assert [line.split(",")[:3] for line in back.splitlines()] == [
        ["email", "list", "reason"],
        ["anna@x.org", "", "old tool"],
    ]


def test_a_file_lifts_nothing_and_hardens_a_readers_wish(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    suppress_address("anna@x.org", db=db, clock=clock, reason="reader")
    suppress_address("ben@x.org", db=db, clock=clock, reason="complaint")
    file = tmp_path / "left.csv"
    file.write_text("email\nanna@x.org\nben@x.org\n", "utf-8")

    done = imported(db, clock, file, reason="old tool")

    assert (done.added, done.there) == (1, 1)
    assert check_suppression("anna@x.org", db=db).reason == "old tool"
    assert check_suppression("ben@x.org", db=db).reason == "complaint"


def test_a_suppressed_person_is_neither_planned_nor_sent(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    campaign_id = plan_letters(db, 3)
    suppress_address("edition-2@example2.org", db=db, clock=clock, list_name="edition")
    with db.read() as connection:
        list_id = people.find_list(connection, "edition").id
    with gathered(db, Selection(list_id), [], {}) as crowd:
        excluded, left = crowd.excluded, crowd.size

    with Inbox() as inbox:
        report = send(db, campaign_id, tmp_path, inbox.port)

    assert (left, excluded) == (2, {"suppressed": 1})
    assert (report.counts.accepted, report.counts.skipped) == (2, 1)
    assert len(inbox.messages) == 2

"""An erased person is nowhere any more, and nobody else is touched: every byte is looked at."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.adapters.contact_files import open_contacts
from mailer.adapters.inbox import Inbox
from mailer.adapters.leftovers import Leftovers
from mailer.adapters.rejects_file import RejectsFile
from mailer.contacts.address import parse_address
from mailer.contacts.mention import mentions
from mailer.errors import NotFoundError
from mailer.model.words import TrackingAnswer
from mailer.smtp.pace import Pace
from mailer.store import evidence, maintenance, people, planning
from mailer.store.database import Database
from mailer.usecases.add_list import add_list
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.check_suppression import check_suppression
from mailer.usecases.edit_subscriber import SubscriberChanges, edit_subscriber
from mailer.usecases.erase_subscriber import ErasedSubscriber, erase_subscriber
from mailer.usecases.import_contacts import import_contacts
from mailer.usecases.suppress_address import suppress_address
from mailer.usecases.tag_subscriber import tag_subscriber
from tests.builders import dump
from tests.fakes import FakeClock
from tests.sending import plan_for, send

ANNA = "anna.weiß@müller.example.org"
A_LABEL = "anna.weiß@xn--mller-kva.example.org"
TRACES = ("anna.wei", "xn--mller", "müller", "zanzibar", "203.0.113.7", "sailor")
FILE = """\
email,city,language
{anna},Zanzibar,fr
ben@x.org,Rome,
{anna};carl@x.org,Zanzibar,
nobody,Oslo,
"""


def erase(
    db: Database, clock: FakeClock, folder: Path, *, keep_out: bool = True
) -> ErasedSubscriber:
    leftovers = Leftovers(folder / "rejects")
    return erase_subscriber(ANNA, db=db, clock=clock, leftovers=leftovers, keep_out=keep_out)


def bring(db: Database, clock: FakeClock, folder: Path) -> None:
    """Imports a file with Anna in two rows, one of which is refused."""
    file = folder / "people.csv"
    file.write_text(FILE.format(anna=ANNA), "utf-8")
    rejects = RejectsFile(folder / "rejects" / "people-1.csv")
    with open_contacts(file) as source:
        import_contacts(
            source,
            db=db,
            clock=clock,
            list_name="news",
            rejects=rejects,
            keep_columns=True,
            consent="Yes.",
        )
    file.unlink()  # the officer's own file is the officer's


@pytest.fixture
def folder(db: Database, clock: FakeClock, tmp_path: Path) -> Path:
    """A database in which Anna has left traces everywhere."""
    data = tmp_path / "data"
    data.mkdir()
    add_list("news", db=db, clock=clock)
    bring(db, clock, data)
    changes = SubscriberChanges(fields={"job": "Sailor"}, tracking=TrackingAnswer.yes)
    edit_subscriber(ANNA, changes, db=db, clock=clock)
    tag_subscriber(ANNA, ["sailor"], db=db, clock=clock)
    with db.write() as connection:
        evidence.record_consent(
            connection,
            _id(db, ANNA),
            1,
            source="form",
            detail="sign-up 3",
            at=clock.now(),
            ip="203.0.113.7",
            user_agent="Sailor/1",
        )
    return data


def _id(db: Database, address: str) -> int:
    with db.read() as connection:
        return int(people.require_subscriber(connection, address).id)


def traces(db: Database, folder: Path) -> list[str]:
    """Where Anna is still to be found: in rows, and in the bytes of every file of the workspace."""
    db.engine.dispose()
    rows = [
        f"{table}: {trace}"
        for table, lines in dump(db).items()
        for trace in TRACES
        if any(trace in line.casefold() for line in lines)
    ]
    files = [
        f"{file.name}: {trace}"
        for file in folder.parent.rglob("*")
        if file.is_file()
        for trace in TRACES
        if trace.encode() in file.read_bytes().lower()
    ]
    return rows + files


def test_no_trace_is_left(db: Database, clock: FakeClock, folder: Path) -> None:
    ben = _id(db, "ben@x.org")
    plan_for(db, {_id(db, ANNA): parse_address(ANNA).address, ben: "ben@x.org"}, 1)
    with db.write() as connection:
        connection.execute(
            text(
                "UPDATE delivery SET state = 'refused', reason = 'no_such_user',"
                " reply = :reply WHERE subscriber_id = :s"
            ),
            {"s": _id(db, ANNA), "reply": f"550 <{A_LABEL.upper()}> unknown"},
        )
        connection.execute(text("UPDATE tally SET planned = planned - 1, refused = refused + 1"))
        connection.execute(
            text("UPDATE delivery SET reply = :reply WHERE subscriber_id = :s"),
            {"s": ben, "reply": f"250 sent on to {A_LABEL}"},
        )
    assert {each.split(":")[1].strip() for each in traces(db, folder)} >= set(TRACES) - {"müller"}
    before = dump(db)

    done = erase(db, clock, folder)

    assert traces(db, folder) == []
    assert (done.kept_out, done.mails, done.rewritten) == (True, 1, True)
    assert [Path(file).name for file in done.files] == ["people-1.csv"]
    assert maintenance.faults(db) == []
    after = dump(db)
    for table in ("tally", "batch", "campaign", "variant", "list", "field"):
        assert after[table] == before[table]
    assert len(after["delivery"]) == len(before["delivery"])
    assert len(after["event"]) == len(before["event"]) + 2  # suppressed, erased
    assert any("ben@x.org" in line for line in after["subscriber"])
    rejects = (folder / "rejects" / "people-1.csv").read_text("utf-8-sig")
    assert "nobody" in rejects
    assert rejects.startswith("email,city,language")


def test_the_hash_stops_an_import_again(db: Database, clock: FakeClock, folder: Path) -> None:
    erase(db, clock, folder)
    clock.advance(timedelta(days=1))

    bring(db, clock, folder)

    assert check_suppression(ANNA, db=db).reason == "erased"
    with db.read() as connection:
        assert people.find_subscriber(connection, ANNA) is None
    assert add_subscriber(ANNA, list_name="news", db=db, clock=clock).outcome == "suppressed"
    again = erase(db, clock, folder)  # the rejects file of the second import
    assert (again.mails, len(again.files)) == (0, 1)
    with pytest.raises(NotFoundError):
        erase(db, clock, folder)


def test_may_return_keeps_no_hash(db: Database, clock: FakeClock, folder: Path) -> None:
    erase(db, clock, folder, keep_out=False)

    assert not check_suppression(ANNA, db=db).suppressed
    assert add_subscriber(ANNA, list_name="news", db=db, clock=clock).outcome == "added"


def test_a_complaint_outlives_erasure(db: Database, clock: FakeClock, folder: Path) -> None:
    suppress_address(ANNA, db=db, clock=clock, reason="complaint")
    erase(db, clock, folder, keep_out=False)

    assert check_suppression(ANNA, db=db).reason == "complaint"


def test_in_the_middle_of_a_send(db: Database, clock: FakeClock, folder: Path) -> None:
    """The counts add up, the person is skipped, and everybody else gets their mail."""
    crowd = {_id(db, ANNA): parse_address(ANNA).address}
    for number in range(40):
        added = add_subscriber(f"p{number}@x.org", list_name="news", db=db, clock=clock)
        crowd[_id(db, added.address)] = added.address
    # Anna stands last: she is erased while others are on the wire.
    people_ = {key: crowd[key] for key in [*list(crowd)[1:], next(iter(crowd))]}
    campaign = plan_for(db, people_, 1)
    erased: list[ErasedSubscriber] = []

    def during(counts: object, due: int | None) -> None:
        if not erased:
            erased.append(erase(db, clock, folder))

    with Inbox() as inbox:
        pace = Pace(window=5, group=5, rate=0, connections=1)
        report = send(db, campaign, folder / "runs", inbox.port, pace=pace, progress=during)

    assert erased[0].skipped == 1
    assert (report.counts.accepted, report.counts.skipped) == (40, 1)
    assert report.counts.balanced
    assert report.state == "finished"
    assert maintenance.faults(db) == []
    assert len(inbox.messages) == 40
    maintenance.rewrite(db)
    assert traces(db, folder) == []


def test_a_plan_that_was_being_written_forgets_them_too(
    db: Database, clock: FakeClock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = _id(db, ANNA)
    real = planning.publish

    def meanwhile(*arguments: Any, **more: Any) -> str:
        clock.advance(timedelta(days=365))  # behind the plan's own, real time
        erase(db, clock, folder)
        return real(*arguments, **more)

    monkeypatch.setattr(planning, "publish", meanwhile)
    campaign = plan_for(db, {anna: parse_address(ANNA).address}, 1)

    with db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM snapshot")).scalar_one() == 0
    with Inbox() as inbox:
        report = send(db, campaign, folder / "runs", inbox.port)
    assert (report.counts.skipped, len(inbox.messages)) == (1, 0)


@pytest.mark.parametrize(
    ("line", "held"),
    [
        ("<Anna.Weiß@MÜLLER.example.org>", True),
        ("mail to anna.weiß@xn--mller-kva.example.org.", True),
        ("joanna.weiß@müller.example.org", False),
        ("anna.weiß@müller.example.org.uk", False),
        ("", False),
    ],
)
def test_mentions(line: str, held: bool) -> None:
    assert mentions(parse_address(ANNA))(line) is held


def test_files_lose_the_row_and_keep_the_rest(tmp_path: Path) -> None:
    found = mentions(parse_address("anna@x.org"))
    texts = {
        "a.csv": 'email,note\r\nben@x.org,"two\r\nlines"\r\n'
        'c@x.org,"see\r\nANNA@x.org"\r\nd@x.org,\r\n',
        "b.txt": "anna@x.org\njoanna@x.org\n",
        "c.vcf": "BEGIN:VCARD\nEMAIL:anna@x.org\nEND:VCARD\n"
        "BEGIN:VCARD\nEMAIL:b@x.org\nEND:VCARD\n",
        "d.csv": "email\nb@x.org\n",
        "e.csv": 'email;note\nanna@x.org;"two\nlines"\nb@x.org;\n',
    }
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content.encode())

    changed = Leftovers(tmp_path).forget(found)

    assert [Path(name).name for name in changed] == ["a.csv", "b.txt", "c.vcf", "e.csv"]
    assert {name: (tmp_path / name).read_bytes().decode() for name in texts} == {
        "a.csv": 'email,note\r\nben@x.org,"two\r\nlines"\r\nd@x.org,\r\n',
        "b.txt": "joanna@x.org\n",
        "c.vcf": "BEGIN:VCARD\nEMAIL:b@x.org\nEND:VCARD\n",
        "d.csv": texts["d.csv"],
        "e.csv": "email;note\nb@x.org;\n",
    }
    assert Leftovers(tmp_path / "nowhere").forget(found) == []

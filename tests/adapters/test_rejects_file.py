"""Refused rows go to a file in the input's own form, which can be mended and imported again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mailer.adapters.contact_files import open_contacts
from mailer.adapters.rejects_file import RejectsFile
from mailer.errors import StoppedError
from mailer.ports import Rejected
from mailer.store.database import Database, database_url
from mailer.usecases.import_contacts import ImportReport, import_contacts
from mailer.usecases.show_subscriber import show_subscriber
from tests.adapters.workbook_maker import ods, xlsx
from tests.fakes import FakeClock

ROW = Rejected(["Zoë, at home"], "“Zoë, at home” has no @.", 7)


def test_is_there_only_when_something_was_refused(tmp_path: Path) -> None:
    rejects = RejectsFile(tmp_path / "rejects" / "people.csv")
    rejects.begin(["email"], "csv", ",")

    assert rejects.finish() is None
    assert list(tmp_path.iterdir()) == []


def test_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "rejects" / "people.csv"
    rejects = RejectsFile(path)
    rejects.begin(["email"], "csv", ";")
    rejects.add(ROW)

    assert not path.exists()
    assert rejects.finish() == str(path)
    rejects.discard()
    with open_contacts(path) as table:
        assert (table.columns, table.delimiter) == (("email", "mailer_reason", "mailer_line"), ";")
        assert [row.cells for row in table.rows] == [["Zoë, at home", ROW.reason, "7"]]


@pytest.mark.parametrize("form", ["csv", "workbook", "vcard", "jsonl", "lines"])
def test_leaves_nothing_half_written(tmp_path: Path, form: str) -> None:
    rejects = RejectsFile(tmp_path / "people.csv")
    rejects.begin(["email"], form, None)
    rejects.add(ROW)

    rejects.discard()

    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_stops_the_import(tmp_path: Path) -> None:
    (tmp_path / "full.csv.part").symlink_to("/dev/full")
    rejects = RejectsFile(tmp_path / "full.csv")
    rejects.begin(["email"], "csv", ",")

    with pytest.raises(StoppedError, match=r"disk is full.*Nothing was imported"):
        rejects.add(Rejected(["x" * 100_000], "", 1))
    rejects.discard()


CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lee;Ann\r\nEMAIL:{}\r\nEND:VCARD\r\n"
SHEET = [["email", "Vorname"], ["a@x.org", "Ann"], ["b&x.org", "Bö<b>"]]
FILES: dict[str, bytes] = {
    "people.tsv": b"email\tVorname\na@x.org\tAnn\nb&x.org\tBob\n",
    "people.csv": b"email;Vorname\na@x.org;Ann\nb&x.org;Bob\n",
    "people.vcf": (CARD.format("a@x.org") + CARD.format("b&x.org")).encode(),
    "people.jsonl": b'{"email": "a@x.org"}\n{"email": "b&x.org", "n": 1}\n{"email"\n',
    "people.txt": b"Ann <a@x.org>\nb&x.org\n",
    "people.xlsx": xlsx({"People": SHEET}),
    "people.ods": ods("People", SHEET),
}


@pytest.mark.parametrize("name", FILES)
def test_is_mended_and_imported_again(name: str, sqlite_template: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    shutil.copy(sqlite_template, tmp_path / "mailer.db")
    with Database(database_url("sqlite:///mailer.db", tmp_path)) as db:
        first = imported(db, tmp_path / name, tmp_path)
        assert (first.added, first.rejected) == (1, 2 if name.endswith("jsonl") else 1)
        assert first.rejects_file is not None
        rejects = Path(first.rejects_file)
        assert rejects.suffix == (".xlsx" if name.endswith("ods") else Path(name).suffix)
        unmended = imported(db, rejects, tmp_path)
        assert (unmended.added, unmended.rejected) == (0, first.rejected)

        mend(rejects)
        assert imported(db, rejects, tmp_path).added == 1

        kept = show_subscriber("b@x.org", db=db)
    assert set(kept.fields) <= {"first_name", "last_name"}


def imported(db: Database, file: Path, folder: Path) -> ImportReport:
    out = RejectsFile(folder / "rejects" / f"{file.name}-again.csv")
    with open_contacts(file) as table:
        return import_contacts(
            table, db=db, list_name="news", create_list=True, clock=FakeClock(), rejects=out
        )


def mend(file: Path) -> None:
    if file.suffix != ".xlsx":
        file.write_bytes(file.read_bytes().replace(b"b&x.org", b"b@x.org"))
        return
    with open_contacts(file) as table:
        rows = [list(table.columns), *(row.cells for row in table.rows)]
    assert rows[1][1] == "Bö<b>"
    rows[1][0] = "b@x.org"
    file.write_bytes(xlsx({"Rejects": rows}))

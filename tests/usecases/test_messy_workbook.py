"""One messy table means the same people as CSV, as XLSX and as ODS, with every damage of Excel."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, text

from mailer.adapters.contact_files import open_contacts
from mailer.model.words import DateOrder, FieldKind
from mailer.store.database import Database, database_url
from mailer.usecases.declare_field import declare_field
from mailer.usecases.import_contacts import import_contacts
from tests.adapters.workbook_maker import DATE, Cell, Formula, ods, xlsx
from tests.fakes import FakeClock
from tests.usecases.test_import_contacts import Basket, counts

DAY = DATE + 46_350  # 24 November 2026
EMPTY = ["", "", "", "", ""]
MESSY: list[list[Cell]] = [
    ["Members of the harbour", "", "", "", "", ""],  # one merged cell
    ["", "Name", "", "", "", ""],  # merged over two headings
    ["E-Mail", "Vorname", "Nachname", "Telefon", "Seit", ""],
    ["\u00a0anna@example.org\u00a0", "Anna", "Meyer", 41791234.0, DAY, ""],
    ["mailto:bob@example.org", "Bob", "", "", "", ""],
    ["Céline Dupont <celine@example.org>", "Céline", "Dupont\u00a0", "", "2026-11-24", ""],
    [Formula('CONCATENATE("dora","@example.org")', "dora@example.org"), "Dora", "", "", DAY, ""],
    ["  erik@bücher.example.org;", "Erik", "", "", "", ""],
    ["", "", "", "", "", ""],
    ["ANNA@example.org", "", "Meyer-Lee", "", "", ""],
    ["a@x.org, b@x.org", "Two", "", "", "", ""],
    ["nobody", "No", "", "", "", ""],
    ["'fatima@example.org'", "Fatima", "", "", "31.12.2025", ""],
]
PEOPLE = {
    "anna@example.org": {"first_name": "Anna", "last_name": "Meyer-Lee", "phone": "41791234"},
    "bob@example.org": {"first_name": "Bob"},
    "celine@example.org": {"first_name": "Céline", "last_name": "Dupont"},
    "dora@example.org": {"first_name": "Dora"},
    "erik@xn--bcher-kva.example.org": {"first_name": "Erik"},
    "fatima@example.org": {"first_name": "Fatima", "since": "2025-12-31"},
}
for name in ("anna@example.org", "celine@example.org", "dora@example.org"):
    PEOPLE[name]["since"] = "2026-11-24"


def as_shown(cell: Cell, day: str) -> str:
    """A cell as a program writes it into text."""
    if isinstance(cell, Formula):
        return cell.value
    if isinstance(cell, float):
        return day if cell >= DATE else str(int(cell))
    return str(cell)


def quoted(cell: str) -> str:
    return f'"{cell}"' if any(sign in cell for sign in ',;"') else cell


def as_csv(delimiter: str, day: str) -> bytes:
    rows = [[quoted(as_shown(cell, day)) for cell in row] for row in MESSY]
    return "\r\n".join(delimiter.join(row) for row in rows).encode("cp1252")


FILES = {
    "german.csv": as_csv(";", "24.11.2026"),
    "american.csv": as_csv(",", "11/24/2026"),
    "numbers.csv": as_csv("\t", "46350"),
    "people.xlsx": xlsx({"People": MESSY}),
    "people.ods": ods("People", [[as_shown(cell, "24/11/2026") for cell in row] for row in MESSY]),
}


@pytest.mark.parametrize("name", FILES)
def test_the_same_people(name: str, sqlite_template: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    shutil.copy(sqlite_template, tmp_path / "mailer.db")
    with Database(database_url("sqlite:///mailer.db", tmp_path)) as db:
        declare_field("since", db=db, clock=FakeClock(), kind=FieldKind.date)
        basket = Basket()
        with open_contacts(tmp_path / name) as table:
            report = import_contacts(
                table,
                db=db,
                list_name="news",
                create_list=True,
                maps=["Telefon=phone", "Seit=since"],
                dates=DateOrder.mdy if name == "american.csv" else None,
                clock=FakeClock(),
                rejects=basket,
            )
        found = people(db)

    assert found == PEOPLE
    assert counts(report) == (6, 0, 0, 2, 0, 1)
    assert [row[0] for row in basket.rows] == ["a@x.org, b@x.org", "nobody"]
    assert any("“Members of the harbour”, “Name” was skipped" in said for said in report.warnings)
    assert any("ANNA@example.org as anna@example.org" in said for said in report.warnings)


def people(db: Database) -> dict[str, Any]:
    with db.read() as connection:
        rows = connection.execute(
            text("SELECT address, fields FROM subscriber").columns(fields=JSON())
        )
        return {row.address: row.fields for row in rows}

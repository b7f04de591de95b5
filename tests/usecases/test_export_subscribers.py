"""What is exported is imported as it was, whatever people are called and whatever they wrote."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.adapters.contact_files import open_contacts
from mailer.adapters.leftovers import Leftovers
from mailer.adapters.people_files import write_people
from mailer.adapters.rejects_file import RejectsFile
from mailer.contacts.rule_time import Calendar
from mailer.errors import InputError, NotFoundError
from mailer.model.words import SubscriptionStatus
from mailer.store import people
from mailer.store.database import Database, database_url
from mailer.usecases.add_list import add_list
from mailer.usecases.add_segment import add_segment
from mailer.usecases.add_subscriber import add_subscriber
from mailer.usecases.export_person import export_person
from mailer.usecases.export_subscribers import FORMATS, export_subscribers
from mailer.usecases.import_contacts import import_contacts
from mailer.usecases.suppress_address import suppress_address
from mailer.web.held_page import held_page
from tests.builders import make_subscriber, subscribe
from tests.fakes import FakeClock

CALENDAR = Calendar(datetime(2026, 11, 24, 9, tzinfo=UTC), ZoneInfo("UTC"))
_numbers = itertools.count()
People = Mapping[str, tuple[str, str | None, Mapping[str, Any]]]

# What an import lets in: no NUL, nothing that can't be UTF-8, no white space at the ends.
CELLS = (
    st.one_of(
        st.text(max_size=12),
        st.text(alphabet="'=+-@\t;,\"\n|x1", max_size=6),
        st.sampled_from(
            ["=HYPERLINK(1)", "_x0041_", "00041", "+41 79", "1e5", "'=1", "2026-11-24"]
        ),
    )
    .map(lambda text: text.encode("utf-8", "ignore").decode().replace("\0", "").strip())
    .filter(lambda text: all(c.isprintable() or c in "\n\t" for c in text))
)
LOCALS = st.sampled_from(["anna", "=a", "+b", "-c", "'=d", "'e", "zoë", "F.G", "o'h"])
CROWDS = st.dictionaries(
    LOCALS.map(lambda local: f"{local}@x.org"),
    st.tuples(
        st.sampled_from([status.value for status in SubscriptionStatus]),
        st.sampled_from([None, "fr", "pt-BR"]),
        st.dictionaries(
            st.sampled_from(["city", "note", "vorname", "first_name"]), CELLS.filter(bool)
        ),
    ),
    min_size=1,
)


@contextmanager
def empty(template: Path, folder: Path) -> Iterator[Database]:
    file = folder / f"{next(_numbers)}.db"
    shutil.copy(template, file)
    with Database(database_url(f"sqlite:///{file}", folder)) as database:
        yield database
    file.unlink()


def fill(db: Database, crowd: People) -> None:
    clock = FakeClock()
    add_list("news", db=db, clock=clock)
    with db.write() as connection:
        people.declare_fields(connection, ["city", "note", "vorname", "first_name"], clock.now())
    for address, (status, language, fields) in crowd.items():
        person = make_subscriber(db, address, language=language, fields=dict(fields))
        subscribe(db, person, 1, SubscriptionStatus(status))


def exported(db: Database, file: Path) -> tuple[str, ...]:
    found = export_subscribers(db=db, calendar=CALENDAR, format=file.suffix[1:], list_name="news")
    write_people(file, file.suffix[1:], found.columns, found.rows, stdout=open_nothing())
    return found.maps


def open_nothing() -> Any:
    """Standard output is not to be written to."""
    return None


def held(db: Database) -> People:
    found = export_subscribers(db=db, calendar=CALENDAR, format="jsonl", list_name="news")
    names = found.columns[3:]
    return {
        address: (status, language, {n: v for n, v in zip(names, values, strict=True) if v})
        for address, status, language, *values in found.rows
    }


def read_back(db: Database, file: Path, maps: tuple[str, ...]) -> int:
    with open_contacts(file) as source:
        report = import_contacts(
            source,
            db=db,
            list_name="news",
            clock=FakeClock(),
            rejects=RejectsFile(file.parent / "rejects.csv"),
            create_list=True,
            keep_columns=True,
            maps=[option.removeprefix("--map ") for option in maps],
        )
    return report.rejected


@pytest.mark.parametrize("format", ["csv", "xlsx", "jsonl"])
def test_import_of_an_export_is_the_same(
    format: str, sqlite_template: Path, tmp_path: Path
) -> None:
    @settings(
        max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(CROWDS)
    def check(crowd: People) -> None:
        file = tmp_path / f"people.{format}"
        with empty(sqlite_template, tmp_path) as first:
            fill(first, crowd)
            maps = exported(first, file)
            before = held(first)
        assert before == dict(crowd)
        with empty(sqlite_template, tmp_path) as second:
            assert read_back(second, file, maps) == 0
            assert held(second) == before

    check()


def test_import_into_the_same_database_changes_nothing(db: Database, tmp_path: Path) -> None:
    crowd: People = {
        "anna@x.org": ("active", "fr", {"city": "=1+1", "vorname": "+41"}),
        "ben@x.org": ("unsubscribed", None, {"note": "two\nlines"}),
    }
    fill(db, crowd)
    for file in (tmp_path / f"people.{format}" for format in FORMATS):
        maps = exported(db, file)

        assert read_back(db, file, maps) == 0
        assert held(db) == crowd
    text = (tmp_path / "people.csv").read_text("utf-8-sig")
    rows = list(csv.reader(text.splitlines(keepends=True)))
    assert rows[0] == ["email", "status", "language", "city", "first_name", "note", "vorname"]
    assert rows[1] == ["anna@x.org", "active", "fr", "'=1+1", "", "", "'+41"]
    assert (tmp_path / "people.xlsx").stat().st_mode & 0o077 == 0


def test_suppressed_people_and_other_people_are_left_out(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    add_list("news", db=db, clock=clock)
    for name, city in (("anna", "Rome"), ("ben", "Oslo"), ("carl", "Rome")):
        add_subscriber(f"{name}@x.org", list_name="news", db=db, clock=clock, fields={"city": city})
    suppress_address("carl@x.org", db=db, clock=clock, list_name="news")
    add_segment("romans", 'city = "Rome"', db=db, calendar=CALENDAR)

    found = export_subscribers(
        db=db, calendar=CALENDAR, format="jsonl", list_name="news", segment="romans"
    )
    file = tmp_path / "people.jsonl"
    written = write_people(file, "jsonl", found.columns, found.rows, stdout=open_nothing())

    assert (written, found.suppressed) == (1, 1)
    assert [json.loads(line) for line in file.read_text("utf-8").splitlines()] == [
        {"email": "anna@x.org", "status": "active", "language": None, "city": "Rome"}
    ]
    with pytest.raises(NotFoundError):
        export_subscribers(db=db, calendar=CALENDAR, segment="nobody")


def test_a_workbook_refuses_what_it_would_cut(tmp_path: Path) -> None:
    file = tmp_path / "people.xlsx"
    with pytest.raises(InputError, match="too long"):
        write_people(file, "xlsx", ["email"], [["x" * 32_768]], stdout=open_nothing())
    with pytest.raises(InputError, match="needs a file"):
        write_people(None, "xlsx", ["email"], [], stdout=open_nothing())

    assert list(tmp_path.iterdir()) == []


def test_everything_that_is_held_about_one_person(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    add_list("news", db=db, clock=clock)
    add_subscriber(
        "anna@x.org",
        list_name="news",
        db=db,
        clock=clock,
        fields={"note": "<script>alert(1)</script>"},
        consent="Yes & always",
    )
    folder = tmp_path / "rejects"
    folder.mkdir()
    (folder / "r.csv").write_text("email\nANNA@x.org\n", "utf-8")

    shown = export_person("Anna@x.org", db=db, clock=clock, leftovers=Leftovers(folder))
    page = held_page(shown, organisation="Coastal Aid")

    assert shown.lists[0].consents[0].record.wording == "Yes & always"
    assert [each.kind for each in shown.history] == ["subscribed", "consent"]
    assert len(shown.rejected_rows_in) == 1
    assert "&lt;script&gt;" in page
    assert "Yes &amp; always" in page
    for word in ("<script", "http:", "https:", "src=", "href=", "url("):
        assert word not in page


def test_a_json_line_names_fields_that_nobody_has(db: Database, tmp_path: Path) -> None:
    crowd: People = {"'=anna@x.org": ("active", None, {"city": "'=1"})}
    fill(db, crowd)
    file = tmp_path / "people.jsonl"

    maps = exported(db, file)

    assert maps == ("--map vorname=vorname",)
    assert json.loads(file.read_text("utf-8"))["vorname"] is None
    assert read_back(db, file, maps) == 0
    assert held(db) == crowd

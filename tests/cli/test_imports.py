"""``mailer import`` and ``imports``: what a person types, and what JSON says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.adapters.officer import login_name
from mailer.wiring import open_mailer
from tests.command_line import done, mailer, make_workspace

NEW = "--create-list"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "news")


def write(workspace: Path, name: str, content: str) -> str:
    (workspace / name).write_text(content, "utf-8")
    return str(workspace / name)


def test_an_import_is_shown_and_taken_back(workspace: Path) -> None:
    file = write(workspace, "people.csv", "email,first_name\na@x.org,Ann\nb@x.org,Bob\nno,No\n")
    first = done(workspace, "import", file, "--list", "news", "--create-list")
    done(workspace, "subscribers", "unsubscribe", "b@x.org")

    shown = done(workspace, "imports", "show", "1")
    report = done(workspace, "imports", "undo", "1", "--yes")

    assert (shown["batch"], shown["state"], shown["added"], shown["undoable"]) == (1, "done", 2, 2)
    assert shown["rejects_file"] == first["rejects_file"]
    assert report == {
        "batch": 1,
        "undone": 1,
        "kept": [{"address": "b@x.org", "why": f"unsubscribed since, by operator {login_name()}"}],
    }
    assert [each["state"] for each in done(workspace, "imports", "show")] == ["undone"]
    people = mailer(workspace, "subscribers", "find", "--jsonl").out.splitlines()
    assert len(people) == 1


def test_an_undo_asks_and_knows_its_imports(workspace: Path) -> None:
    file = write(workspace, "people.csv", "email\na@x.org\n")
    done(workspace, "import", file, "--list", "news", "--create-list")

    unasked = mailer(workspace, "imports", "undo", "1")
    unknown = mailer(workspace, "imports", "undo", "7", "--yes")

    assert (unasked.status, unknown.status) == (3, 4)
    assert "Add --yes" in unasked.err
    assert "There is no import 7" in unknown.err
    assert mailer(workspace, "imports", "show", "7").status == 4
    assert done(workspace, "imports", "show", "1")["state"] == "done"
    assert "changed 1 person." in mailer(workspace, "imports", "undo", "1", "--yes").err


def test_a_dry_run_prints_the_difference_and_writes_nothing(workspace: Path) -> None:
    first = "email,first_name\na@x.org,Ann\nb@x.org,Bob\ngone@x.org,Gus\n"
    done(workspace, "import", write(workspace, "1.csv", first), "--list", "n", "--create-list")
    done(workspace, "subscribers", "unsubscribe", "gone@x.org")
    done(workspace, "suppressions", "add", "never@x.org")
    file = write(
        workspace,
        "2.csv",
        "email,first_name,status\na@x.org,Anne,\nb@x.org,Bob,bounced\nnew@gmial.com,Nora,\n"
        "never@x.org,,\ngone@x.org,Gus,active\nbad,,\n",
    )
    before = (workspace / "data/mailer.db").read_bytes()

    lines = mailer(workspace, "import", file, "--list", "n", "--dry-run", "--jsonl")
    shown = mailer(workspace, "import", file, "--list", "n", "--dry-run")
    document = done(workspace, "import", file, "--list", "n", "--dry-run")

    told = [json.loads(line) for line in lines.out.splitlines()]
    assert [(each["outcome"], each["address"], each["changes"], each["why"]) for each in told] == [
        ("rejected", "bad", {}, "“bad” has no @."),
        ("updated", "a@x.org", {"first_name": ["Ann", "Anne"]}, None),
        ("updated", "b@x.org", {"status": ["active", "bounced"]}, None),
        ("unchanged", "gone@x.org", {}, "stays unsubscribed"),
        ("suppressed", "never@x.org", {}, "suppressed: operator"),
        (
            "added",
            "new@gmial.com",
            {"status": [None, "active"], "first_name": [None, "Nora"]},
            None,
        ),
    ]
    assert "updated: a@x.org first_name: Ann → Anne" in shown.out
    assert "perhaps misspelt: 1, such as new@gmial.com (meant gmail.com?)" in shown.out
    assert document["dry_run"] is True
    assert len(document["sample"]) == len(told)
    assert (workspace / "data/mailer.db").read_bytes() == before
    assert not (workspace / "data/rejects").exists()


def test_a_row_with_two_faults_names_both_wherever_it_is_told(workspace: Path) -> None:
    done(workspace, "fields", "add", "points", "--kind", "number")
    file = write(workspace, "people.csv", "email,points,status\nno,many,perhaps\na@x.org,1,\n")
    both = "“no” has no @. points: “many” is not a number. “perhaps” is no status; known are"
    words = ("import", file, "--list", "n", "--create-list")

    dry = mailer(workspace, *words, "--dry-run")
    lines = mailer(workspace, *words, "--dry-run", "--jsonl").out.splitlines()
    said = mailer(workspace, *words)
    [reject] = list((workspace / "data/rejects").iterdir())

    assert f"line 2: {both}" in dry.out
    assert json.loads(lines[0])["why"].startswith(both)
    assert f"line 2: {both}" in said.out
    assert both in reject.read_text("utf-8")


def test_a_few_of_a_thousand_columns_are_named(workspace: Path) -> None:
    names = ",".join(f"c{n}" for n in range(1021))
    file = write(workspace, "wide.csv", f"email,{names}\na@x.org,1\n")

    said = mailer(workspace, "import", file, "--list", "n", "--create-list").out
    listed = done(workspace, "import", file, "--list", "n")["ignored"]

    assert said.count("is left out") == 20
    assert "  … and 1,001 more columns; --json lists them\n" in said
    assert len(listed) == 1021


def test_an_import_that_broke_off_says_how_to_go_on(workspace: Path) -> None:
    done(workspace, "import", write(workspace, "p.csv", "email\na@x.org\n"), "--list", "n", NEW)
    with open_mailer(workspace) as opened, opened.db.write() as connection:
        connection.execute(text("UPDATE batch SET state = 'loading'"))

    assert "broke off: the same import, run again" in mailer(workspace, "imports", "show").out


def test_values_are_shown_as_people_write_them(workspace: Path) -> None:
    done(workspace, "fields", "add", "member", "--kind", "yesno")
    done(workspace, "fields", "add", "topics", "--kind", "list")
    words = ("--list", "n", "--create-list")
    first = write(workspace, "1.csv", "email,member,topics\na@x.org,ja,tea;ice\n")
    second = write(workspace, "2.csv", "email,member,topics\na@x.org,no,tea\n")
    done(workspace, "import", first, *words)

    dry = mailer(workspace, "import", second, *words, "--dry-run").out
    shown = mailer(workspace, "subscribers", "show", "a@x.org").out
    found = mailer(workspace, "subscribers", "find").out
    held = workspace / "held.html"
    done(workspace, "subscribers", "export", "a@x.org", "--out", str(held))

    assert "updated: a@x.org member: yes → no; topics: tea, ice → tea" in dry
    assert "  member = yes\n" in shown
    assert "  topics = tea, ice\n" in shown
    assert found == "a@x.org  yes  tea, ice\n"
    assert "<bdi>tea, ice</bdi>" in held.read_text("utf-8")


def test_an_imports_consent_names_who_ran_it(workspace: Path) -> None:
    file = write(workspace, "people.csv", "email\na@x.org\n")
    done(workspace, "import", file, "--list", "n", "--create-list", "--consent", "Yes.")
    later = ("--list", "n", "--consent", "Yes, weekly.")
    done(workspace, "import", file, *later)

    told = mailer(workspace, "subscribers", "history", "a@x.org").out.splitlines()[1:]

    assert len(told) == 4
    assert all(f" · n · by operator {login_name()} · import " in line for line in told)


def test_fields_are_declared_and_hold_their_cells(workspace: Path) -> None:
    done(workspace, "fields", "add", "born", "--kind", "date")
    done(workspace, "fields", "add", "points", "--kind", "number")
    done(workspace, "fields", "add", "member", "--kind", "yesno")
    done(workspace, "fields", "add", "colour", "--choice", "Red", "--choice", "Blue")
    file = write(
        workspace,
        "people.csv",
        "email;born;points;member;colour\na@x.org;24.12.1990;12,5;ja;red\nb@x.org;;;;green\n"
        "c@x.org;;many;;\n",
    )

    report = done(workspace, "import", file, "--list", "n", "--create-list")

    assert [each["reason"] for each in report["rejects"]] == [
        "colour: “green” is none of Red, Blue.",
        "points: “many” is not a number.",
    ]
    assert done(workspace, "subscribers", "show", "a@x.org")["fields"] == {
        "born": "1990-12-24",
        "points": 12.5,
        "member": True,
        "colour": "Red",
    }
    assert done(workspace, "fields", "add", "colour", "--choice", "Green")["misfits"] == 1
    assert "born    date" in mailer(workspace, "fields", "show").out
    assert mailer(workspace, "fields", "add", "list").status == 3


def test_a_date_with_two_meanings_refuses_the_file(workspace: Path) -> None:
    done(workspace, "fields", "add", "born", "--kind", "date")
    file = write(workspace, "people.csv", "email,born\na@x.org,1/2/1990\n")

    refused = mailer(workspace, "import", file, "--list", "n", "--create-list")
    settled = done(workspace, "import", file, "--list", "n", "--create-list", "--dates", "mdy")

    assert refused.status == 3
    assert ":2: A date has two meanings: “1/2/1990” can be 1990-02-01 or 1990-01-02." in refused.err
    assert settled["added"] == 1
    assert done(workspace, "subscribers", "show", "a@x.org")["fields"] == {"born": "1990-01-02"}

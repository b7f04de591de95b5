"""The commands about people do what their help says, as text, as JSON, and line by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailer.adapters.officer import login_name
from tests.command_line import done, mailer, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = make_workspace(tmp_path / "news")
    done(folder, "lists", "add", "news")
    for name, city in (("anna", "Rome"), ("ben", "Oslo"), ("carl", "Rome")):
        words = ("--list", "news", "--field", f"city={city}", "--consent", "Yes.")
        done(folder, "subscribers", "add", f"{name}@x.org", *words)
    return folder


def test_find_in_pages_and_lines(workspace: Path) -> None:
    page = mailer(workspace, "subscribers", "find", "--sort", "address", "--limit", "2")
    lines = mailer(workspace, "subscribers", "find", "--field", "city=Rome", "--jsonl")
    everybody = done(workspace, "subscribers", "find", "--list", "news", "--reverse")

    assert page.out.split("\n")[:2] == ["anna@x.org  Rome", "ben@x.org  Oslo"]
    assert "page 1 of 2" in page.err
    assert [json.loads(line)["address"] for line in lines.out.splitlines()] == [
        "anna@x.org",
        "carl@x.org",
    ]
    assert [each["address"][0] for each in everybody] == ["c", "b", "a"]


def test_one_person_from_tag_to_erasure(workspace: Path) -> None:
    who = "anna@x.org"
    done(workspace, "subscribers", "tag", who, "press", "vip")
    done(workspace, "subscribers", "untag", who, "vip")
    edited = done(workspace, "subscribers", "edit", who, "--clear", "city", "--tracking", "no")
    done(workspace, "subscribers", "unsubscribe", who)
    history = done(workspace, "subscribers", "history", who)
    consents = done(workspace, "subscribers", "consents", who)
    held = workspace / "held.html"
    done(workspace, "subscribers", "export", who, "--out", str(held))

    assert edited["changed"] == ["city", "tracking"]
    times = [each["at"] for each in history["happenings"]]
    assert times == sorted(times)
    assert sorted({each["kind"] for each in history["happenings"]}) == [
        "changed",
        "consent",
        "subscribed",
        "tagged",
        "tracking",
        "unsubscribed",
        "untagged",
    ]
    assert consents["lists"][0]["consents"][0]["withdrawn"]["actor"] == f"operator {login_name()}"
    assert "withdrawn" in mailer(workspace, "subscribers", "consents", who).out
    assert "by operator" in mailer(workspace, "subscribers", "history", who).out
    assert "anna@x.org" in held.read_text("utf-8")
    assert mailer(workspace, "subscribers", "erase", who).status == 3  # nobody to confirm it
    assert done(workspace, "subscribers", "erase", who, "--yes")["kept_out"] is True
    assert mailer(workspace, "subscribers", "history", who).status == 4
    assert done(workspace, "suppressions", "check", who)["reason"] == "erased"


def test_an_export_names_the_kinds_that_another_workspace_needs(workspace: Path) -> None:
    done(workspace, "fields", "add", "born", "--kind", "date")
    done(workspace, "fields", "add", "colour", "--choice", "Deep red", "--choice", "Blue")
    out = str(workspace / "people.csv")

    told = mailer(workspace, "subscribers", "export", "--out", out).err
    first = done(workspace, "subscribers", "export", "--out", out)["declare_first"]

    assert first == [
        "mailer fields add born --kind date",
        "mailer fields add colour --choice 'Deep red' --choice Blue",
    ]
    assert all(f"  {command}\n" in told for command in first)


def test_export_by_the_files_ending(workspace: Path) -> None:
    book = done(workspace, "subscribers", "export", "--out", str(workspace / "p.xlsx"))
    table = mailer(workspace, "subscribers", "export", "--list", "news", "--format", "csv")
    wrong = mailer(workspace, "subscribers", "export", "anna@x.org", "--format", "csv")

    assert (book["people"], book["format"]) == (3, "xlsx")
    assert table.out.splitlines()[0] == "email,status,language,city"
    assert wrong.status == 3


def test_suppressions_travel(workspace: Path) -> None:
    done(workspace, "suppressions", "add", "anna@x.org", "--list", "news", "--reason", "asked")
    file = str(workspace / "hashes.csv")
    written = done(workspace, "suppressions", "export", "--out", file)
    read = done(workspace, "suppressions", "import", file)
    shown = done(workspace, "subscribers", "show", "anna@x.org")

    assert (written["rows"], read["added"], read["there"]) == (1, 0, 1)
    assert shown["suppressed_on"] == {"news": "asked"}
    assert done(workspace, "suppressions", "export")[0]["reason"] == "asked"

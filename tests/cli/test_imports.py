"""``mailer import`` and ``imports``: what a person types, and what JSON says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import done, mailer, make_workspace


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
        "kept": [{"address": "b@x.org", "why": "unsubscribed since, by operator"}],
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
    assert "changed 1 people" in mailer(workspace, "imports", "undo", "1", "--yes").err

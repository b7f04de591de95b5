"""A file where a folder is needed, a folder that is not there: one sentence, nothing half done."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from mailer.cli import main
from mailer.wiring.files import shipped_examples
from tests.command_line import Result, done, mailer, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "news")


def refused(result: Result, *parts: str, status: int = 3) -> None:
    assert result.status == status, result.out + result.err
    assert len(result.err.strip().splitlines()) == 1
    for part in parts:
        assert part in result.err


def test_a_backup_into_a_folder_that_is_missing(workspace: Path, tmp_path: Path) -> None:
    refused(mailer(workspace, "db", "backup", str(tmp_path / "no/such/x")), "There is no folder")


def test_a_backup_to_where_no_file_can_be_made(workspace: Path, tmp_path: Path) -> None:
    refused(
        mailer(workspace, "db", "backup", str(tmp_path / ("x" * 250 + "\x01" * 2))), "be opened"
    )


def test_a_file_where_pages_should_go(workspace: Path, tmp_path: Path) -> None:
    edition = workspace / "data/issues/tide-table"
    shutil.copytree(shipped_examples() / "issues/tide-table", edition)
    contacts = str(shipped_examples() / "contacts.csv")
    done(workspace, "import", contacts, "--list", "c", "--create-list", "--keep-columns")
    file = tmp_path / "taken"
    file.write_text("mine")

    refused(
        mailer(workspace, "issues", "render", str(edition), "--out", str(file)),
        "a file stands where a folder is needed",
    )
    assert file.read_text() == "mine"


def test_a_file_where_the_rejects_should_go(workspace: Path, tmp_path: Path) -> None:
    (workspace / "data/rejects").write_text("mine")
    contacts = tmp_path / "people.csv"
    contacts.write_text("email\na@example.org\nnobody\n")
    words = ("import", str(contacts), "--list", "news", "--create-list")

    refused(mailer(workspace, *words), "rejects", "a file stands where a folder is needed")
    assert done(workspace, "subscribers", "find") in ([], {"subscribers": []})


@pytest.mark.parametrize("host", ["nonsense.invalid", "a" * 70, "192.0.2.1", "1:2"])
def test_what_is_no_address_of_this_machine_can_not_be_listened_on(
    workspace: Path, host: str
) -> None:
    refused(mailer(workspace, "site", "serve", "--host", host), host, "no address")


def test_trouble_of_the_system_that_no_room_knows_is_a_sentence(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/x")

    monkeypatch.setattr(main, "app", full)

    refused(mailer(workspace), "/data/x: No space left on device", "run this again", status=75)

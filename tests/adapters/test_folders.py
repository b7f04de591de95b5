"""A folder gives its own files and nothing else, and says clearly what it can't give."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.adapters import folders
from mailer.adapters.folders import DirectoryFolder, open_folder
from mailer.errors import Fault, InputError
from mailer.ports import Folder


def refused(call: Callable[[str], object], name: str) -> Fault:
    with pytest.raises(InputError) as caught:
        call(name)
    (fault,) = caught.value.faults
    return fault


@pytest.fixture
def folder(tmp_path: Path) -> DirectoryFolder:
    inside = tmp_path / "issue"
    (inside / "pictures").mkdir(parents=True)
    (inside / "issue.md").write_text("---\nsubject: x\n---\n", encoding="utf-8")
    (inside / "pictures" / "boat.jpg").write_bytes(b"\xff\xd8")
    (inside / ".hidden").write_text("x")
    (inside / ".git").mkdir()
    (inside / ".git" / "config").write_text("x")
    (tmp_path / "secret.txt").write_text("secret")
    return open_folder(inside)


def test_files_are_listed_and_read(folder: DirectoryFolder, tmp_path: Path) -> None:
    wish: Folder = folder

    assert wish.names() == ["issue.md", "pictures/boat.jpg"]
    assert wish.names("pictures") == ["pictures/boat.jpg"]
    assert wish.text("issue.md") == "---\nsubject: x\n---\n"
    assert wish.data("pictures/boat.jpg") == b"\xff\xd8"
    assert wish.where("issue.md") == str(tmp_path / "issue" / "issue.md")


def test_a_byte_order_mark_and_other_line_ends_are_tolerated(
    folder: DirectoryFolder, tmp_path: Path
) -> None:
    (tmp_path / "issue" / "a.md").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")

    assert folder.text("a.md") == "a\nb\nc\n"


def test_a_file_that_is_not_utf_8_names_the_line(folder: DirectoryFolder, tmp_path: Path) -> None:
    (tmp_path / "issue" / "a.md").write_bytes("one\ntwo\ncafé".encode("latin-1"))

    fault = refused(folder.text, "a.md")

    assert (fault.file, fault.line) == (str(tmp_path / "issue" / "a.md"), 3)
    assert "not UTF-8" in fault.message


@pytest.mark.parametrize("name", ["isue.md", "pictures/boat.jpeg", "Issue.md"])
def test_a_missing_file_names_the_nearest(folder: DirectoryFolder, name: str) -> None:
    fault = refused(folder.data, name)

    assert f"There is no file `{name}`." == fault.message
    assert fault.hint is not None
    assert "Did you mean `" in fault.hint


def test_a_missing_file_with_nothing_near_has_no_hint(folder: DirectoryFolder) -> None:
    assert refused(folder.text, "qqqqqqqqqqq").hint is None


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "pictures/../../secret.txt",
        "/etc/hostname",
        "",
        "a\0b",
        "..",
        "a\\b",
        "x" * 5000,
    ],
)
def test_no_name_leads_outside(folder: DirectoryFolder, name: str) -> None:
    refused(folder.text, name)
    refused(folder.data, name)


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/hostname"])
def test_no_link_leads_outside(folder: DirectoryFolder, tmp_path: Path, target: str) -> None:
    (tmp_path / "issue" / "link.md").symlink_to(target)
    (tmp_path / "issue" / "out").symlink_to(tmp_path)

    assert "out of the folder" in refused(folder.text, "link.md").message
    assert "out of the folder" in refused(folder.text, "out/secret.txt").message
    assert folder.names() == ["issue.md", "pictures/boat.jpg"]


def test_a_link_inside_the_folder_is_followed(folder: DirectoryFolder, tmp_path: Path) -> None:
    (tmp_path / "issue" / "again.md").symlink_to("issue.md")

    assert folder.text("again.md") == folder.text("issue.md")


def test_a_circle_of_links_is_a_fault(folder: DirectoryFolder, tmp_path: Path) -> None:
    (tmp_path / "issue" / "a.md").symlink_to("b.md")
    (tmp_path / "issue" / "b.md").symlink_to("a.md")

    refused(folder.text, "a.md")


def test_a_folder_is_no_file(folder: DirectoryFolder) -> None:
    assert "a folder, not a file" in refused(folder.data, "pictures").message


def test_a_pipe_is_not_waited_for(folder: DirectoryFolder, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "issue" / "pipe")

    assert "no ordinary file" in refused(folder.data, "pipe").message


def test_what_is_too_large_is_not_read(
    folder: DirectoryFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOST_TEXT", 10)
    monkeypatch.setattr(folders, "MOST_DATA", 20)
    (tmp_path / "issue" / "a").write_bytes(b"x" * 20)
    (tmp_path / "issue" / "b").write_bytes(b"x" * 21)

    assert folder.data("a") == b"x" * 20
    assert "too large" in refused(folder.data, "b").message
    assert "too large" in refused(folder.text, "a").message


def test_too_many_files_are_no_issue(
    folder: DirectoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOST_FILES", 1)

    with pytest.raises(InputError, match="more than 1 files"):
        folder.names()


@pytest.mark.parametrize(("name", "says"), [("nothing", "no such folder"), ("file", "no folder")])
def test_only_a_folder_can_be_opened(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(InputError, match=says):
        open_folder(tmp_path / name)

"""Refused rows go to a file that appears when it is whole, and can be imported again."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.adapters.contact_files import open_contacts
from mailer.adapters.rejects_file import RejectsFile
from mailer.errors import StoppedError


def test_is_there_only_when_something_was_refused(tmp_path: Path) -> None:
    rejects = RejectsFile(tmp_path / "rejects" / "people.csv")
    rejects.begin(["email", "mailer_reason"])

    assert rejects.finish() is None
    assert list(tmp_path.iterdir()) == []


def test_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "rejects" / "people.csv"
    rejects = RejectsFile(path)
    rejects.begin(["email", "mailer_reason"])
    rejects.add(["Zoë, at home", "“Zoë, at home” has no @."])

    assert not path.exists()
    assert rejects.finish() == str(path)
    rejects.discard()
    with open_contacts(path) as table:
        assert table.columns == ("email", "mailer_reason")
        assert [row.cells for row in table.rows] == [["Zoë, at home", "“Zoë, at home” has no @."]]


def test_leaves_nothing_half_written(tmp_path: Path) -> None:
    rejects = RejectsFile(tmp_path / "people.csv")
    rejects.begin(["email"])
    rejects.add(["x"])

    rejects.discard()

    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_stops_the_import(tmp_path: Path) -> None:
    (tmp_path / "full.csv.part").symlink_to("/dev/full")
    rejects = RejectsFile(tmp_path / "full.csv")
    rejects.begin(["email"])

    with pytest.raises(StoppedError, match=r"disk is full.*Nothing was imported"):
        rejects.add(["x" * 100_000])
    rejects.discard()

"""The code of the shipped layouts is kept beside the program's own, by Python's rules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mailer.adapters import shipped
from mailer.adapters.shipped import Pack, ShippedFolder
from mailer.adapters.workspace import layout_folder
from mailer.compose.keeping import Kept


@pytest.fixture(autouse=True)
def writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def grown() -> Kept:
    kept = Kept()
    kept.of(("a",), lambda: "value")
    return kept


def test_a_later_process_takes_over(tmp_path: Path) -> None:
    """The folder need not be there yet, and others on the machine may read the pack."""
    path = tmp_path / "__pycache__" / "shipped.pack"
    Pack(grown(), path).put_back()
    later = Kept()
    Pack(later, path).take_out()

    assert later.of(("a",), list) == "value"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["shipped.pack"]


def test_a_damaged_pack_is_made_anew(tmp_path: Path) -> None:
    """It is read as none, and the next one replaces it."""
    path = tmp_path / "shipped.pack"
    path.write_bytes(b"\xe3" * 5000)
    kept = Kept()
    pack = Pack(kept, path)
    pack.take_out()

    assert kept.of(("a",), lambda: "new") == "new"
    pack.put_back()
    later = Kept()
    Pack(later, path).take_out()
    assert later.of(("a",), list) == "new"


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    """A program that its user can't change works without."""
    (tmp_path / "file").write_text("not a folder")
    Pack(grown(), tmp_path / "file" / "shipped.pack").put_back()
    Pack(grown(), None).put_back()

    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_python_may_be_told_to_keep_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PYTHONDONTWRITEBYTECODE holds for this as well."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    Pack(grown(), tmp_path / "shipped.pack").put_back()

    assert list(tmp_path.iterdir()) == []


def test_only_what_came_with_the_program_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace's own layout may come from anybody: it neither reads nor writes the pack."""
    path = tmp_path / "shipped.pack"
    monkeypatch.setattr(shipped, "PACK", Pack(grown(), path))
    (tmp_path / "layouts" / "ours").mkdir(parents=True)
    foreign = layout_folder(tmp_path, "ours")

    assert foreign.steer(lambda: 1) == 1
    assert not path.exists()
    ours = layout_folder(tmp_path, "newsroom")
    assert isinstance(ours, ShippedFolder)
    assert ours.steer(lambda: 2) == 2
    assert path.exists()

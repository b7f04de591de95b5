"""A database holds everybody's addresses: nobody reads it who does not share its folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import text

from mailer.errors import InputError
from mailer.store import maintenance, migrations
from mailer.store.database import Database, database_url
from tests.command_line import done, mailer, make_workspace

ENDINGS = ("", "-wal", "-shm", "-turn")


@pytest.fixture(params=[0o022, 0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize(("folder", "expected"), [(0o755, 0o600), (0o770, 0o660), (0o775, 0o660)])
def test_a_new_database_is_as_private_as_its_folder(
    umask: int, folder: int, expected: int, tmp_path: Path
) -> None:
    place = tmp_path / "data"
    place.mkdir()
    place.chmod(folder)
    with Database(database_url("sqlite:///data/mailer.db", tmp_path)) as db:
        migrations.upgrade(db)
        with db.turn, db.write() as connection:
            connection.execute(text("UPDATE instance SET identity = identity"))
        maintenance.backup(db, place / "copy.db")
        found = {end: mode(place / f"mailer.db{end}") for end in ENDINGS}

    assert found == dict.fromkeys(ENDINGS, expected)
    assert mode(place / "copy.db") == expected
    with Database(database_url("sqlite:///data/copy.db", tmp_path)) as copy:
        migrations.require_current(copy)


def test_a_group_that_the_file_is_not_of_gets_nothing(tmp_path: Path) -> None:
    groups = set(os.getgroups()) - {os.getegid()} or ({1} if os.geteuid() == 0 else set())
    place = tmp_path / "data"
    place.mkdir()
    place.chmod(0o770)
    if groups:  # else this account has no second group to give the folder to
        os.chown(place, -1, groups.pop())
    with Database(database_url("sqlite:///data/mailer.db", tmp_path)) as db:
        migrations.upgrade(db)
    file = place / "mailer.db"

    assert (mode(file) == 0o660) is (file.stat().st_gid == place.stat().st_gid)
    assert not mode(file) & 0o007


def test_the_check_names_a_file_that_everybody_can_read() -> None:
    with TemporaryDirectory(dir="/tmp") as place:  # others get through there, as they must for this
        workspace = make_workspace(Path(place) / "w o w")
        file = workspace / "data/mailer.db"
        Path(place).chmod(0o755)
        assert done(workspace, "db", "check") == {"ok": True, "faults": []}
        file.chmod(0o644)
        told = mailer(workspace, "--json", "db", "check")
        said = mailer(workspace, "db", "check").out
        Path(place).chmod(0o750)
        behind_a_closed_folder = done(workspace, "db", "check")

    assert (told.status, told.document["ok"]) == (1, False)
    assert f"Everybody on this machine can read {file}" in said
    assert f"Run: chmod o= '{file}'" in said
    assert "1 fault\n" in said
    assert behind_a_closed_folder["ok"]


def test_a_copy_that_another_backup_made_meanwhile_is_not_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"

    def somebody_was_faster(path: str | Path) -> bool:
        copy.write_text("theirs")
        return False

    with Database(database_url("sqlite:///mailer.db", tmp_path)) as db:
        migrations.upgrade(db)
        monkeypatch.setattr(maintenance, "create_private", somebody_was_faster)
        with pytest.raises(InputError, match="never overwrites"):
            maintenance.backup(db, copy)
    assert copy.read_text() == "theirs"

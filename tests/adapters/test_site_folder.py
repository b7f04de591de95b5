"""A site's folder is replaced as a whole, and what is somebody else's stays in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from mailer.adapters.site_folder import MANIFEST, WrittenSite, write_site
from mailer.errors import InputError, StoppedError

FILES = [("index.html", b"one"), ("a/index.html", b"two"), ("i/x.png", b"three")]


def write(folder: Path, files: list[tuple[str, bytes]]) -> WrittenSite:
    spare = folder.parent / "workspace"
    spare.mkdir(exist_ok=True)
    return write_site(folder, files, spare=spare)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MANIFEST
    }


def test_files_are_written_changed_and_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = write(out, FILES)
    second = write(out, [("index.html", b"new"), *FILES[1:2], ("b/index.html", b"more")])

    assert (first.files, first.new) == (3, [name for name, _ in FILES])
    assert (second.new, second.changed) == (["b/index.html"], ["index.html"])
    assert (second.removed, second.unchanged) == (["i/x.png"], 1)
    expected = {"index.html": b"new", "a/index.html": b"two", "b/index.html": b"more"}
    assert contents(out) == expected
    assert not (out / "i").exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "workspace"]


def test_what_the_site_did_not_write_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, FILES)
    (out / "CNAME").write_text("news.example.org")
    (out / "a/own.txt").write_text("mine")
    (out / "link").symlink_to("CNAME")
    (out / "i/x.png").write_bytes(b"changed by hand")
    done = write(out, FILES[:2])

    assert contents(out)["CNAME"] == b"news.example.org"
    assert contents(out)["a/own.txt"] == b"mine"
    assert (out / "link").is_symlink()
    assert (done.kept, done.removed) == (["i/x.png"], [])
    assert contents(out)["i/x.png"] == b"changed by hand"


def test_a_foreign_file_in_the_way_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a/index.html").write_text("mine")
    with pytest.raises(InputError, match="stands in the way"):
        write(out, FILES)

    assert contents(out) == {"a/index.html": b"mine"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "workspace"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a\0b", ""])
def test_nothing_is_written_outside_of_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="outside of the folder"):
        write(tmp_path / "out", [("index.html", b"one"), (name, b"evil")])

    assert not (tmp_path / "out").exists()


def test_the_workspace_is_no_place_for_it(tmp_path: Path) -> None:
    place = tmp_path / "w"
    place.mkdir()
    for folder in (place, tmp_path, place / "../w"):
        with pytest.raises(InputError, match="holds the workspace"):
            write_site(folder, FILES, spare=place)


def test_a_killed_call_leaves_the_old_site_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write(out, FILES)
    before = contents(out)
    renames: list[Path] = []
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        renames.append(self)
        if len(renames) == 2:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            write(out, [("index.html", b"new")])
    assert contents(out) == before

    out.rename(tmp_path / ".out.mailer-old")  # killed for good between the two
    (tmp_path / ".out.mailer-new-x").mkdir()
    write(out, [("index.html", b"new")])
    assert contents(out) == {"index.html": b"new"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "workspace"]


def test_a_manifest_that_can_t_be_read_stops_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, FILES)
    (out / MANIFEST).write_text("[]")
    with pytest.raises(InputError, match="can't be read"):
        write(out, FILES)


def test_a_place_that_can_t_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(StoppedError, match="No space left"):
        write(tmp_path / "out", FILES)

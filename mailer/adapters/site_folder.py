"""Writes a site into a folder: made beside it, then put in its place as a whole.

A file of names and hashes (``.mailer-site.json``) tells what an earlier call wrote. Everything else
that lies in the folder stays; and so does a file of ours that somebody has changed and that is not
written any more.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mailer.adapters.workspace import unwritable
from mailer.errors import Fault, InputError

MANIFEST = ".mailer-site.json"
_FORMAT = 1
_MOST_TOLD = 20


@dataclass(slots=True)
class WrittenSite:
    """What became of the folder; paths with slashes, in their order."""

    folder: str
    files: int = 0
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # ours once, changed by somebody: left there

    @property
    def unchanged(self) -> int:
        return self.files - len(self.new) - len(self.changed)


def written_before(folder: Path) -> frozenset[str]:
    """The paths that an earlier call wrote. Raises InputError when that can't be read."""
    return frozenset(_manifest(Path(os.path.realpath(folder))))


def write_site(folder: Path, files: Iterable[tuple[str, bytes]], *, spare: Path) -> WrittenSite:
    """Writes the files; nothing in the folder is touched when they are there already.

    ``spare`` is a folder that must not be put aside: the workspace. Raises InputError when a file
    of somebody else's stands in the way, StoppedError when the folder can't be written.
    """
    target = Path(os.path.realpath(folder))
    if target == spare.resolve() or target in spare.resolve().parents:
        raise InputError(
            f"{folder} holds the workspace.", hint="Give the site a folder of its own."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _settle(target)
        if target.exists() and not target.is_dir():
            raise InputError(f"{folder} is no folder.")
        draft = Path(tempfile.mkdtemp(prefix=f"{_hidden(target)}-new-", dir=target.parent))
        try:
            done = _fill(draft, target, files)
            if done.new or done.changed or done.removed or not target.exists():
                _swap(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    done.folder = str(folder)
    return done


def _fill(draft: Path, target: Path, files: Iterable[tuple[str, bytes]]) -> WrittenSite:
    """Makes the whole folder as it is to be; what stays as it is, is linked and not copied."""
    ours = _manifest(target)
    done = WrittenSite("")
    written: dict[str, str] = {}
    faults: list[Fault] = []
    for name, data in files:
        if not _safe(name):
            raise InputError(f"A page would lie outside of the folder: {name[:100]!r}")
        if name in written:
            continue
        digest = hashlib.sha256(data).hexdigest()
        there, place = target / name, draft / name
        place.parent.mkdir(parents=True, exist_ok=True)
        exists = there.is_symlink() or there.exists()
        if exists and name not in ours:
            faults.append(
                Fault("A file that the site did not write stands in the way.", str(there))
            )
        elif exists and _digest(there) == digest:
            _link(there, place)
        else:
            place.write_bytes(data)
            place.chmod(0o644)
            (done.changed if exists else done.new).append(name)
        written[name] = digest
    if faults:
        hint = "Move them away, or give the site a folder of its own."
        raise InputError([*faults[:_MOST_TOLD], Fault(f"{len(faults)} are in the way.", hint=hint)])
    for name in _names(target):
        if name in written or name == MANIFEST:
            continue
        if name in ours and _digest(target / name) == ours[name]:
            done.removed.append(name)
            continue
        if name in ours:
            done.kept.append(name)
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        _link(target / name, draft / name)
    done.files = len(written)
    document = {"format": _FORMAT, "files": dict(sorted(written.items()))}
    (draft / MANIFEST).write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    draft.chmod(target.stat().st_mode & 0o777 if target.is_dir() else 0o755)
    return done


def _swap(draft: Path, target: Path) -> None:
    """Puts the new folder where the old one was. Between the two renames there is none."""
    old = target.parent / f"{_hidden(target)}-old"
    if target.exists():
        target.rename(old)
    try:
        draft.rename(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _settle(target: Path) -> None:
    """Clears up after a call that was killed."""
    old = target.parent / f"{_hidden(target)}-old"
    if old.exists() and not target.exists():
        old.rename(target)
    elif old.exists():
        shutil.rmtree(old)
    for left in target.parent.glob(f"{_hidden(target)}-new-*"):
        shutil.rmtree(left, ignore_errors=True)


def _hidden(target: Path) -> str:
    return f".{target.name}.mailer"


def _manifest(target: Path) -> dict[str, str]:
    """What earlier calls wrote: path → hash. Raises InputError when it can't be read."""
    file = target / MANIFEST
    if not file.exists():
        return {}
    try:
        document = json.loads(file.read_text("utf-8"))
        known = {str(name): str(digest) for name, digest in document["files"].items()}
        form = document["format"]
    except (ValueError, KeyError, TypeError, AttributeError):
        known, form = {}, None
    if form != _FORMAT:
        raise InputError(
            f"{file} can't be read, so it is not known which files are the site's.",
            hint="Build into a new folder, or delete this one.",
        )
    return known


def _names(target: Path) -> Iterator[str]:
    """Every file and every link in a folder, sorted."""
    found = []
    for place, folders, files in os.walk(target):
        links = [each for each in folders if (Path(place) / each).is_symlink()]
        found += [(Path(place) / each).relative_to(target).as_posix() for each in (*files, *links)]
    yield from sorted(found)


def _safe(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name


def _digest(file: Path) -> str:
    if file.is_symlink() or not file.is_file():
        return ""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _link(source: Path, place: Path) -> None:
    """The same file under another name; a copy where there can't be one."""
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, place, follow_symlinks=False)

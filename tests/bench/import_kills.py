"""Kills an import at random moments, completes it, and compares with an undisturbed one.

::

    python -m tests.bench.import_kills 200 3000       # kills, rows
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mailer.adapters.contact_files import open_contacts
from mailer.adapters.rejects_file import RejectsFile
from mailer.store import arrivals, migrations
from mailer.store.database import Database, database_url, one
from mailer.usecases import import_contacts as verb
from tests.builders import dump
from tests.fakes import FakeClock

IN_A_ROW = 4  # kills of one import, before it may end
WRITING = 4  # the part of an import that is its writing, at least: one in so many
SLICE = 100  # people in one transaction: many moments between them


def kill_imports(kills: int, rows: int, folder: Path, seed: int = 1) -> Mapping[str, int]:
    """Returns how many kills hit what: before anything was written, half-way, or too late.

    Raises AssertionError when a database differs from the undisturbed one.
    """
    chance = random.Random(seed)  # moments, not secrets
    file = contacts(folder, rows)
    empty = folder / "empty.db"
    with opened(empty) as db:
        migrations.upgrade(db)
    begun = time.monotonic()
    expected = completed(shutil.copy(empty, folder / "undisturbed.db"), file)
    took = time.monotonic() - begun
    hits = {"before": 0, "half-way": 0, "after": 0}
    left = kills
    while left:
        path = Path(shutil.copy(empty, folder / f"{left}.db"))
        for _ in range(min(IN_A_ROW, left)):
            # Reading takes longer than writing; every other kill waits for the writing to begin.
            hit = killed(path, file, chance.uniform(0, took), writing=bool(left % 2))
            hits[hit] += 1
            if hit == "after":  # too late to be a kill
                break
            left -= 1
        assert completed(path, file) == expected
        for part in folder.glob(f"{path.name}*"):
            part.unlink()
    return hits


def contacts(folder: Path, rows: int) -> Path:
    """Rows with doubles, departures and a row to refuse, in no order."""
    path = folder / "people.csv"
    lines = ["email,first_name,city,status"]
    for n in range(rows):
        status = "unsubscribed" if n % 17 == 0 else ""
        lines.append(f"P{n * 7919 % (rows - rows // 30)}@x.org,Name {n},City {n % 7},{status}")
    lines[rows // 2] = "not an address,,,"
    path.write_text("\n".join(lines) + "\n")
    return path


def opened(path: Path) -> Database:
    return Database(database_url(f"sqlite:///{path}", path.parent))


def run_import(path: Path, file: Path, tell: Callable[[], None] = lambda: None) -> None:
    with opened(path) as db, open_contacts(file) as table:
        verb.import_contacts(
            table,
            db=db,
            list_name="news",
            create_list=True,
            keep_columns=True,
            consent="I agree.",
            clock=FakeClock(),
            rejects=RejectsFile(file.with_name("rejects.csv")),
            progress=lambda phase, done, total: tell() if phase == "writing" else None,
        )


def killed(path: Path, file: Path, after: float, *, writing: bool) -> str:
    """Kills an import so long after its start, or after its first slice; says how far it came."""
    hears, tells = os.pipe()
    child = os.fork()
    if child == 0:
        in_child(lambda: run_import(path, file, lambda: tell(tells)))
    os.close(tells)
    if writing:
        os.read(hears, 1)
    time.sleep(after / (WRITING if writing else 1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(hears)
    with opened(path) as db, db.read() as connection:
        state = one(connection, "SELECT state FROM batch ORDER BY id DESC LIMIT 1")
    return {None: "before", "done": "after"}.get(state, "half-way")


def in_child(work: Callable[[], None]) -> None:
    """Ends the forked process with the work, whatever becomes of it."""
    arrivals.FIRST_SLICE = arrivals.SMALLEST = arrivals.LARGEST = SLICE
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def tell(pipe: int) -> None:
    os.write(pipe, b".")


def completed(path: str | Path, file: Path) -> Mapping[str, Sequence[str]]:
    """Every row after the import ran to its end; of batches the counts of the first."""
    child = os.fork()
    if child == 0:
        in_child(lambda: run_import(Path(path), file))
    _, status = os.waitpid(child, 0)
    assert status == 0
    with opened(Path(path)) as db:
        rows = dict(dump(db))
    # An import whose kill came after its end ran once more, and changed nothing.
    for name in ("batch", "instance"):
        del rows[name]
    rows["batch_change"] = [row for row in rows["batch_change"] if row.startswith("(1,")]
    return rows


def main() -> None:
    kills, rows = int(sys.argv[1]), int(sys.argv[2])
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        hits = kill_imports(kills, rows, Path(folder))
    told = ", ".join(f"{count} {moment}" for moment, count in hits.items())
    print(
        f"{kills} kills of an import of {rows:,} rows ({told}; {time.monotonic() - begun:.0f} s):"
        " each database, completed, equals the undisturbed one"
    )


if __name__ == "__main__":
    main()

"""An import with everything on beside ``sqlite3 .import`` of the same file, in turns.

Ours: consent and event rows, what an undo needs, every rule, full durability. Theirs: one table
with a unique index. Then the same file again, where nothing changes, and the profile of one row.

::

    python -m tests.bench.imports 1000000 1        # rows, rounds
"""

from __future__ import annotations

import gc
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailer.adapters.contact_files import open_contacts
from mailer.adapters.rejects_file import RejectsFile
from mailer.adapters.text_survey import survey
from mailer.adapters.word_lists import disposable_domains
from mailer.contacts.mapping import map_columns
from mailer.contacts.people import arrivals
from mailer.contacts.suppression import suppression_hasher
from mailer.model.words import SubscriptionStatus
from mailer.store import migrations
from mailer.store.arrivals import Arrivals
from mailer.store.database import Database, database_url
from mailer.usecases.import_contacts import import_contacts
from tests.fakes import FakeClock

FIRST = ["Anna", "Bob", "Céline", "Dmitri", "Esra", "Fatima", "Giorgio", "Hana"]
LAST = ["Meyer", "Okafor", "Müller", "Tanaka", "Silva", "Novak", "Larsen", "Diallo"]
COLUMNS = "email,first_name,last_name,city,country,language,member_since,newsletter"
PROFILED = 100_000  # rows


def main() -> None:
    rows, rounds = int(sys.argv[1]), int(sys.argv[2])
    url = sys.argv[3] if len(sys.argv) > 3 else ""
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder), rows)
        found = []
        for number in range(rounds):
            theirs = floor(Path(folder), file)
            first, again = ours(Path(folder), file, url)
            found.append((first / theirs, again / first))
            print(
                f"round {number + 1}: sqlite3 .import {theirs:.2f} s, ours {first:.2f} s"
                f" ({rows / first:,.0f} rows/s), again {again:.2f} s",
                flush=True,
            )
        ratios = [statistics.median(column) for column in zip(*found, strict=True)]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"median: {ratios[0]:.2f} x .import, again {ratios[1]:.2f} x the first time")
        print(f"memory at most: {memory:.0f} MB")
        profile(Path(folder))


def write(folder: Path, rows: int) -> Path:
    """A file of so many people, in no order."""
    chance = random.Random(4)  # made-up people
    path = folder / f"{rows}.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(COLUMNS + "\n")
        for n in range(rows):
            k = chance.randrange(10**9)
            first, last = chance.choice(FIRST), chance.choice(LAST)
            file.write(
                f"p{k}x{n}@example{k % 3000}.org,{first},{last},City {k % 500},Country {k % 90},"
                f"{['en', 'fr', 'de'][k % 3]},20{k % 26:02d}-0{1 + k % 9}-1{k % 10},yes\n"
            )
    return path


def floor(folder: Path, file: Path) -> float:
    """Seconds of ``sqlite3 .import`` into one table with a unique index."""
    path = folder / "floor.db"
    path.unlink(missing_ok=True)
    columns = ", ".join(f"{name} text" for name in COLUMNS.split(","))
    script = (
        f"CREATE TABLE t({columns});\nCREATE UNIQUE INDEX u ON t(email);\n"
        f".mode csv\n.import --skip 1 {file} t\n"
    )
    begun = time.perf_counter()
    subprocess.run(["sqlite3", path], input=script, text=True, check=True)
    return time.perf_counter() - begun


def ours(folder: Path, file: Path, url: str) -> tuple[float, float]:
    """Seconds of our import, and of the same once more."""
    path = folder / "ours.db"
    for part in folder.glob("ours.db*"):
        part.unlink()
    with Database(database_url(url or f"sqlite:///{path}", folder)) as db:
        migrations.upgrade(db)
        return once(db, file), once(db, file)


def once(db: Database, file: Path) -> float:
    begun = time.perf_counter()
    with open_contacts(file) as table:
        import_contacts(
            table,
            db=db,
            list_name="news",
            create_list=True,
            keep_columns=True,
            consent="I agree.",
            clock=FakeClock(),
            disposable=disposable_domains(),
            rejects=RejectsFile(file.with_suffix(".rejects.csv")),
        )
    return time.perf_counter() - begun


def profile(folder: Path) -> None:
    """Prints the microseconds of one row, step by step, the first time and again."""
    file = write(folder, PROFILED)
    steps: dict[str, float] = defaultdict(float)
    gc.disable()  # as good as off in an import too
    begun = time.perf_counter()
    with file.open("rb") as stream:
        survey(stream, "")
    steps["survey: encoding, digest"] = time.perf_counter() - begun
    with open_contacts(file) as table:
        begun = time.perf_counter()
        rows = list(table.rows)
        steps["cut into cells"] = time.perf_counter() - begun
        mapping = map_columns(table.columns, file="", keep_columns=True)
    read = arrivals(mapping, status=SubscriptionStatus.active, empty_clears=False)
    begun = time.perf_counter()
    people = [read(row.cells) for row in rows]
    steps["address, fields, language"] = time.perf_counter() - begun
    hashed = suppression_hasher(b"x" * 32)
    begun = time.perf_counter()
    for person in people:
        hashed(person.key)
    steps["suppression hash (part of load)"] = time.perf_counter() - begun
    gc.enable()
    del rows, people
    for name, seconds in steps.items():
        print(f"{seconds / PROFILED * 1e6:7.2f} µs  {name}")
    for name in ("load", "settle", "merge", "_read_slice"):
        timed(Arrivals, name, steps)
    path = folder / "profiled.db"
    with Database(database_url(f"sqlite:///{path}", folder)) as db:
        migrations.upgrade(db)
        for time_ in ("first", "again"):
            steps.clear()
            steps["in all"] = once(db, file)
            told = ", ".join(f"{name} {s / PROFILED * 1e6:.2f}" for name, s in steps.items())
            print(f"{time_}, µs: {told} (_read_slice is part of merge)")


def timed(owner: Any, name: str, steps: dict[str, float]) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def wrapper(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            steps[name] += time.perf_counter() - begun

    setattr(owner, name, wrapper)


if __name__ == "__main__":
    main()

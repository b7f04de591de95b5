"""An import that is killed at any moment and run again leaves what an undisturbed one leaves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mailer.store.database import Database
from tests.builders import dump

# A process of its own, which tells each step of its progress.
CHILD = """
import sys
from pathlib import Path
from mailer.adapters.contact_files import open_contacts
from mailer.adapters.rejects_file import RejectsFile
from mailer.store import arrivals
from mailer.store.database import Database, database_url
from mailer.usecases import import_contacts as verb
from tests.fakes import FakeClock

url, file, size = sys.argv[1:]
arrivals.FIRST_SLICE = arrivals.SMALLEST = arrivals.LARGEST = int(size)
verb.AT_ONCE = 500
with Database(database_url(url, Path())) as db, open_contacts(file) as table:
    report = verb.import_contacts(
        table, db=db, list_name="news", create_list=True, keep_columns=True, consent="I agree.",
        clock=FakeClock(), rejects=RejectsFile(Path(file + ".rejects.csv")),
        progress=lambda phase, done, total: print(phase, done, flush=True),
    )
print("report", report.batch, report.rows, report.added, report.updated, report.unchanged,
      report.rejected, report.suppressed, report.duplicates)
"""
ROWS = 3000


def contacts(folder: Path) -> Path:
    path = folder / "people.csv"
    lines = ["email,first_name,city"]
    for n in range(ROWS):
        lines.append(f"p{n * 7919 % 2900}@x.org,Name {n},City {n % 7}")
    lines[500] = "not an address,,"
    path.write_text("\n".join(lines) + "\n")
    return path


def start(db: Database, file: Path) -> subprocess.Popen[str]:
    url = db.url.render_as_string(hide_password=False)
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(file), "150"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def killed_at(db: Database, file: Path, phase: str, done: int) -> bool:
    """Kills the import at a step; False when it was over before."""
    child = start(db, file)
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            word, number = line.split()[:2]
            if word == phase and int(number) >= done:
                child.kill()
                child.wait()
                return True
    child.wait()
    return False


def completed(db: Database, file: Path) -> str:
    child = start(db, file)
    said, _ = child.communicate()
    assert child.returncode == 0
    return said.splitlines()[-1]


def without_batch(rows: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    return {table: each for table, each in rows.items() if table not in ("batch", "instance")}


@pytest.mark.parametrize(
    "moments",
    [
        [("reading", 1000), ("writing", 150), ("writing", 1200)],
        [("writing", 2850), ("writing", 2900)],
    ],
)
def test_killed_and_run_again(
    db: Database, tmp_path: Path, moments: Sequence[tuple[str, int]]
) -> None:
    file = contacts(tmp_path)

    for phase, done in moments:
        assert killed_at(db, file, phase, done)
    report = completed(db, file)

    assert report == "report 1 3000 2899 0 0 1 0 100"
    found = without_batch(dump(db))
    people = len(found["subscriber"])
    assert people == len(found["subscription"]) == len(found["consent"]) == len(found["event"])
    assert people == 2899
    assert completed(db, file) == "report 2 3000 0 0 2899 1 0 100"
    assert without_batch(dump(db)) == found

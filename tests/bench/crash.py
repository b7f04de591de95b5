"""The crash matrix: each trouble so many times at random moments, all counts exact each time.

::

    python -m tests.bench.crash 20              # runs of each trouble
    python -m tests.bench.crash 5 "power cut"   # of one
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.journeys import power_cut
from tests.journeys.scene import scene
from tests.journeys.troubles import TROUBLES, needs

PEOPLE = 1000
ROOM = "16m"  # of the small file system


def main() -> None:
    runs = int(sys.argv[1])
    names = sys.argv[2:] or list(TROUBLES)
    print(f"{runs} runs each, {PEOPLE} people, four connections, a window of 200; SQLite")
    print(f"{'':22} exact, people in doubt a run (of these got it), most sending, looks, ends")
    wrong = 0
    for name in names:
        if name == "power cut" and not power_cut.available():
            print(f"{name:22} not run: strace is not installed, or may not trace")
            continue
        wrong += _many(name, runs)
    sys.exit(1 if wrong else 0)


def _many(name: str, runs: int) -> int:
    """Prints one line; returns how many runs were not exact."""
    seed = int(time.time())
    begun = time.monotonic()
    unknown, got, sending, looks, exact = [], 0, 0, 0, 0
    statuses: dict[int, int] = {}
    most = 0  # in doubt: of this trouble in general
    for number in range(runs):
        with (
            _place(name) as folder,
            scene(folder, people=PEOPLE, seed=seed + number, **needs(name)) as stage,
        ):
            with stage.watched() as watch:
                try:
                    bound = TROUBLES[name](stage)
                    most = max(most, bound)
                except AssertionError as error:
                    print(f"  run {number} (seed {seed + number}): {error}")
                    continue
            joined = stage.count()
        faults = [*joined.wrong, *watch.wrong[:3]]
        if joined.counts.unknown > bound:
            faults.append(f"{joined.counts.unknown} unknown, at most {bound} may be")
        if joined.counts.left:
            faults.append(f"{joined.counts.left} people are left")
        exact += not faults
        for fault in faults[:5]:
            print(f"  run {number} (seed {seed + number}): {fault}")
        unknown.append(joined.counts.unknown)
        got += joined.unknown_that_got_it
        sending, looks = max(sending, watch.most_sending), looks + watch.looks
        for status in stage.statuses:
            statuses[status] = statuses.get(status, 0) + 1
    ends = ", ".join(f"{status}×{times}" for status, times in sorted(statuses.items()))
    spread = f"{min(unknown, default=0)}–{max(unknown, default=0)}, {sum(unknown)} in all ({got})"
    print(
        f"{name:22} {exact}/{runs}  {spread}, at most {most} may be  {sending}  {looks:,}"
        f"  {ends}  {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    return runs - exact


@contextmanager
def _place(name: str) -> Iterator[Path | None]:
    """A small file system of its own for a full disk, where one may be mounted."""
    if name != "disk full":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="mailer-full-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


if __name__ == "__main__":
    main()

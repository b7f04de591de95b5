"""Imports a file of several gigabytes once, in a process of its own: seconds and peak of memory.

Rows have some 16 kB, most of it a column that is not kept, and two rows in a thousand are refused.
The file lies in the folder for temporary files, is written piece by piece, and goes at the end.

::

    python -m tests.bench.big_import 5        # GB
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.command_line import make_workspace

ROW = 16_000  # octets


def main() -> None:
    gigabytes = float(sys.argv[1])
    size = int(gigabytes * 1e9)
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as folder:
        if shutil.disk_usage(folder).free < 2 * size:
            sys.exit(f"{folder} has no room for a file of {gigabytes} GB and its import.")
        file = Path(folder) / "big.csv"
        rows = write(file, size)
        workspace = make_workspace(Path(folder))
        words = ["import", str(file), "--list", "big", "--create-list", "--json"]
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "mailer", "-C", workspace, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        seconds = time.perf_counter() - begun
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        report = json.loads(done.stdout)
        counts = {name: report[name] for name in ("rows", "added", "rejected", "duplicates")}
        print(
            f"{file.stat().st_size / 1e9:.2f} GB, {rows:,} rows: status {done.returncode} after"
            f" {seconds:.0f} s ({used.ru_utime + used.ru_stime:.0f} s of CPU),"
            f" memory at most {used.ru_maxrss / 1024:.0f} MB; {counts}"
        )


def write(file: Path, size: int) -> int:
    """Rows up to that many octets; returns how many."""
    filling = "words and more words, " * (ROW // 22)
    rows = written = 0
    with file.open("w", encoding="ascii") as out:
        written += out.write("email,first_name,notes\n")
        while written < size:
            address = f"p{rows}@example{rows % 3000}.org" if rows % 500 else f"p{rows} at nowhere"
            written += out.write(f'{address},Name {rows % 900},"{filling}{rows}"\n')
            rows += 1
    return rows


if __name__ == "__main__":
    main()

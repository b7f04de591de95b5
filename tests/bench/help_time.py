"""``mailer --help`` beside ``python -c "import typer"``, in turns: the ratio of the medians."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def main() -> None:
    rounds = int(sys.argv[1])
    ours, theirs = [], []
    for _ in range(rounds + 1):
        ours.append(_seconds([sys.executable, "-m", "mailer", "--help"]))
        theirs.append(_seconds([sys.executable, "-c", "import typer"]))
    a, b = statistics.median(ours[1:]), statistics.median(theirs[1:])
    print(f"mailer --help {a:.3f} s, import typer {b:.3f} s, ratio {a / b:.2f}")


def _seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()

"""The table of the sending engine: every row a ratio within one run, medians over the rounds.

The receiver is Postfix's smtp-sink on the same cores, the yardstick its smtp-source (one constant
message, no count kept). Ours has everything on: ledger with full durability, flight recorder,
personal links, a Message-ID and a return path for each person. Our seconds are those of the whole
command, from taking the campaign to its end::

    python -m tests.bench.table 3               # 100,000 people, the slower cases a tenth
    python -m tests.bench.table 1 --million     # memory, and the time of a mail, at 1,000,000
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import sending
from tests.bench import delay, wire
from tests.bench.signing import _openssl
from tests.bench.wire import SESSIONS, Sink
from tests.peers.programs import node_packages

ROOT = Path(__file__).parents[2]
SMALL, LARGE = 5_000, 60_000  # octets
_WINDOWS = (500, 200)  # rows that may be in doubt after a power cut: the default, and a small one
DELAY = 10.0  # ms, in each direction


class Table:
    """Collects what each round measured and prints the medians, in the order of the first round."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._kind: dict[tuple[str, str], tuple[str, str]] = {}
        self._case = ""

    def case(self, name: str, value: float, shown: str = "{:.2f}", wanted: str = "") -> None:
        """The first row of a case; ``more`` adds to it."""
        self._case = name
        self.more(name, value, shown, wanted)

    def more(self, row: str, value: float, shown: str = "{:.2f}", wanted: str = "") -> None:
        self._found[self._case, row].append(value)
        self._kind[self._case, row] = (shown, wanted)

    def show(self) -> None:
        for (case, row), values in self._found.items():
            shown, wanted = self._kind[case, row]
            each = ", ".join(shown.format(value) for value in values)
            median = shown.format(statistics.median(values))
            name = row if row == case else f"  {row}"
            print(f"{name:58} {median:>10}  {wanted:18} ({each})")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--many", type=int, default=1_000_000, help="how many --million is")
    chosen = parser.parse_args()
    table = Table()
    for number in range(chosen.rounds):
        print(f"round {number + 1} of {chosen.rounds}", file=sys.stderr, flush=True)
        if chosen.million:
            _million(table, chosen.many)
        else:
            _round(table, chosen.people)
    print(
        f"{chosen.rounds} rounds, {os.cpu_count()} cores, medians (and each round)\n"
        f"{'':58} {'median':>10}  {'at least / aim':18}"
    )
    table.show()
    if not chosen.million:
        _profile(chosen.people // 5)


def _round(table: Table, people: int) -> None:
    with wire.sink() as sink:
        size = len(sending.merged(wire._letter(SMALL)))
        for window in _WINDOWS:
            ours = _ours(sink, people, SMALL, more=(f"window={window}",))
            theirs = _source(sink, people, size)
            table.case(
                f"5 KB, no DKIM, a window of {window}: of smtp-source",
                theirs / ours["seconds"],
                wanted="1.2 / 1.5",
            )
            table.more("by the wire's seconds alone", theirs / ours["wire_seconds"])
            both = ours["cpu"] + ours["receiver"]
            table.more(
                "as a share of what the cores allow",
                both / (os.cpu_count() or 1) / ours["seconds"],
                wanted="0.8 / 0.9",
            )
            table.more("mails a second", people / ours["seconds"], "{:,.0f}")
            table.more("smtp-source, mails a second", people / theirs, "{:,.0f}")
            table.more("sender's CPU, µs a mail", 1e6 * ours["cpu"] / people, "{:.0f}")
            table.more("receiver's CPU, µs a mail", 1e6 * ours["receiver"] / people, "{:.0f}")

        few = max(100, people // 10)  # slower cases
        size = len(sending.merged(wire._letter(LARGE)))
        ours, theirs = _ours(sink, few, LARGE), _source(sink, few, size)
        table.case("60 KB, no DKIM: of smtp-source", theirs / ours["seconds"], wanted="1.0 / 1.2")
        table.more("mails a second", few / ours["seconds"], "{:,.0f}")

        alone = _openssl()
        ours = _ours(sink, few, SMALL, signed=True)
        rate = few / ours["seconds"]
        table.case(
            "5 KB, RSA-2048: of one core's `openssl speed`", rate / alone, wanted="0.7 / 0.85"
        )
        table.more("mails a second", rate, "{:,.0f}")

        with _delayed(sink.port) as port:
            trip = delay.round_trip(port)
            some = min(few, 6_000)
            ours = _ours(sink, some, SMALL, port=port)
            share = some / ours["seconds"] * trip / SESSIONS
            table.case("a far server: of a mail a round trip", share, wanted="0.9 / 1.0")
            table.more("round trip, ms", 1000 * trip, "{:.1f}")
            table.more("mails a second", some / ours["seconds"], "{:,.0f}")

        for name, work in _OTHERS.items():
            seconds = work(sink.port, few)
            table.case(f"beside them: {name}, mails a second", few / seconds, "{:,.0f}")


def _million(table: Table, many: int) -> None:
    with wire.sink() as sink:
        few = min(10_000, many // 10)
        small = [_ours(sink, few, SMALL) for _ in range(3)]
        large = _ours(sink, many, SMALL)
    table.case(f"memory at {many:,}, MB", large["memory"] / 1e6, "{:.0f}", "at most 200 / 120")
    table.case(
        f"  at {few:,}, MB", statistics.median(each["memory"] for each in small) / 1e6, "{:.0f}"
    )
    for name, what in (("time", "seconds"), ("sender's CPU", "cpu")):
        one = statistics.median(each[what] for each in small) / few
        table.case(
            f"{name} of a mail at {many:,} against {few:,}",
            large[what] / many / one,
            wanted="at most 1.15 / 1.0" if what == "seconds" else "",
        )
    table.more(f"mails a second at {many:,}", many / large["seconds"], "{:,.0f}")


def _profile(people: int) -> None:
    """Prints where the CPU of one mail goes."""
    for title, signed in (("5 KB, no DKIM", False), ("5 KB, RSA-2048", True)):
        with wire.sink() as sink:
            plain = _ours(sink, people, SMALL, signed=signed)
            timed = _ours(sink, people, SMALL, signed=signed, more=("profile",))
        print(f"\n{title}: µs of CPU of one mail, with timers in (their own time is in it)")
        rows = sorted(timed["stages"].items(), key=lambda row: -row[1])
        rows.append(("the ledger's process: SQL and commits", timed["ledger"]))
        rows.append(("the event loop, and the rest", timed["cpu"] - sum(s for _, s in rows)))
        for stage, seconds in rows:
            print(f"{stage:40}{1e6 * seconds / people:8.1f}{seconds / timed['cpu']:6.0%}")
        print(
            f"{'in all; without timers':40}{1e6 * timed['cpu'] / people:8.1f};"
            f" {1e6 * plain['cpu'] / people:.1f}"
        )


def _ours(
    sink: Sink,
    people: int,
    size: int,
    *,
    signed: bool = False,
    port: int = 0,
    more: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What one send took; ``receiver``: CPU of the receiver."""
    folder = tempfile.mkdtemp(prefix="mailer-bench-")
    try:
        _python("measured", "plan", folder, str(people), str(size), *(["signed"] if signed else []))
        before = sink.cpu()
        said = _python("measured", "send", folder, str(port or sink.port), "2", *more)
        return {**json.loads(said), "receiver": sink.cpu() - before}
    finally:
        shutil.rmtree(folder)


def _source(sink: Sink, people: int, size: int) -> float:
    return wire._theirs(people, sink.port, size)


@contextmanager
def _delayed(port: int) -> Iterator[int]:
    words = [sys.executable, "-m", "tests.bench.delay", str(port), str(DELAY)]
    proxy = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert proxy.stdout is not None
        yield int(proxy.stdout.readline())
    finally:
        proxy.terminate()
        proxy.wait()


def _python_sender(name: str) -> Callable[[int, int], float]:
    def work(port: int, people: int) -> float:
        said = json.loads(_python("others", name, str(port), str(people), str(SMALL)))
        return float(said["seconds"])

    return work


def _nodemailer(port: int, people: int) -> float:
    modules = node_packages("nodemailer")
    script = Path(__file__).with_name("nodemailer.cjs")
    done = subprocess.run(
        ["node", script, str(port), str(people), str(SESSIONS)],
        input=sending.merged(wire._letter(SMALL)),
        env={**os.environ, "NODE_PATH": str(modules)},
        check=True,
        capture_output=True,
    )
    return float(json.loads(done.stdout)["seconds"])


_OTHERS: dict[str, Callable[[int, int], float]] = {
    "smtplib, ten threads": _python_sender("smtplib"),
    "aiosmtplib, ten connections": _python_sender("aiosmtplib"),
    "nodemailer's pool of ten": _nodemailer,
}


def _python(module: str, *words: str) -> str:
    command = [sys.executable, "-m", f"tests.bench.{module}", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


if __name__ == "__main__":
    main()

"""A real send beside Postfix's smtp-source, both into Postfix's smtp-sink, in turns.

Ours has everything on: ledger with full durability, flight recorder, personal links, a Message-ID
and a return path for each person. smtp-source sends one constant message and keeps no count.
It does not pipeline either, so a ratio above 1 is the wire's merit.

::

    python -m tests.bench.wire 5000 3        # people, rounds
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mailer.adapters.smtp_transport import SmtpTransport
from mailer.model.words import Rendition
from mailer.smtp.pace import Pace
from mailer.store import migrations
from mailer.store.database import Database, database_url
from tests import sending
from tests.crowd import make_crowd

PEER = Path(__file__).parents[2] / ".cache/peers/postfix"
SESSIONS = 10
SIZE = 5_000  # octets


def main() -> None:
    people, rounds = int(sys.argv[1]), int(sys.argv[2])
    rows = []
    with _sink() as port:
        for number in range(rounds):
            ours, cpu, size = _ours(people, port)
            theirs = _theirs(people, port, size)
            rows.append((theirs / ours, people / ours, people / theirs, cpu))
            print(
                f"round {number + 1}: ours {people / ours:,.0f}/s ({cpu:.0f} µs CPU a mail,"
                f" {size} octets), smtp-source {people / theirs:,.0f}/s,"
                f" ratio {theirs / ours:.2f}"
            )
    median = [statistics.median(column) for column in zip(*rows, strict=True)]
    print(
        f"median: ours {median[1]:,.0f}/s, smtp-source {median[2]:,.0f}/s, ratio {median[0]:.2f},"
        f" {median[3]:.0f} µs CPU a mail"
    )


def _ours(people: int, port: int) -> tuple[float, float, int]:
    """Seconds on the wire, CPU µs a mail, and the size of one mail."""
    folder = Path(tempfile.mkdtemp(prefix="mailer-bench-"))
    try:
        with Database(database_url("sqlite:///mailer.db", folder)) as db:
            migrations.upgrade(db)
            list_id, crowd = make_crowd(db, people)
            letter = _letter()
            campaign = sending.plan_for(db, crowd, list_id, rendition=letter)
            before = resource.getrusage(resource.RUSAGE_SELF)
            begun = time.perf_counter()
            report = sending.send(
                db,
                campaign,
                folder,
                port,
                transport=SmtpTransport("127.0.0.1", port, security="none", connections=SESSIONS),
                pace=Pace(connections=SESSIONS),
            )
            seconds = time.perf_counter() - begun
            after = resource.getrusage(resource.RUSAGE_SELF)
        if report.counts.accepted != people:
            raise SystemExit(f"not everybody was accepted: {report.counts} {report.because}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return seconds, cpu / people * 1e6, len(sending.merged(letter))
    finally:
        shutil.rmtree(folder)


def _theirs(people: int, port: int, size: int) -> float:
    begun = time.perf_counter()
    subprocess.run(
        [
            PEER / "usr/sbin/smtp-source",
            "-s",
            str(SESSIONS),
            "-m",
            str(people),
            "-l",
            str(size),
            "-d",
            "-f",
            "news@example.org",
            "-t",
            "p@example.org",
            f"127.0.0.1:{port}",
        ],
        check=True,
        env=_environment(),
    )
    return time.perf_counter() - begun


def _letter(size: int = SIZE) -> Rendition:
    """The tests' letter, grown to so many octets on the wire."""
    line = "<p>A paragraph of a letter, with some words in it that fill the line well.</p>\n"
    letter = sending.LETTER
    room = size - len(sending.merged(letter))
    filler = line * (room // len(line))
    return replace(letter, html=letter.html.replace("</html>", filler + "</html>"))


@contextlib.contextmanager
def _sink() -> Iterator[int]:
    """A receiver's port."""
    with sink() as process:
        yield process.port


@dataclass(frozen=True)
class Sink:
    """A running smtp-sink: one process with one thread."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU that it has taken so far."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            raise SystemExit("The receiver's CPU is read from /proc: Linux only.") from None


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    """Runs Postfix's smtp-sink."""
    if not (PEER / "usr/sbin/smtp-sink").exists():
        raise SystemExit("Postfix's smtp-sink is missing: ./scripts/peers unpacks it.")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [PEER / "usr/sbin/smtp-sink", *user, f"127.0.0.1:{port}", "200"], env=_environment()
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield Sink(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _environment() -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(PEER / "usr/lib/postfix"), "PATH": "/usr/bin:/bin"}


if __name__ == "__main__":
    main()

"""A signed send beside what `openssl speed` signs on one core, in turns.

Everything is on, as in ``tests.bench.wire``, and each mail is signed by RSA with 2,048 bits. The
receiver shares the machine's cores with the sender, so more threads than cores gain nothing.

::

    python -m tests.bench.signing 4000 3        # people, rounds
"""

from __future__ import annotations

import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from mailer.adapters.key_files import KeyFolder
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.smtp.pace import Pace
from mailer.store import migrations
from mailer.store.database import Database, database_url
from mailer.usecases.sign_letters import Signing
from tests import sending
from tests.bench import wire
from tests.crowd import make_crowd

THREADS = (1, 2)


def main() -> None:
    people, rounds = int(sys.argv[1]), int(sys.argv[2])
    ratios: dict[int, list[float]] = {threads: [] for threads in THREADS}
    with wire._sink() as port:
        for number in range(rounds):
            alone = _openssl()
            shown = []
            for threads in THREADS:
                rate, cpu = _ours(people, port, threads)
                ratios[threads].append(rate / alone)
                shown.append(f"{threads} threads {rate:,.0f}/s ({rate / alone:.2f}; {cpu:.0f} µs)")
            print(f"round {number + 1}: openssl {alone:,.0f}/s, ours {', '.join(shown)}")
    medians = (
        f"{threads} threads {statistics.median(all_):.2f}" for threads, all_ in ratios.items()
    )
    print(f"median ratio: {', '.join(medians)}")


def _openssl() -> float:
    """Signatures a second of one core."""
    said = subprocess.run(
        ["openssl", "speed", "-elapsed", "-seconds", "2", "rsa2048"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"rsa 2048 bits\s+\S+\s+\S+\s+([\d.]+)", said)
    if found is None:
        raise SystemExit(f"openssl speed said something else: {said}")
    return float(found[1])


def _ours(people: int, port: int, threads: int) -> tuple[float, float]:
    """Mails a second on the wire, and µs of CPU a mail."""
    folder = Path(tempfile.mkdtemp(prefix="mailer-bench-"))
    try:
        signing = Signing(KeyFolder(folder / "keys"), "example.org", "m1")
        signing.files.create("example.org", "m1", ed25519_too=False)
        with Database(database_url("sqlite:///mailer.db", folder)) as db:
            migrations.upgrade(db)
            list_id, crowd = make_crowd(db, people)
            campaign = sending.plan_for(
                db, crowd, list_id, rendition=wire._letter(), dkim=signing.freeze()
            )
            before = resource.getrusage(resource.RUSAGE_SELF)
            report = sending.send(
                db,
                campaign,
                folder,
                port,
                transport=SmtpTransport(
                    "127.0.0.1", port, security="none", connections=wire.SESSIONS
                ),
                pace=Pace(connections=wire.SESSIONS, signing_threads=threads),
                signing=signing,
            )
        if report.counts.accepted != people:
            raise SystemExit(f"not everybody was accepted: {report.counts} {report.because}")
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return report.per_second, cpu / people * 1e6
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

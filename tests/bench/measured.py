"""One measured send in a process of its own: seconds, CPU and the peak of memory, as JSON.

Planning is done by an earlier process, so that its memory is not counted::

    python -m tests.bench.measured plan FOLDER PEOPLE SIZE [signed]
    python -m tests.bench.measured send FOLDER PORT [threads] [profile] [window=500]
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from mailer.adapters.key_files import KeyFolder
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.smtp.pace import Pace
from mailer.store import migrations, planning
from mailer.store.database import Database, database_url
from mailer.usecases.sign_letters import Signing
from tests import sending
from tests.bench.profiled import Profile
from tests.bench.wire import SESSIONS, _letter
from tests.builders import make_list

DOMAIN, SELECTOR = "example.org", "m1"
_SERIES = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :people)"
_ADDRESS = "'p-' || i || '@example' || (i % 7) || '.org'"


def open_database(folder: Path) -> Database:
    return Database(database_url("sqlite:///mailer.db", folder))


def keys(folder: Path) -> Signing:
    return Signing(KeyFolder(folder / "keys"), DOMAIN, SELECTOR)


def plan(folder: Path, people: int, size: int, *, signed: bool) -> None:
    """Plans a campaign for so many people, by SQL: a million of them in well under a minute."""
    signing = keys(folder)
    if signed:
        signing.files.create(DOMAIN, SELECTOR, ed25519_too=False)
    with open_database(folder) as db:
        migrations.upgrade(db)
        list_id = make_list(db, "crowd")
        content = sending.content_of(
            _letter(size), list_id, "crowd", dkim=signing.freeze() if signed else None
        )
        campaign, variants = planning.create(db, content, now=datetime.now(UTC))
        values = {"people": people, "list": list_id, "c": campaign, "v": variants[0]}
        with db.write() as connection:
            for statement in (
                "INSERT INTO subscriber (id, address, key, suppression_hash, fields, created_at)"
                f" {_SERIES} SELECT i, {_ADDRESS}, {_ADDRESS}, CAST(printf('%032d', i) AS BLOB),"
                " '{}', '2026-01-01 00:00:00' FROM n",
                "INSERT INTO subscription (list_id, subscriber_id, status, since)"
                " SELECT :list, id, 'active', '2026-01-01 00:00:00' FROM subscriber",
                "INSERT INTO delivery (campaign_id, position, subscriber_id, variant_id, state,"
                " attempt, reason, reply) SELECT :c, id, id, :v, 'planned', 0, '', ''"
                " FROM subscriber",
                "INSERT INTO snapshot (campaign_id, position, address, fields)"
                " SELECT :c, id, address, fields FROM subscriber",
            ):
                named = {name: at for name, at in values.items() if f":{name}" in statement}
                connection.execute(text(statement), named)
        planning.publish(db, campaign, issue="crowd", audience=people, excluded={})


def send(
    folder: Path, port: int, *, threads: int, profiled: bool, window: int = 500
) -> dict[str, Any]:
    """Sends it with everything on. ``seconds`` are those of the whole command, begin to end."""
    profile = Profile()
    with open_database(folder) as db:
        with db.read() as connection:
            found: Any = connection.execute(text("SELECT id, frozen FROM campaign")).one()
        signed = json.loads(found.frozen).get("dkim") is not None
        if profiled:
            profile.start()
        peaks = _Peaks()
        peaks.start()
        before = _used()
        begun = time.perf_counter()
        report = sending.send(
            db,
            found.id,
            folder,
            port,
            transport=SmtpTransport("127.0.0.1", port, security="none", connections=SESSIONS),
            pace=Pace(
                window=window,
                group=window // 2,
                connections=SESSIONS,
                signing_threads=threads,
            ),
            signing=keys(folder) if signed else None,
        )
        seconds = time.perf_counter() - begun
    people = report.counts.audience
    if report.counts.accepted != people:
        raise SystemExit(f"not everybody was accepted: {report.counts} {report.because}")
    return {
        "seconds": seconds,
        "wire_seconds": report.seconds,
        "cpu": _used() - before,
        "ledger": _seconds(resource.RUSAGE_CHILDREN),
        "memory": peaks.stop(),
        "stages": profile.spent,
    }


def _used() -> float:
    """Seconds of CPU, of this process and of those that it started and that have ended."""
    return _seconds(resource.RUSAGE_SELF) + _seconds(resource.RUSAGE_CHILDREN)


def _seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


class _Peaks(threading.Thread):
    """Watches the peak of memory of this process and of what it starts, in bytes.

    A child's ``ru_maxrss`` would not do: it begins with what its parent had when it was made.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._peaks: dict[str, int] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.5):
            self._look()

    def stop(self) -> int:
        self._over.set()
        self.join()
        self._look()
        return sum(self._peaks.values())

    def _look(self) -> None:
        me = str(os.getpid())
        tasks = Path("/proc/self/task").glob("*/children")
        for process in [me, *" ".join(_text(each) for each in tasks).split()]:
            found = re.search(r"VmHWM:\s+(\d+) kB", _text(Path("/proc", process, "status")))
            if found:
                self._peaks[process] = int(found[1]) * 1024


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended meanwhile
        return ""


if __name__ == "__main__":
    where = Path(sys.argv[2])
    if sys.argv[1] == "plan":
        plan(where, int(sys.argv[3]), int(sys.argv[4]), signed="signed" in sys.argv)
    else:
        how_many = int(sys.argv[4]) if len(sys.argv) > 4 else 2
        windows = [int(word[7:]) for word in sys.argv if word.startswith("window=")]
        result = send(
            where,
            int(sys.argv[3]),
            threads=how_many,
            profiled="profile" in sys.argv,
            window=windows[0] if windows else 500,
        )
        print(json.dumps(result))

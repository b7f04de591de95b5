"""Plans a campaign for many people, with one segment and one exclusion, on both databases.

The whole command is timed, composing the issue included: the sample edition, which names each
reader. The segment asks a text field and a number, the exclusion is a list with a tenth of the
people. At the end stands how the time for one person grows from the smallest to the largest.

::

    python -m tests.bench.plan 10000 100000 1000000
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from mailer.store.database import Database
from mailer.wiring import open_mailer
from mailer.wiring.files import shipped_examples
from tests import postgres
from tests.builders import make_list
from tests.command_line import done, make_workspace

RULE = '(city in ("Geneva", "Bern", "Port Elsin") or age > 60) and not domain = "example0.org"'
_SERIES = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :people) ",
    "postgresql": "WITH n (i) AS (SELECT generate_series(1, :people)) ",
}
_FIELDS = {
    "sqlite": "json_object('first_name', 'Name ' || (i % 3000), 'city', {city}, 'age', i % 90)",
    "postgresql": "json_build_object('first_name', 'Name ' || (i % 3000), 'city', {city},"
    " 'age', i % 90)",
}
_CITY = (
    "CASE i % 4 WHEN 0 THEN 'geneva' WHEN 1 THEN 'Bern' WHEN 2 THEN 'Port Elsin' ELSE 'Basel' END"
)
_HASH = {
    "sqlite": "CAST(printf('%032d', i) AS BLOB)",
    "postgresql": "decode(md5(CAST(i AS text)), 'hex')",
}


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [10_000, 100_000, 1_000_000]
    binaries = postgres.find_binaries()
    for name in ("sqlite", "postgresql"):
        if name == "postgresql" and binaries is None:
            print("PostgreSQL is not installed: ./scripts/peers installs it")
            continue
        seconds = {size: _plan(name, size, binaries) for size in sizes}
        first, last = (1e6 * seconds[size] / size for size in (sizes[0], sizes[-1]))
        print(f"{name}: {last:.1f} µs a person at {sizes[-1]:,}, {first:.1f} at {sizes[0]:,}")


def _plan(name: str, size: int, binaries: Path | None) -> float:
    folder = Path(tempfile.mkdtemp(prefix="mailer-bench-"))
    server = postgres.Server(binaries) if name == "postgresql" and binaries else None
    try:
        url = {"database_url": server.make("bench")} if server else {}
        workspace = make_workspace(folder, **url)
        if server:
            done(workspace, "db", "upgrade")
        with open_mailer(workspace) as mailer:
            _fill(mailer.db, size)
        done(workspace, "segments", "add", "some", RULE)
        shutil.copytree(shipped_examples() / "issues/tide-table", workspace / "issue")
        words = ("--list", "everybody", "--segment", "some", "--exclude", "press")
        begun, worked = time.perf_counter(), _cpu(server)
        planned = done(workspace, "campaigns", "plan", str(workspace / "issue"), *words)
        seconds = time.perf_counter() - begun
        time.sleep(1)  # until the server has buried its processes
        worked = _cpu(server) - worked
        assert planned["audience"] + sum(planned["excluded"].values()) == size
        print(
            f"{name}: {size:,} people in {seconds:.1f} s, {worked:.1f} s of CPU;"
            f" audience {planned['audience']:,}, {planned['excluded']}",
            flush=True,
        )
        return seconds
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder)


def _cpu(server: postgres.Server | None) -> float:
    """Seconds of CPU so far: ours, and those of the server's processes that have ended."""
    ours = time.process_time()
    if server is None or not Path("/proc/self/stat").exists():
        return ours
    postmaster = (server.folder / "data/postmaster.pid").read_text().split()[0]
    spent = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()
    return ours + (int(spent[13]) + int(spent[14])) / os.sysconf("SC_CLK_TCK")


def _fill(db: Database, size: int) -> None:
    """People, all of them on one list, and every tenth on another."""
    everybody, press = make_list(db, "everybody"), make_list(db, "press")
    series, when = _SERIES[db.dialect], "'2026-01-01 00:00:00.000000'"
    if not db.on_sqlite:
        when = "timestamptz '2026-01-01'"
    fields = _FIELDS[db.dialect].format(city=_CITY)
    with db.write() as connection:
        connection.execute(
            text(
                "INSERT INTO subscriber (id, address, key, suppression_hash, language, fields,"
                f" created_at) {series} SELECT i, 'p-' || i || '@example' || (i % 11) || '.org',"
                f" 'p-' || i || '@example' || (i % 11) || '.org', {_HASH[db.dialect]}, 'en',"
                f" {fields}, {when} FROM n"
            ),
            {"people": size},
        )
        for number, every in ((everybody, 1), (press, 10)):
            connection.execute(
                text(
                    "INSERT INTO subscription (list_id, subscriber_id, status, since) SELECT :l,"
                    f" id, 'active', {when} FROM subscriber WHERE id % :every = 0"
                ),
                {"l": number, "every": every},
            )
        for field, kind in (("first_name", "text"), ("city", "text"), ("age", "number")):
            connection.execute(
                text(f"INSERT INTO field (name, kind, created_at) VALUES (:n, :k, {when})"),
                {"n": field, "k": kind},
            )
        connection.execute(text("ANALYZE"))  # as PostgreSQL does by itself, some time later


if __name__ == "__main__":
    main()

"""Checks the database against itself, copies it, and counts what is in it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any

from sqlalchemy import Connection, text

from mailer.errors import InputError
from mailer.model.shown import counted
from mailer.model.words import DeliveryState
from mailer.store.database import Database
from mailer.store.sqlite_file import create_private, open_to_all
from mailer.store.trouble import translated

_COUNTED = {
    "subscribers": "SELECT count(*) FROM subscriber",
    "lists": "SELECT count(*) FROM list",
    "subscriptions": "SELECT count(*) FROM subscription",
    "suppressions": "SELECT count(*) FROM suppression",
    "campaigns": "SELECT count(*) FROM campaign WHERE state <> 'planning'",
    "deliveries": "SELECT count(*) FROM delivery",
}


def exists(db: Database) -> bool:
    """Whether there is a database at its address; a server's always is."""
    return not db.on_sqlite or Path(db.url.database or "").is_file()


def faults(db: Database) -> list[str]:
    """One sentence for each thing that is wrong."""
    found: list[str] = []
    with db.read() as connection:
        if db.on_sqlite:
            if open_files := [str(file) for file in open_to_all(db.url.database or "")]:
                found.append(
                    f"Everybody on this machine can read {' and '.join(open_files)}."
                    f" Run: chmod o= {' '.join(map(quote, open_files))}"
                )
            said = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
            found += [f"SQLite: {line}" for line in said if line != "ok"]
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            found += [f"A row of {row[0]} points to a missing row of {row[2]}." for row in broken]
        found += _unbalanced(connection)
    return found


def _unbalanced(connection: Connection) -> list[str]:
    """Campaigns whose tally is not what their rows say."""
    states = ", ".join(
        f"sum(CASE WHEN d.state = '{state}' THEN 1 ELSE 0 END) AS {state}_rows"
        for state in DeliveryState
    )
    tallied = ", ".join(f't."{state}" AS {state}_tally' for state in DeliveryState)
    grouped = ", ".join(f't."{state}"' for state in DeliveryState)
    rows = connection.execute(
        text(
            f"SELECT c.slug, t.audience, count(d.position) AS people, {tallied}, {states}"
            " FROM campaign c JOIN tally t ON t.campaign_id = c.id"
            " LEFT JOIN delivery d ON d.campaign_id = c.id"
            f" GROUP BY c.slug, t.audience, {grouped}"
        )
    )
    found = []
    for row in rows.mappings():
        if row["audience"] != row["people"]:
            found.append(
                f"Campaign {row['slug']}: the audience is {row['audience']}, rows {row['people']}."
            )
        found += [
            f"Campaign {row['slug']}: {row[f'{state}_tally']} counted {state},"
            f" {counted(row[f'{state}_rows'], 'row says', 'rows say')} so."
            for state in DeliveryState
            if row[f"{state}_tally"] != (row[f"{state}_rows"] or 0)
        ]
    return found


def backup(db: Database, file: Path) -> int:
    """Copies a SQLite database with ``VACUUM INTO``; returns the copy's size in bytes."""
    if not db.on_sqlite:
        raise InputError("Back up PostgreSQL with its own pg_dump.")
    if not file.parent.is_dir():
        raise InputError(f"There is no folder {file.parent}.", hint="Make it, and run this again.")
    ours = create_private(file)  # SQLite fills an empty one as it fills none
    if not ours and file.exists():
        raise InputError(f"{file} exists already; a backup never overwrites.")
    try:
        with translated(str(file)), db.engine.connect() as connection:
            driver = connection.connection.driver_connection
            if driver is not None:
                driver.execute("VACUUM INTO ?", (str(file),))
    except BaseException:
        if ours:
            with suppress(OSError):  # half a copy is none; the first trouble is the one to tell
                file.unlink()
        raise
    return file.stat().st_size


def sizes(db: Database) -> dict[str, int]:
    """How many rows of each kind there are."""
    with db.read() as connection:
        return {
            name: int(connection.execute(text(statement)).scalar_one())
            for name, statement in _COUNTED.items()
        }


def rewrite(db: Database, *, up_to: int | None = None) -> bool:
    """Writes a SQLite file anew, so that nothing deleted is left between its rows.

    A file above ``up_to`` bytes is left as it is: others would wait too long. Says whether it was
    done; PostgreSQL does it by itself, by autovacuum.
    """
    if not db.on_sqlite:
        return True
    if up_to is not None and Path(db.url.database or "").stat().st_size > up_to:
        return False
    with translated(db.shown), db.engine.connect() as connection:
        connection.detach()  # its settings must not go back to the pool
        driver: Any = connection.connection.dbapi_connection
        driver.execute("PRAGMA temp_store = FILE")
        driver.execute("VACUUM")
        busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return not busy

"""Workers that are alive: each beats in a row of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, text
from sqlmodel import col

from mailer.model.campaigns import Worker
from mailer.store.processes import is_gone, this_process

ALIVE_MS = 30_000  # a heartbeat that is older does not count
_FORGOTTEN_MS = 86_400_000


def sign_on(connection: Connection, now: datetime) -> int:
    """Writes this process down as a worker; rows of long dead ones are taken away."""
    beat = int(now.timestamp() * 1000)
    connection.execute(
        text("DELETE FROM worker WHERE heartbeat_at < :long_ago"),
        {"long_ago": beat - _FORGOTTEN_MS},
    )
    worker: Any = connection.execute(
        insert(Worker).returning(col(Worker.id)),
        {"process": this_process(), "started_at": now, "heartbeat_at": beat},
    ).scalar_one()
    return int(worker)


def beat(connection: Connection, worker: int, now_ms: int) -> None:
    connection.execute(
        text("UPDATE worker SET heartbeat_at = :now WHERE id = :worker"),
        {"now": now_ms, "worker": worker},
    )


def sign_off(connection: Connection, worker: int) -> None:
    connection.execute(text("DELETE FROM worker WHERE id = :worker"), {"worker": worker})


def alive(connection: Connection, now_ms: int) -> int:
    """How many workers live: of this machine by their processes too, of others by the beat."""
    rows = connection.execute(
        text("SELECT process FROM worker WHERE heartbeat_at > :then AND heartbeat_at < :soon"),
        {"then": now_ms - ALIVE_MS, "soon": now_ms + ALIVE_MS},
    ).scalars()
    return sum(not is_gone(process) for process in rows)

"""Makes many people on a list, quickly."""

from __future__ import annotations

from sqlalchemy import text

from mailer.store.database import Database
from tests.builders import make_list


def make_crowd(db: Database, people: int, *, name: str = "crowd") -> tuple[int, dict[int, str]]:
    """A list and its people: id → address, spread over seven domains."""
    list_id = make_list(db, name)
    crowd = {number: f"p-{number}@example{number % 7}.org" for number in range(1, people + 1)}
    with db.write() as connection:
        connection.execute(
            text(
                "INSERT INTO subscriber (id, address, key, suppression_hash, fields, created_at)"
                " VALUES (:id, :address, :address, :hash, '{}', '2026-01-01 00:00:00')"
            ),
            [{"id": i, "address": a, "hash": i.to_bytes(32, "big")} for i, a in crowd.items()],
        )
        connection.execute(
            text(
                "INSERT INTO subscription (list_id, subscriber_id, status, since)"
                " VALUES (:l, :id, 'active', '2026-01-01 00:00:00')"
            ),
            [{"l": list_id, "id": number} for number in crowd],
        )
    return list_id, crowd

"""Finds and takes away what has been kept for long enough, a slice at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

SLICE = 5_000  # rows in one write transaction
_AT = bindparam("moment", type_=UTCDateTime())
_OVER = "campaign_id IN (SELECT id FROM campaign WHERE state IN ('finished', 'cancelled'))"
_TRACED = "(ip IS NOT NULL OR user_agent IS NOT NULL) AND at < :moment"
_SEEN = "network IS NOT NULL AND at < :ms"
# What an undo of so old an import would need: acts since then may have left no event.
_FORGOTTEN = "batch_id IN (SELECT id FROM batch WHERE started_at < :moment)"

# What each rule counts, and what a slice of it does. ``:ms`` is the same instant for the ledger.
_COUNTS: Mapping[str, str] = {
    "network": (
        f"SELECT (SELECT count(*) FROM consent WHERE {_TRACED})"
        f" + (SELECT count(*) FROM tracking_consent WHERE {_TRACED})"
        f" + (SELECT count(*) FROM link_click WHERE {_SEEN})"
        f" + (SELECT count(*) FROM image_load WHERE {_SEEN})"
    ),
    "replies": f"SELECT count(*) FROM delivery WHERE reply <> '' AND at < :ms AND {_OVER}",
    "values": (
        "SELECT count(*) FROM snapshot s JOIN delivery d ON d.campaign_id = s.campaign_id"
        f" AND d.position = s.position WHERE d.at < :ms AND d.{_OVER}"
    ),
    "clicks": (
        "SELECT (SELECT count(*) FROM link_click WHERE at < :ms)"
        " + (SELECT count(*) FROM image_load WHERE at < :ms)"
    ),
    "events": (
        "SELECT (SELECT count(*) FROM event WHERE at < :moment"
        " AND kind IN ('changed', 'agreed', 'tagged', 'untagged'))"
        f" + (SELECT count(*) FROM batch_change WHERE {_FORGOTTEN})"
    ),
}
_SLICES: Mapping[str, tuple[str, ...]] = {
    "network": (
        *(
            f"UPDATE {table} SET ip = NULL, user_agent = NULL WHERE id IN"
            f" (SELECT id FROM {table} WHERE {_TRACED} LIMIT {SLICE})"
            for table in ("consent", "tracking_consent")
        ),
        *(
            f"UPDATE {table} SET network = NULL WHERE id IN"
            f" (SELECT id FROM {table} WHERE {_SEEN} LIMIT {SLICE})"
            for table in ("link_click", "image_load")
        ),
    ),
    "replies": (
        "UPDATE delivery SET reply = '' WHERE (campaign_id, position) IN (SELECT campaign_id,"
        f" position FROM delivery WHERE reply <> '' AND at < :ms AND {_OVER} LIMIT {SLICE})",
    ),
    "values": (
        "DELETE FROM snapshot WHERE (campaign_id, position) IN (SELECT s.campaign_id, s.position"
        " FROM snapshot s JOIN delivery d ON d.campaign_id = s.campaign_id"
        f" AND d.position = s.position WHERE d.at < :ms AND d.{_OVER} LIMIT {SLICE})",
    ),
    "clicks": (
        *(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE at < :ms LIMIT {SLICE})"
            for table in ("link_click", "image_load")
        ),
    ),
    "events": (  # the records first: an undo must not take an act for none
        "DELETE FROM batch_change WHERE (batch_id, subscriber_id) IN (SELECT batch_id,"
        f" subscriber_id FROM batch_change WHERE {_FORGOTTEN} LIMIT {SLICE})",
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < :moment"
        f" AND kind IN ('changed', 'agreed', 'tagged', 'untagged') LIMIT {SLICE})",
    ),
}
IN_DATABASE = frozenset(_COUNTS)


def count(connection: Connection, rule: str, moment: datetime) -> int:
    """How many rows a rule would change."""
    statement = _COUNTS[rule]
    return int(connection.execute(_bound(statement), _values(statement, moment)).scalar_one())


def slices(rule: str, moment: datetime) -> list[Callable[[Connection], int]]:
    """What a rule does, each to be called again and again until it changes nothing more."""
    return [_slice(statement, moment) for statement in _SLICES[rule]]


def drop_expired_drafts(connection: Connection, now: datetime) -> int:
    """Removes web versions of test copies whose time is over."""
    gone = connection.execute(
        text("DELETE FROM draft WHERE expires_at < :moment").bindparams(_AT), {"moment": now}
    )
    return gone.rowcount


def _slice(statement: str, moment: datetime) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        return connection.execute(_bound(statement), _values(statement, moment)).rowcount

    return work


def _bound(statement: str) -> Any:
    clause = text(statement)
    return clause.bindparams(_AT) if ":moment" in statement else clause


def _values(statement: str, moment: datetime) -> dict[str, Any]:
    known = {"moment": moment, "ms": round(moment.timestamp() * 1000)}
    return {name: value for name, value in known.items() if f":{name}" in statement}

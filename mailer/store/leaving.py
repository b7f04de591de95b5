"""Takes a whole group of readers off their lists at once: the one-click posts of one moment.

What each of them means is said in ``subscriptions.leave_list``. Nearly all are the ordinary case,
somebody who gets the list and leaves it, and those are three statements for the whole group; each
of the others goes through ``leave_list`` itself, inside the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.store import site
from mailer.store.dialect import gathered, json_rows, run
from mailer.store.subscriptions import BY_READER, Click, leave_list

_FOUND = ("i.n", "c.list_id", "l.title", "u.status")
_LANGUAGE = (
    "(SELECT v.language FROM variant v WHERE v.id = COALESCE("
    " (SELECT d.variant_id FROM delivery d"
    "   WHERE d.campaign_id = c.id AND d.subscriber_id = i.subscriber),"
    " (SELECT min(first.id) FROM variant first WHERE first.campaign_id = c.id)))"
)


_RETURNED = text(
    "SELECT 1 FROM event WHERE subscriber_id = :subscriber AND list_id = :list"
    " AND kind = 'subscribed' AND at > :at"
).bindparams(bindparam("at", type_=UTCDateTime()))


@dataclass(frozen=True, slots=True)
class Left:
    """What came of one click; ``changed`` is false for who did not get the list anyway."""

    changed: bool
    list_title: str
    language: str


def leave_lists(connection: Connection, clicks: Sequence[Click]) -> list[Left | None]:
    """Takes each reader off the list of their mail; None for a campaign that there is not."""
    results: list[Left | None] = [None] * len(clicks)
    done: set[tuple[int, int]] = set()
    settled: set[int] = set()
    moves: list[tuple[object, ...]] = []
    for n, list_id, title, status, language in _ordinary(connection, clicks):
        click = clicks[n]
        if (list_id, click.subscriber_id) in done:
            continue  # the same person twice in one group
        done.add((list_id, click.subscriber_id))
        settled.add(n)
        results[n] = Left(True, title, language or "")
        was = "" if status == "active" else status
        at = _instant(connection, click.at)
        moves.append((list_id, click.subscriber_id, click.campaign_id, at, was))
    if moves:
        _move(connection, moves)
    for n, click in enumerate(clicks):
        if n not in settled:
            results[n] = _one(connection, click)
    return results


def returned_since(connection: Connection, click: Click, list_id: int) -> bool:
    """Whether somebody subscribed to a list again after the moment of a click."""
    values = {"subscriber": click.subscriber_id, "list": list_id, "at": click.at}
    return connection.execute(_RETURNED, values).first() is not None


def _ordinary(
    connection: Connection, clicks: Sequence[Click]
) -> list[tuple[int, int, str, str, str]]:
    """Those who get the list, locked in one order, so that two groups never wait for each other."""
    dialect = connection.dialect.name
    given = json_rows(
        dialect, "clicks", [("n", "BIGINT"), ("subscriber", "BIGINT"), ("campaign", "BIGINT")]
    )
    lock = "" if dialect == "sqlite" else " FOR UPDATE OF u"
    # CROSS JOIN keeps SQLite from turning the join round and walking through the whole list.
    rest = (
        f"FROM {given} AS i CROSS JOIN campaign c CROSS JOIN list l CROSS JOIN subscription u"
        " WHERE c.id = i.campaign AND c.state <> 'planning' AND l.id = c.list_id"
        " AND u.list_id = c.list_id AND u.subscriber_id = i.subscriber"
        " AND u.status IN ('active', 'pending')"
        f" ORDER BY u.list_id, u.subscriber_id, i.n{lock}"
    )
    rows = [(n, click.subscriber_id, click.campaign_id) for n, click in enumerate(clicks)]
    return gathered(connection, [*_FOUND, _LANGUAGE], rest, {"clicks": json.dumps(rows)})


def _move(connection: Connection, moves: Sequence[tuple[object, ...]]) -> None:
    dialect = connection.dialect.name
    moment = "TEXT" if dialect == "sqlite" else "TIMESTAMPTZ"
    given = json_rows(
        dialect,
        "moves",
        [
            ("list", "BIGINT"),
            ("subscriber", "BIGINT"),
            ("campaign", "BIGINT"),
            ("moment", moment),
            ("was", "TEXT"),
        ],
    )
    values = {"moves": json.dumps(moves)}
    run(
        connection,
        "UPDATE subscription SET status = 'unsubscribed', since = i.moment"
        f" FROM {given} AS i"
        " WHERE subscription.list_id = i.list AND subscription.subscriber_id = i.subscriber",
        values,
    )
    run(
        connection,
        "INSERT INTO event (at, kind, actor, subscriber_id, list_id, campaign_id, detail)"
        f" SELECT i.moment, 'unsubscribed', '{BY_READER}', i.subscriber, i.list, i.campaign, i.was"
        f" FROM {given} AS i WHERE true",
        values,
    )


def _one(connection: Connection, click: Click) -> Left | None:
    campaign = click.campaign_id or 0
    letter = site.letter(connection, campaign, click.subscriber_id)
    if letter is None:
        return None
    changed = leave_list(connection, click, letter.list_id)
    return Left(changed, letter.list_title, letter.language)


def _instant(connection: Connection, at: datetime) -> str:
    """As the engine writes it on this database."""
    moment = at.astimezone(UTC)
    if connection.dialect.name == "sqlite":
        return f"{moment.replace(tzinfo=None):%Y-%m-%d %H:%M:%S.%f}"
    return moment.isoformat()

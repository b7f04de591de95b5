"""Asks the people of a list again, writes down who says yes, and drops who kept silent.

Who was asked are those to whom a campaign of the list went that carries the link, since the asking
began. A campaign without the link asks nobody, so nobody is dropped for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, Row, bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.model.words import SubscriptionStatus
from mailer.store.dialect import for_update, for_update_of
from mailer.store.evidence import record_consent
from mailer.store.people import note
from mailer.store.subscriptions import BY_READER

SOURCE = "reconfirmed"  # of the consent that a yes becomes
SILENT = "silent"  # the detail of the departure of who said nothing
_SINCE = bindparam("since", type_=UTCDateTime())
# A yes of the reader's own since the asking began: by this link, a form, or a confirmation.
_SAID_YES = (
    "EXISTS (SELECT 1 FROM consent k WHERE k.list_id = :list AND k.subscriber_id = u.subscriber_id"
    f" AND k.at >= :since AND k.source IN ('{SOURCE}', 'form', 'confirmation'))"
)
_WAS_ASKED = (
    "EXISTS (SELECT 1 FROM delivery d WHERE d.subscriber_id = u.subscriber_id"
    " AND d.campaign_id IN :campaigns AND d.state = 'accepted')"
)
_OF_LIST = (
    f"FROM subscription u WHERE u.list_id = :list AND u.status = '{SubscriptionStatus.active}'"
)


def asking_campaigns(connection: Connection, list_id: int, since: datetime) -> Sequence[int]:
    """The campaigns of a list that carry the link, planned since then."""
    rows = connection.execute(
        text(
            "SELECT id, frozen FROM campaign WHERE list_id = :list AND planned_at >= :since"
            " AND state <> 'planning'"
        )
        .bindparams(_SINCE)
        .columns(frozen=JSON()),
        {"list": list_id, "since": since},
    )
    return [row.id for row in rows if row.frozen.get("asks_again")]


def counts(
    connection: Connection, list_id: int, since: datetime, campaigns: Sequence[int]
) -> tuple[int, int, int]:
    """Of the active people of a list: who said yes, who was asked and is silent, who was not."""
    row = connection.execute(
        _asked(
            f"SELECT count(*), sum(CASE WHEN {_SAID_YES} THEN 1 ELSE 0 END),"
            f" sum(CASE WHEN NOT {_SAID_YES} AND {_WAS_ASKED} THEN 1 ELSE 0 END) {_OF_LIST}"
        ),
        _values(list_id, since, campaigns),
    ).one()
    everybody, yes, silent = (int(each or 0) for each in row)
    return yes, silent, everybody - yes - silent


def silent_ones(
    connection: Connection,
    dialect: str,
    list_id: int,
    since: datetime,
    campaigns: Sequence[int],
    limit: int,
) -> Sequence[int]:
    """Some of those who were asked and said nothing, held until the transaction ends.

    Whoever is saying yes at this moment is passed over. A yes that was committed between the look
    and the hold counts: those who are held are looked at again.
    """
    silent = f"SELECT u.subscriber_id {_OF_LIST} AND {_WAS_ASKED} AND NOT {_SAID_YES}"
    held = for_update_of(dialect, "u")
    values = _values(list_id, since, campaigns)
    while True:
        look = _asked(f"{silent} ORDER BY u.subscriber_id LIMIT :limit{held}")
        found = list(connection.execute(look, values | {"limit": limit}).scalars())
        if not held or not found:
            return [int(each) for each in found]
        again = _asked(f"{silent} AND u.subscriber_id IN :found").bindparams(
            bindparam("found", expanding=True)
        )
        still = list(connection.execute(again, values | {"found": found}).scalars())
        if still:
            return [int(each) for each in still]


def hold(connection: Connection, dialect: str, campaign_id: int, subscriber_id: int) -> None:
    """Holds a reader's place on the list of a campaign while their yes is written down."""
    connection.execute(
        text(
            "SELECT status FROM subscription WHERE subscriber_id = :subscriber"
            " AND list_id = (SELECT list_id FROM campaign WHERE id = :campaign)"
            f"{for_update(dialect)}"
        ),
        {"campaign": campaign_id, "subscriber": subscriber_id},
    ).all()


def standing(connection: Connection, campaign_id: int, subscriber_id: int) -> Row[Any] | None:
    """How a reader stands on the list of a campaign; None when there is no such campaign.

    ``status`` is null for who is not on it; ``person`` for who is erased; ``dropped`` when they
    left by keeping silent; ``yes`` when they said yes since the campaign was planned.
    """
    return connection.execute(
        text(
            "SELECT c.list_id, c.slug, c.planned_at, l.title, p.id AS person, p.address, u.status,"
            " (x.hash IS NOT NULL OR y.hash IS NOT NULL) AS suppressed,"
            f" (e.actor <> '{BY_READER}' AND e.detail = '{SILENT}') AS dropped,"
            " EXISTS (SELECT 1 FROM consent k WHERE k.list_id = c.list_id"
            f"  AND k.subscriber_id = :subscriber AND k.source = '{SOURCE}'"
            "  AND k.at >= c.planned_at) AS yes"
            " FROM campaign c JOIN list l ON l.id = c.list_id"
            " LEFT JOIN subscriber p ON p.id = :subscriber"
            " LEFT JOIN subscription u ON u.list_id = c.list_id AND u.subscriber_id = p.id"
            " LEFT JOIN suppression x ON x.hash = p.suppression_hash"
            " LEFT JOIN list_suppression y ON y.list_id = l.id AND y.hash = p.suppression_hash"
            " LEFT JOIN event e ON e.id = (SELECT max(last.id) FROM event last"
            "  WHERE last.subscriber_id = p.id AND last.list_id = c.list_id"
            "  AND last.kind = 'unsubscribed')"
            " WHERE c.id = :campaign AND c.state <> 'planning'"
        ),
        {"campaign": campaign_id, "subscriber": subscriber_id},
    ).first()


def say_yes(
    connection: Connection,
    found: Row[Any],
    *,
    at: datetime,
    ip: str | None,
    user_agent: str | None,
) -> None:
    """Writes a reader's yes down as consent; who was dropped for silence is back on the list."""
    if found.status == SubscriptionStatus.unsubscribed:
        connection.execute(
            text(
                "UPDATE subscription SET status = 'active', since = :at"
                " WHERE list_id = :list AND subscriber_id = :s AND status = 'unsubscribed'"
            ).bindparams(bindparam("at", type_=UTCDateTime())),
            {"list": found.list_id, "s": found.person, "at": at},
        )
        note(connection, at, "subscribed", BY_READER, found.person, found.list_id, SOURCE)
    record_consent(
        connection,
        found.person,
        found.list_id,
        source=SOURCE,
        detail=f"campaign {found.slug}",
        at=at,
        ip=ip,
        user_agent=user_agent,
    )
    note(connection, at, SOURCE, BY_READER, found.person, found.list_id, found.slug)


def _asked(statement: str) -> Any:
    return text(statement).bindparams(_SINCE, bindparam("campaigns", expanding=True))


def _values(list_id: int, since: datetime, campaigns: Sequence[int]) -> dict[str, Any]:
    return {"list": list_id, "since": since, "campaigns": list(campaigns)}

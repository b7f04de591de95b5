"""Finds campaigns and tells what became of them; moves rows on an operator's word."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, text
from sqlmodel import col, select

from mailer.errors import NotFoundError
from mailer.model.campaigns import Campaign, Variant
from mailer.model.people import Event, MailingList
from mailer.model.words import CampaignState, Cause, DeliveryState
from mailer.store import splits
from mailer.store.lanes import earliest_due, lanes_of
from mailer.store.ledger import Moved, allow, tally

_S = DeliveryState
# Refusals that trying again may cure, in the words of ``message.replies``: not those that say that
# the address does not exist, that the letter can't be made, or that it is too large.
CURABLE = (
    "expired",
    "rejected",
    "rejected_content",
    "mailbox_full",
    "mailbox_disabled",
    "not_allowed",
    "routing",
    "eai_unsupported",
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person's row, as ``campaigns recipients`` prints it."""

    address: str
    state: str
    reason: str
    attempts: int
    reply: str
    at: int | None  # ms
    position: int


def find(connection: Connection, name: str | int) -> Row[Any]:
    """The campaign with this number or slug. Raises NotFoundError."""
    table = select(Campaign).where(col(Campaign.state) != CampaignState.planning)
    wanted = str(name)
    by = col(Campaign.id) == int(wanted) if re.fullmatch(r"[0-9]{1,9}", wanted) else None
    if by is None or (row := connection.execute(table.where(by)).first()) is None:
        row = connection.execute(table.where(col(Campaign.slug) == wanted)).first()
    if row is None:
        raise NotFoundError(
            f"There is no campaign “{name}”.", hint="`mailer campaigns show` lists them."
        )
    return row


def of_issue(connection: Connection, issue: str) -> list[int]:
    """The campaigns of an issue, but for one that is being planned."""
    rows = connection.execute(
        text("SELECT id FROM campaign WHERE issue = :issue AND state <> 'planning'"),
        {"issue": issue},
    )
    return list(rows.scalars())


def recent(connection: Connection, limit: int = 50) -> Sequence[Row[Any]]:
    """The newest campaigns first."""
    return connection.execute(
        select(Campaign)
        .where(col(Campaign.state) != CampaignState.planning)
        .order_by(col(Campaign.id).desc())
        .limit(limit)
    ).all()


def unfinished(connection: Connection) -> Sequence[tuple[str, dict[str, Any]]]:
    """Slug and frozen settings of each campaign that may still send."""
    over = (CampaignState.finished, CampaignState.cancelled, CampaignState.planning)
    rows = connection.execute(
        select(col(Campaign.slug), col(Campaign.frozen)).where(col(Campaign.state).not_in(over))
    )
    return [(row.slug, dict(row.frozen)) for row in rows]


def list_of(connection: Connection, list_id: int) -> Row[Any]:
    return connection.execute(select(MailingList).where(col(MailingList.id) == list_id)).one()


def variants(connection: Connection, campaign_id: int) -> Sequence[Row[Any]]:
    return connection.execute(
        select(Variant).where(col(Variant.campaign_id) == campaign_id).order_by(col(Variant.id))
    ).all()


def exclusions(connection: Connection, campaign_id: int) -> dict[str, int]:
    rows = connection.execute(
        text("SELECT reason, people FROM exclusion WHERE campaign_id = :c ORDER BY people DESC"),
        {"c": campaign_id},
    )
    return {row.reason: row.people for row in rows}


def reasons(connection: Connection, campaign_id: int) -> dict[DeliveryState, dict[str, int]]:
    """For refused, skipped, deferred and unknown people: each reason and how many it has."""
    rows = connection.execute(
        text(
            "SELECT state, reason, count(*) AS people FROM delivery WHERE campaign_id = :c"
            " AND state IN ('refused', 'skipped', 'deferred', 'unknown')"
            " GROUP BY state, reason ORDER BY state, people DESC, reason"
        ),
        {"c": campaign_id},
    )
    found: dict[DeliveryState, dict[str, int]] = {}
    for row in rows:
        found.setdefault(DeliveryState(row.state), {})[row.reason] = row.people
    return found


def sample_replies(connection: Connection, campaign_id: int) -> dict[str, str]:
    """For each reason of a refusal or deferral, one sentence that a server gave."""
    rows = connection.execute(
        text(
            "SELECT reason, min(reply) AS reply FROM delivery WHERE campaign_id = :c"
            " AND state IN ('refused', 'deferred') AND reply <> '' GROUP BY reason"
        ),
        {"c": campaign_id},
    )
    return {row.reason: row.reply for row in rows}


def recipients(
    connection: Connection, campaign_id: int, states: Sequence[str] = ()
) -> Iterator[Recipient]:
    """Every person of the audience in the order of sending, streamed."""
    statement = (
        "SELECT coalesce(s.address, p.address, '(erased)') AS address, d.state, d.reason,"
        " d.attempt, d.reply, d.at, d.position FROM delivery d"
        " LEFT JOIN snapshot s ON s.campaign_id = d.campaign_id AND s.position = d.position"
        " LEFT JOIN subscriber p ON p.id = d.subscriber_id WHERE d.campaign_id = :c"
    )
    if states:
        statement += " AND d.state IN :states"
    query = text(statement + " ORDER BY d.position")
    values: dict[str, object] = {"c": campaign_id}
    if states:
        query = query.bindparams(bindparam("states", expanding=True))
        values["states"] = list(states)
    streaming = connection.execution_options(stream_results=True, max_row_buffer=2000)
    for row in streaming.execute(query, values):
        yield Recipient(
            row.address, row.state, row.reason, row.attempt, row.reply, row.at, row.position
        )


def variant_of(connection: Connection, campaign_id: int, address: str) -> int:
    """The variant that a recipient gets. Raises NotFoundError for nobody of the audience."""
    row = connection.execute(
        text(
            "SELECT d.variant_id FROM snapshot s JOIN delivery d"
            " ON d.campaign_id = s.campaign_id AND d.position = s.position"
            " WHERE s.campaign_id = :c AND lower(s.address) = lower(:address)"
            " ORDER BY s.position LIMIT 1"
        ),
        {"c": campaign_id, "address": address},
    ).first()
    if row is None:
        raise NotFoundError(f"{address} is not waiting in this campaign's audience.")
    return int(row.variant_id)


def variant_counts(connection: Connection, campaign_id: int) -> dict[int, dict[str, int]]:
    """For each variant, how many deliveries stand in each state."""
    rows = connection.execute(
        text(
            "SELECT variant_id, state, count(*) AS people FROM delivery"
            " WHERE campaign_id = :c GROUP BY variant_id, state"
        ),
        {"c": campaign_id},
    )
    found: dict[int, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.variant_id, {})[row.state] = row.people
    return found


def sample_fields(
    connection: Connection, campaign_id: int, variant_id: int, address: str | None
) -> dict[str, Any]:
    """The fields of one recipient of a variant as they were planned: of that address, else any.

    Raises NotFoundError when that address is not in the audience.
    """
    where = " AND lower(s.address) = lower(:address)" if address is not None else ""
    values = {"c": campaign_id, "variant": variant_id, "address": address}
    row = connection.execute(
        text(
            "SELECT s.fields FROM snapshot s JOIN delivery d"
            " ON d.campaign_id = s.campaign_id AND d.position = s.position"
            f" WHERE s.campaign_id = :c AND d.variant_id = :variant{where}"
            " ORDER BY s.position LIMIT 1"
        ),
        values if address is not None else {"c": campaign_id, "variant": variant_id},
    ).first()
    if row is None and address is not None:
        raise NotFoundError(f"{address} is not waiting in this campaign's audience.")
    return dict(json.loads(row.fields)) if row is not None else {}


def next_due(connection: Connection, campaign_id: int) -> int | None:
    """When there is something to send again, in ms.

    A row that is due, a lane that resumes, or a choice between two subjects by a rule.
    """
    choice = splits.decides_at(connection, campaign_id)
    due = [] if choice is None else [choice]
    for lane in lanes_of(connection, campaign_id):
        earliest = earliest_due(connection, campaign_id, lane)
        if earliest is not None:
            due.append(max(earliest, lane.resume_at or 0))
        elif lane.left and lane.resume_at is not None:
            due.append(lane.resume_at)
    return min(due, default=None)


def siblings_under_way(connection: Connection, campaign_id: int) -> list[str]:
    """Slugs of other campaigns of the same issue that are started and not at their end.

    One that was cancelled or paused is under way too while a process still has rows of it.
    """
    rows = connection.execute(
        text(
            "SELECT c.slug FROM campaign c JOIN tally t ON t.campaign_id = c.id"
            " WHERE c.issue = (SELECT issue FROM campaign WHERE id = :id) AND c.id <> :id AND ("
            " t.sending > 0 OR EXISTS (SELECT 1 FROM run r WHERE r.campaign_id = c.id"
            "  AND r.ended_at IS NULL) OR (c.state IN ('sending', 'paused')"
            '  AND c.started_at IS NOT NULL AND t.planned + t.sending + t."deferred" > 0))'
            " ORDER BY c.id"
        ),
        {"id": campaign_id},
    )
    return list(rows.scalars())


def skip_rest(connection: Connection, campaign_id: int, reason: str, now_ms: int) -> int:
    """Turns everybody who has not been tried, or is to be tried again, into skipped."""
    return _move_all(
        connection,
        campaign_id,
        (_S.planned, _S.deferred),
        _S.skipped,
        Cause.withdrawn,
        reason,
        now_ms,
    )


def decide_unknown(
    connection: Connection,
    campaign_id: int,
    target: DeliveryState,
    now_ms: int,
    *,
    by: str = "operator",
    tried_below: int = 0,
) -> int:
    """Sends the unknown again (``planned``) or leaves them (``skipped``), as somebody said.

    ``tried_below`` leaves out whoever was tried so often already; 0: nobody.
    """
    reason = by if target is _S.skipped else ""
    return _move_all(
        connection,
        campaign_id,
        (_S.unknown,),
        target,
        Cause.told,
        reason,
        now_ms,
        tried_below=tried_below,
    )


def retry_refused(connection: Connection, campaign_id: int, now_ms: int) -> int:
    """Puts people whose refusal may be cured back to ``planned``."""
    return _move_all(
        connection, campaign_id, (_S.refused,), _S.planned, Cause.retried, "", now_ms, CURABLE
    )


def _move_all(
    connection: Connection,
    campaign_id: int,
    sources: Sequence[DeliveryState],
    target: DeliveryState,
    cause: Cause,
    reason: str,
    now_ms: int,
    only_reasons: Sequence[str] = (),
    tried_below: int = 0,
) -> int:
    """Moves all rows of some states along one entry of the table of moves; returns how many."""
    moved = Moved()
    for source in sources:
        allow(source, target, cause)
        where = "campaign_id = :c AND state = :source"
        values: dict[str, object] = {"c": campaign_id, "source": source}
        if only_reasons:
            where += " AND reason IN :reasons"
            values["reasons"] = list(only_reasons)
        if tried_below:
            where += " AND attempt < :tried"
            values["tried"] = tried_below
        _unwait(connection, where, values)
        if target is _S.planned:
            _run(
                connection,
                "INSERT INTO waiting (campaign_id, due_at, position)"
                f" SELECT campaign_id, :now, position FROM delivery WHERE {where}",
                {**values, "now": now_ms},
            )
        anew = ", retried_at = :now" if target is _S.planned else ""
        moved[source, target] += _run(
            connection,
            f"UPDATE delivery SET state = :target, reason = :reason, at = :now{anew} WHERE {where}",
            {**values, "target": target, "reason": reason, "now": now_ms},
        )
    tally(connection, campaign_id, moved)
    return sum(moved.values())


def _unwait(connection: Connection, where: str, values: Mapping[str, object]) -> None:
    _run(
        connection,
        "DELETE FROM waiting WHERE campaign_id = :c AND position IN"
        f" (SELECT position FROM delivery WHERE {where})",
        values,
    )


def _run(connection: Connection, statement: str, values: Mapping[str, object]) -> int:
    query = text(statement)
    if "reasons" in values:
        query = query.bindparams(bindparam("reasons", expanding=True))
    return connection.execute(query, dict(values)).rowcount


def note_event(
    connection: Connection,
    *,
    kind: str,
    actor: str,
    campaign_id: int,
    at: datetime,
    detail: str = "",
) -> None:
    """Writes down who did what with a campaign."""
    connection.execute(
        insert(Event),
        {"at": at, "kind": kind, "actor": actor, "campaign_id": campaign_id, "detail": detail},
    )


def waiting_recipient(
    connection: Connection, campaign_id: int, address: str | None, language: str | None
) -> Row[Any] | None:
    """Somebody of the audience whose mail can still be made: of this address, else the first.

    Position, state, attempt, subscriber, variant, address, fields (JSON) and first claim (ms).
    """
    where = " AND lower(s.address) = lower(:address)" if address is not None else ""
    where += " AND lower(v.language) = lower(:language)" if language is not None else ""
    return connection.execute(
        text(
            "SELECT d.position, d.state, d.attempt, d.subscriber_id, d.variant_id, s.address,"
            " s.fields, d.first_at FROM snapshot s JOIN delivery d"
            " ON d.campaign_id = s.campaign_id AND d.position = s.position"
            " JOIN variant v ON v.id = d.variant_id"
            f" WHERE s.campaign_id = :c{where} ORDER BY s.position LIMIT 1"
        ),
        {
            "c": campaign_id,
            **({"address": address} if address is not None else {}),
            **({"language": language} if language is not None else {}),
        },
    ).first()


def with_waiting(connection: Connection, issue: str) -> Sequence[str]:
    """Slugs of an issue's campaigns in whose audience somebody still waits, the newest first."""
    rows = connection.execute(
        text(
            "SELECT c.slug FROM campaign c WHERE c.issue = :issue AND c.state <> 'planning'"
            " AND EXISTS (SELECT 1 FROM snapshot s WHERE s.campaign_id = c.id)"
            " ORDER BY c.id DESC"
        ),
        {"issue": issue},
    )
    return list(rows.scalars())

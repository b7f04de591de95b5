"""Reads who is still to be tried in a campaign, without claiming anybody."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from mailer.model.words import DeliveryState
from mailer.store.claims import NOT_BEFORE, PEOPLE, Claimed, not_mailable


def to_try(
    connection: Connection, campaign_id: int, list_id: int, now_ms: int
) -> Iterator[tuple[Claimed, str]]:
    """Yields each row that a run would look at, in the order of positions, streamed.

    The word beside it says why this person would not be mailed; empty: they would be.
    """
    query = text(
        "SELECT d.position, d.attempt, d.state, d.subscriber_id, d.variant_id, s.address,"
        " s.fields, d.first_at, s.message_hash, p.id AS person,"
        " coalesce(x.reason, y.reason) AS suppressed, u.status, u.paused_until,"
        f" {NOT_BEFORE} AS not_before FROM delivery d {PEOPLE} WHERE d.campaign_id = :campaign"
        " AND d.state IN ('planned', 'deferred') ORDER BY d.position"
    )
    streaming = connection.execution_options(stream_results=True, max_row_buffer=2000)
    for row in streaming.execute(query, {"campaign": campaign_id, "list": list_id}):
        hashed = bytes(row.message_hash) if row.message_hash is not None else None
        claimed = Claimed(
            row.position,
            row.attempt + 1,
            DeliveryState(row.state),
            row.subscriber_id,
            row.variant_id,
            row.address or "",
            row.fields or "{}",
            row.first_at or now_ms,
            hashed,
        )
        standing = (row.person, row.suppressed, row.status, row.paused_until, row.not_before)
        yield claimed, not_mailable(now_ms, row.address, *standing)

"""Reads who is still to be tried in a campaign, without claiming anybody."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from mailer.store.claims import PEOPLE, WITHDRAWN, Claimed, columns_of_claimed


def to_try(
    connection: Connection, campaign_id: int, list_id: int, now_ms: int
) -> Iterator[tuple[Claimed, str]]:
    """Yields each row that a run would look at, in the order of positions, streamed.

    The word beside it says why this person would not be mailed, and has perhaps no address any
    more; empty: they would be.
    """
    columns = ", ".join(columns_of_claimed(connection.dialect.name))
    query = text(
        f"SELECT {columns}, CASE {WITHDRAWN} ELSE '' END FROM delivery d {PEOPLE}"
        " WHERE d.campaign_id = :campaign AND d.state IN ('planned', 'deferred')"
        " ORDER BY d.position"
    )
    streaming = connection.execution_options(stream_results=True, max_row_buffer=2000)
    values = {"campaign": campaign_id, "list": list_id, "now": now_ms}
    for *claimed, why_not in streaming.execute(query, values):
        yield Claimed(*claimed), why_not

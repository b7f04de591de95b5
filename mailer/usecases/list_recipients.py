"""Lists a campaign's recipients, each with state, reason and the server's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailer.model.words import DeliveryState
from mailer.store import campaigns
from mailer.store.campaigns import Recipient
from mailer.store.database import Database

__all__ = ["Recipient", "list_recipients"]


def list_recipients(
    name: str | int, *, db: Database, states: Sequence[DeliveryState] = ()
) -> Iterator[Recipient]:
    """Everybody in the audience, or those in some states, in the order of sending; streamed.

    Raises NotFoundError before the first person.
    """
    with db.read() as connection:
        campaign = campaigns.find(connection, name)

    def stream() -> Iterator[Recipient]:
        with db.read() as connection:
            yield from campaigns.recipients(connection, campaign.id, states)

    return stream()

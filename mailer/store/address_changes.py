"""Changes of address on their way: asked for, and waiting for a yes from both addresses.

A row goes once its time is over; until then it limits how often anybody can be written to.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update
from sqlmodel import col

from mailer.model.people import AddressChange

A_DAY = timedelta(days=1)
MOST = 3  # asks of one person in a day


def begin(
    connection: Connection,
    subscriber_id: int,
    *,
    address: str,
    key: str,
    at: datetime,
    expires: datetime,
) -> int | None:
    """Writes a change down and returns its number; None when there were enough within a day.

    A new address is written to once a day at most, whoever asks.
    """
    connection.execute(delete(AddressChange).where(col(AddressChange.expires_at) <= at))
    recent = connection.execute(
        select(
            func.count().filter(col(AddressChange.subscriber_id) == subscriber_id),
            func.count().filter(col(AddressChange.key) == key),
        ).where(
            col(AddressChange.asked_at) > at - A_DAY,
            or_(col(AddressChange.subscriber_id) == subscriber_id, col(AddressChange.key) == key),
        )
    ).one()
    if recent[0] >= MOST or recent[1]:
        return None
    row = {
        "subscriber_id": subscriber_id,
        "address": address,
        "key": key,
        "asked_at": at,
        "expires_at": expires,
        "outcome": "",
    }
    made: Any = connection.execute(insert(AddressChange).returning(col(AddressChange.id)), row)
    return int(made.scalar_one())


def find(
    connection: Connection, change_id: int, subscriber_id: int, now: datetime
) -> Row[Any] | None:
    """A change whose time is not over."""
    return connection.execute(
        select(AddressChange)
        .where(col(AddressChange.id) == change_id)
        .where(col(AddressChange.subscriber_id) == subscriber_id)
        .where(col(AddressChange.expires_at) > now)
    ).first()


def set_values(connection: Connection, change_id: int, **values: Any) -> None:
    connection.execute(
        update(AddressChange).where(col(AddressChange.id) == change_id).values(**values)
    )


def forget(connection: Connection, change_id: int) -> None:
    connection.execute(delete(AddressChange).where(col(AddressChange.id) == change_id))


def asked(connection: Connection, subscriber_id: int) -> list[str]:
    """The addresses that a person asked to move to, and that are still kept."""
    found = connection.execute(
        select(col(AddressChange.address))
        .where(col(AddressChange.subscriber_id) == subscriber_id)
        .order_by(col(AddressChange.id))
    )
    return [str(each) for each in found.scalars()]

"""Keeps who approved a campaign, and what they saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, update
from sqlmodel import col, select

from mailer.model.campaigns import Campaign


def read(connection: Connection, campaign_id: int) -> Mapping[str, Any] | None:
    """The approval as it was written, or None."""
    found: Mapping[str, Any] | None = connection.execute(
        select(col(Campaign.approval)).where(col(Campaign.id) == campaign_id)
    ).scalar_one()
    return found


def write(connection: Connection, campaign_id: int, approval: Mapping[str, Any]) -> None:
    connection.execute(
        update(Campaign).where(col(Campaign.id) == campaign_id).values(approval=dict(approval))
    )

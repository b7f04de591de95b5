"""Fills what an issue does not say with the defaults of the list that it goes to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from mailer.compose.reading import Brand
from mailer.store import people
from mailer.store.database import Database


def use_list_defaults(brand: Brand, list_name: str | None, *, db: Database) -> Brand:
    """What an issue for this list is composed with; without a name, the brand as it is.

    Raises NotFoundError for an unknown list.
    """
    if list_name is None:
        return brand
    with db.read() as connection:
        return with_list_defaults(brand, people.find_list(connection, list_name))


def with_list_defaults(brand: Brand, mailing_list: Row[Any]) -> Brand:
    """Sender, reply address, layout and language: the list's, else the workspace's."""
    return replace(
        brand,
        sender=mailing_list.sender or brand.sender,
        reply_to=mailing_list.reply_to or brand.reply_to,
        layout=mailing_list.layout or brand.layout,
        language=mailing_list.language or brand.language,
    )

"""Tells which custom fields the workspace has, and of what kind."""

from __future__ import annotations

from collections.abc import Mapping

from mailer.model.words import FieldKind
from mailer.store import people
from mailer.store.database import Database


def show_fields(*, db: Database) -> Mapping[str, FieldKind]:
    """Each field's name and declared kind."""
    with db.read() as connection:
        return people.field_kinds(connection)

"""Gives the key of the suppression hashes away, for another database of the same owner."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailer.store import suppressions
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class SuppressionKey:
    """The key, hexadecimal, which is a secret; and its fingerprint, which is none."""

    secret: str = field(repr=False)
    fingerprint: str


def share_suppression_key(*, db: Database) -> SuppressionKey:
    """Reads the key. Whoever has it and a file of hashes can try addresses against them."""
    with db.read() as connection:
        return SuppressionKey(suppressions.secret(connection), suppressions.fingerprint(connection))

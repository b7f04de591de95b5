"""Tells, person by person, what an import would do: the rehearsal's difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, Row, text

from mailer.contacts.people import LEAVING
from mailer.model.words import STATUS_RANK, SubscriptionStatus

_WORDS = {rank: status.value for status, rank in STATUS_RANK.items()}
_RECEIVING = f"'{SubscriptionStatus.active}', '{SubscriptionStatus.pending}'"

# Everybody of a slice to whom something happens, or who is kept from what the file says.
DIFFERENCES = text(
    "SELECT s.fate, a.address, a.language, a.rank, a.ceiling, a.fields, s.changed, s.lowered,"
    " s.agrees, p.language AS language_before, p.fields AS fields_before, u.status,"
    " x.reason, y.reason AS list_reason"
    " FROM slice s JOIN arrival a ON a.n = s.n AND a.n BETWEEN :first AND :last"
    " LEFT JOIN subscriber p ON p.id = s.subscriber_id"
    " LEFT JOIN subscription u ON u.list_id = :list AND u.subscriber_id = p.id"
    " LEFT JOIN suppression x ON x.hash = a.hash"
    " LEFT JOIN list_suppression y ON y.list_id = :list AND y.hash = a.hash"
    f" WHERE s.fate <> 'unchanged' OR (u.status NOT IN ({_RECEIVING}) AND a.rank < {LEAVING})"
    " ORDER BY s.n"
).columns(fields=JSON(), fields_before=JSON())


@dataclass(frozen=True, slots=True)
class Difference:
    """What would become of one row: ``added``, ``updated``, ``unchanged``, ``suppressed`` (kept
    out) or ``rejected``; ``changes`` has what was and what would be, field by field.
    """

    outcome: str
    address: str
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    why: str | None = None
    line: int | None = None


def difference(row: Row[Any]) -> Difference:
    """Reads a row of ``DIFFERENCES``."""
    if row.fate == "suppressed" and not row.lowered:
        where = "" if row.reason is not None else " on this list"
        return Difference(
            row.fate, row.address, why=f"suppressed{where}: {row.reason or row.list_reason}"
        )
    changes: dict[str, tuple[Any, Any]] = {}
    if row.fate == "added":
        changes["status"] = (None, _WORDS[row.rank])
    elif row.lowered:
        changes["status"] = (row.status, _WORDS[row.ceiling])
    if row.fate != "suppressed":
        changes |= _fields(row)
    why = None
    if row.status not in (None, SubscriptionStatus.active, SubscriptionStatus.pending):
        why = None if row.lowered else f"stays {row.status}"
    elif row.agrees:
        why = "agrees to this wording"
    return Difference(row.fate, row.address, changes, why)


def _fields(row: Row[Any]) -> dict[str, tuple[Any, Any]]:
    before = row.fields_before or {}
    changes = {
        name: (before.get(name), value)
        for name, value in row.fields.items()
        if before.get(name) != value
    }
    if row.language and row.language != row.language_before:
        changes["language"] = (row.language_before, row.language)
    return changes

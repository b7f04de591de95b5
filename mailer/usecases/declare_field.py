"""Declares what kind of value a field of this workspace holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailer.contacts.headings import MEANINGS, RESERVED, field_name
from mailer.contacts.values import AmbiguousDateError, FieldType, ValueRefusedError, reader
from mailer.errors import InputError
from mailer.model.words import FieldKind
from mailer.ports import Clock
from mailer.store import people
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class DeclaredField:
    """A field as it is declared now; ``misfits`` people have a value of another kind."""

    name: str
    kind: str
    choices: tuple[str, ...]
    misfits: int = 0
    opened: bool = False  # to readers, who fill it in themselves
    label: str = ""  # what they see of it; empty: the name in words


def declare_field(
    name: str,
    *,
    db: Database,
    clock: Clock,
    kind: FieldKind = FieldKind.text,
    choices: Sequence[str] = (),
) -> DeclaredField:
    """Declares the field, or changes its kind, and counts whose value does not fit.

    Values stay as they are until an import or an edit gives them again. Raises InputError for a
    name that can't be one, and for choices of what is no text.
    """
    if name in RESERVED or name in MEANINGS or field_name(name) != name:
        raise InputError(
            f"“{name}” can't be the name of a field.",
            hint="Small letters, digits and _ can, but no word that templates know otherwise.",
        )
    if choices and kind is not FieldKind.text:
        raise InputError(f"A {kind} has no choices.", hint="Leave out --kind, or --choice.")
    words = tuple(dict.fromkeys(word.strip() for word in choices))
    if "" in words or any("\n" in word for word in words):
        raise InputError("A choice is one line of text.")
    declared = FieldType(kind, words)
    with db.write() as connection:
        people.declare_field(connection, name, declared, clock.now())
    with db.read() as connection:
        misfits = sum(not _fits(value, declared) for value in people.values_of(connection, name))
    return DeclaredField(name, kind, words, misfits)


def _fits(value: Any, declared: FieldType) -> bool:
    """Whether a stored value is what reading it again would give."""
    if isinstance(value, bool):
        return declared.kind is FieldKind.yesno
    if isinstance(value, (int, float)):
        return declared.kind is FieldKind.number
    if isinstance(value, list):
        return declared.kind is FieldKind.list
    try:
        return bool(json.loads(reader(declared, None)(str(value))) == value)
    except (ValueRefusedError, AmbiguousDateError):
        return False


def declared_fields(*, db: Database) -> tuple[DeclaredField, ...]:
    """Every field of the workspace, by name."""
    with db.read() as connection:
        marks = people.open_fields(connection, all_of_them=True)
    return tuple(
        DeclaredField(
            each.name, each.type.kind, each.type.choices, opened=each.opened, label=each.label
        )
        for each in marks
    )

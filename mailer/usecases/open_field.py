"""Opens a field to readers, who then fill it in on their own page, or closes it again."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.errors import InputError, NotFoundError
from mailer.store import people
from mailer.store.database import Database

LABEL = 80  # characters


@dataclass(frozen=True, slots=True)
class OpenedField:
    """A field, and what its readers see of it; an empty label is the field's name in words."""

    name: str
    opened: bool
    label: str


def open_field(
    name: str, *, db: Database, opened: bool = True, label: str | None = None
) -> OpenedField:
    """Marks the field, and gives it a label; without one, the label stays.

    Raises NotFoundError for a field that is not declared, InputError for what is no label.
    """
    if label is not None and (len(label) > LABEL or not label.isprintable()):
        raise InputError(f"A label is one line of at most {LABEL} characters.")
    with db.write() as connection:
        known = {each.name: each for each in people.open_fields(connection, all_of_them=True)}
        if name not in known:
            raise NotFoundError(
                f"There is no field “{name}”.", hint="`mailer fields add` makes it."
            )
        words = known[name].label if label is None else label.strip()
        people.mark_field(connection, name, opened=opened, label=words)
    return OpenedField(name, opened, words)

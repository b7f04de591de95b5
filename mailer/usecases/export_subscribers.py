"""Exports people so that an import reads the same people back, and no spreadsheet runs a cell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mailer.contacts.headings import ADDRESS, LANGUAGE, STATUS, meaning
from mailer.contacts.rule_time import Calendar
from mailer.contacts.spreadsheet import guarded, guarded_text, text_of
from mailer.contacts.values import FieldType
from mailer.model.words import SubscriptionStatus
from mailer.store import people, segments
from mailer.store.database import Database
from mailer.store.finding import Wanted, count, find
from mailer.usecases.check_suppression import require_list

_PEOPLE_GUARD: dict[str, Callable[[str], str]] = {"csv": guarded, "xlsx": guarded_text}
FORMATS = ("csv", "xlsx", "jsonl")


@dataclass(frozen=True, slots=True)
class ExportedPeople:
    """Columns and rows of a file. Suppressed people are left out: elsewhere they would be mailed.

    ``maps`` are the options with which an import reads the columns back as the same fields.
    """

    columns: tuple[str, ...]
    rows: Iterator[Sequence[Any]]
    most: int  # rows, at most: fewer when a segment chooses among them
    suppressed: int
    maps: tuple[str, ...]
    kinds: tuple[str, ...]  # the commands that declare its fields in another workspace


def export_subscribers(
    *,
    db: Database,
    calendar: Calendar,
    format: str = "csv",
    list_name: str | None = None,
    segment: str | None = None,
    status: SubscriptionStatus | None = None,
) -> ExportedPeople:
    """Everybody, or those of a list, or whom a segment means; with a list, how they stand on it.

    In a table every cell is text; a cell that a spreadsheet would run is guarded by an
    apostrophe, which an import takes off. As JSON lines values keep their kinds.

    Raises NotFoundError for an unknown list or segment, RuleError for a rule that can't be used.
    """
    with db.read() as connection:
        list_id = require_list(connection, list_name)
        types = people.field_types(connection)
        fields = tuple(types)
        wanted = Wanted(list_id=list_id, status=status, suppressed=False)
        most = count(connection, wanted)
        kept_out = count(connection, Wanted(list_id=list_id, status=status, suppressed=True))
        among: frozenset[int] | None = None
        if segment is not None:
            rule = segments.read(connection, segment, calendar)
            among = frozenset(connection.execute(segments.members(rule, db.dialect)).scalars())
    own = (ADDRESS, LANGUAGE) if list_id is None else (ADDRESS, STATUS, LANGUAGE)
    return ExportedPeople(
        columns=(*own, *fields),
        rows=_rows(db, wanted, among, own, fields, _PEOPLE_GUARD.get(format)),
        most=most,
        suppressed=kept_out,
        maps=tuple(f"--map {name}={name}" for name in fields if meaning(name) not in (None, name)),
        kinds=tuple(_declared(name, kind) for name, kind in types.items() if kind != FieldType()),
    )


def _declared(name: str, kind: FieldType) -> str:
    """The command that declares a field, to be typed in a shell."""
    words = [f"--choice {shlex.quote(choice)}" for choice in kind.choices]
    return " ".join(("mailer fields add", name, *(words or [f"--kind {kind.kind}"])))


def _rows(
    db: Database,
    wanted: Wanted,
    among: frozenset[int] | None,
    own: Sequence[str],
    fields: Sequence[str],
    guard: Callable[[str], str] | None,
) -> Iterator[Sequence[Any]]:
    with db.read() as connection:
        for row in find(connection, wanted):
            if among is not None and row.id not in among:
                continue
            known = {ADDRESS: row.address, STATUS: row.status, LANGUAGE: row.language}
            values = [*(known[name] for name in own), *(row.fields.get(name) for name in fields)]
            yield values if guard is None else [guard(text_of(value)) for value in values]

"""Decides what each column of a contact file means: address, language, status, field, or nothing.

A column counts when its heading is known (``headings.py``), when it is a field of the workspace
already, or when ``--map`` or ``--keep-columns`` says so. The others are left out and listed, each
with the ``--map`` that would keep it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mailer.contacts.headings import (
    ADDRESS,
    LANGUAGE,
    MEANINGS,
    REJECT_LINE,
    REJECT_REASON,
    RESERVED,
    STATUS,
    field_name,
    meaning,
)
from mailer.errors import Fault, InputError
from mailer.model.shown import counted

MOST_COLUMNS = 500  # each is carried by every person, and planning reads them all


@dataclass(frozen=True, slots=True)
class IgnoredColumn:
    """A column that is left out, and the option that would keep it."""

    column: str
    option: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which cell of a row holds what; positions count from 0."""

    address: int
    language: int | None
    status: int | None
    fields: tuple[tuple[str, int], ...]
    ignored: tuple[IgnoredColumn, ...]


def map_columns(
    columns: Sequence[str],
    *,
    file: str,
    maps: Iterable[str] = (),
    keep_columns: bool = False,
    known_fields: Collection[str] = (),
) -> Mapping:
    """Maps the columns. ``maps`` are ``COL=FIELD`` as typed. Raises InputError with every fault."""
    faults: list[Fault] = []
    explicit = _explicit(columns, maps, file, faults)
    meant: dict[int, str] = {}
    for position, column in enumerate(columns):
        if not column or column in (REJECT_REASON, REJECT_LINE):
            continue
        name = explicit.get(position) or _recognised(column, known_fields)
        if name is None and keep_columns:
            name = field_name(column)
        if name is not None:
            meant[position] = name
    _yield_to_explicit(meant, explicit)
    _refuse_meetings(columns, meant, file, faults)
    _refuse_reserved(columns, meant, file, faults)
    if len(meant) > MOST_COLUMNS:
        faults.append(
            Fault(
                f"{counted(len(meant), 'column')} would be kept; at most {MOST_COLUMNS} can be.",
                file=file,
                hint="Leave out --keep-columns, and keep what you need with --map.",
            )
        )
    if ADDRESS not in meant.values() and not faults:
        faults.append(_no_address(columns, file))
    if faults:
        raise InputError(faults)
    where = {name: position for position, name in meant.items()}
    return Mapping(
        address=where[ADDRESS],
        language=where.get(LANGUAGE),
        status=where.get(STATUS),
        fields=tuple((name, at) for name, at in where.items() if name not in MEANINGS),
        ignored=_ignored(columns, meant),
    )


def _explicit(
    columns: Sequence[str], maps: Iterable[str], file: str, faults: list[Fault]
) -> dict[int, str]:
    """What ``--map`` says, by position."""
    said: dict[int, str] = {}
    for option in maps:
        column, separator, name = (part.strip() for part in option.rpartition("="))
        if not separator or not column or not name:
            faults.append(
                Fault(
                    f"--map “{option}” is not COL=FIELD.",
                    hint="For example: --map 'Ville=city'",
                )
            )
            continue
        position = _position(columns, column)
        if position is None:
            seen = ", ".join(f"“{seen}”" for seen in columns if seen)
            faults.append(
                Fault(
                    f"--map names a column “{column}” that is not there.",
                    file=file,
                    hint=f"The columns are {seen}.",
                )
            )
        elif name not in MEANINGS and field_name(name) != name:
            faults.append(
                Fault(
                    f"--map “{option}”: “{name}” can't be the name of a field.",
                    hint=f"Small letters, digits and _ can: --map '{column}={field_name(name)}'",
                )
            )
        else:
            said[position] = name
    return said


def _position(columns: Sequence[str], column: str) -> int | None:
    """Where a column is: its exact heading, else the only one that differs in case alone."""
    if column in columns:
        return columns.index(column)
    alike = [i for i, seen in enumerate(columns) if seen.casefold() == column.casefold()]
    return alike[0] if len(alike) == 1 else None


def _recognised(column: str, known_fields: Collection[str]) -> str | None:
    known = meaning(column)
    if known is not None:
        return known
    name = field_name(column)
    return name if name in known_fields else None


def _yield_to_explicit(meant: dict[int, str], explicit: dict[int, str]) -> None:
    """A column that was only recognised gives way to one that ``--map`` puts in its place."""
    claimed = set(explicit.values())
    for position in [p for p, name in meant.items() if name in claimed and p not in explicit]:
        del meant[position]


def _refuse_meetings(
    columns: Sequence[str], meant: dict[int, str], file: str, faults: list[Fault]
) -> None:
    by_name: dict[str, list[str]] = {}
    for position, name in meant.items():
        by_name.setdefault(name, []).append(columns[position])
    for name, headings in by_name.items():
        if len(headings) > 1:
            listed = " and ".join(f"“{heading}”" for heading in headings)
            faults.append(
                Fault(
                    f"The columns {listed} would both be “{name}”.",
                    file=file,
                    hint=f"Choose one: --map '{headings[0]}={name}'",
                )
            )


def _refuse_reserved(
    columns: Sequence[str], meant: dict[int, str], file: str, faults: list[Fault]
) -> None:
    for position, name in meant.items():
        if name in RESERVED:
            faults.append(
                Fault(
                    f"The column “{columns[position]}” can't be a field called “{name}”: "
                    "templates use that word for something else.",
                    file=file,
                    hint=f"Choose another: --map '{columns[position]}=my_{name}'",
                )
            )


def _no_address(columns: Sequence[str], file: str) -> Fault:
    seen = ", ".join(f"“{column}”" for column in columns[:30] if column)
    more = f" and {len(columns) - 30} more" if len(columns) > 30 else ""
    example = next((column for column in columns if column), "Column")
    return Fault(
        f"No column holds the addresses. The columns are {seen}{more}.",
        file=file,
        hint=f"Say which one does: --map '{example}=email'",
    )


def _ignored(columns: Sequence[str], meant: dict[int, str]) -> tuple[IgnoredColumn, ...]:
    taken = set(meant.values()) | RESERVED | set(MEANINGS)
    ignored = []
    for position, column in enumerate(columns):
        if position in meant or not column or column in (REJECT_REASON, REJECT_LINE):
            continue
        name = field_name(column)
        while name in taken:
            name = f"{name}_2"
        ignored.append(IgnoredColumn(column, f"--map '{column}={name}'"))
    return tuple(ignored)

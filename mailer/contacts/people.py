"""Turns the cells of one row into what the store takes: address, status, language, fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as FieldValues
from functools import partial
from json.encoder import encode_basestring
from operator import itemgetter
from typing import NamedTuple

from mailer.contacts.address import Address, AddressError, clean_cell, parse_address, plain_address
from mailer.contacts.headings import MEANINGS, RESERVED, field_name, language_tag, status_word
from mailer.contacts.mapping import Mapping
from mailer.contacts.spreadsheet import bare
from mailer.contacts.values import AmbiguousDateError, FieldType, ValueRefusedError
from mailer.contacts.values import reader as value_reader
from mailer.model.words import STATUS_RANK, DateOrder, SubscriptionStatus

_Column = tuple[str, int, Callable[[str], str]]  # name as JSON, position, reader of a value
_Check = Callable[[Sequence[str]], object]
_WRAPPED = "'="  # how a cell begins that a spreadsheet was kept from running or rounding

LEAVING = STATUS_RANK[SubscriptionStatus.unsubscribed]  # from this rank on, nobody is mailed


class RowError(ValueError):
    """A row that can't be used; its text tells people everything that is wrong with it."""


class Arrival(NamedTuple):
    """A person as one row of a file tells it.

    ``fields`` is JSON text of an object: text for a value, null for a cell that clears one.
    ``rank`` (see STATUS_RANK) is for who is new to the list, ``ceiling`` for who is on it already:
    whoever stands higher is lowered to it.
    """

    address: str
    key: str
    language: str | None
    rank: int
    ceiling: int
    fields: str


def arrivals(
    mapping: Mapping,
    *,
    status: SubscriptionStatus,
    empty_clears: bool,
    types: FieldValues[str, FieldType] | None = None,
    dates: DateOrder | None = None,
    guarded: bool = True,
) -> Callable[[Sequence[str]], Arrival]:
    """Makes the function that reads one row. It raises RowError with every reason for a reject.

    ``types`` are the declared types of fields, text where there is none. A date with two meanings
    raises AmbiguousDateError, because it puts the whole file in doubt.

    ``status`` is what newcomers become. It lowers people who are on the list already only when it
    is a word of leaving: a file that says ``pending`` for newcomers does not un-confirm anybody.

    ``guarded`` cells are a spreadsheet's: what keeps it from running or rounding them is taken off.
    """
    default = STATUS_RANK[status]
    lowers = default if default >= LEAVING else 0
    address_at, language_at, status_at = mapping.address, mapping.language, mapping.status
    types = types or {}
    names: list[_Column] = [
        (f"{encode_basestring(name)}:", position, value_reader(types.get(name, FieldType()), dates))
        for name, position in mapping.fields
    ]

    plainly = _plain_fields(mapping, types)

    def written(cells: Sequence[str], columns: Sequence[_Column] = names) -> str:
        parts = []
        for name, position, as_json in columns:
            value = cells[position].strip()
            if guarded and value and value[0] in _WRAPPED:
                value = bare(value)
            if value:
                try:
                    parts.append(name + as_json(value))
                except ValueRefusedError as error:
                    raise RowError(f"{name[1:-2]}: {error}.") from None
            elif empty_clears:
                parts.append(name + "null")
        fields = "{" + ",".join(parts) + "}"
        if "\\u00" in fields and any("\0" in cells[position] for _, position, _ in columns):
            raise RowError("A cell holds a NUL character.")
        return fields

    def address(cells: Sequence[str]) -> tuple[str, str]:
        cell = cells[address_at]
        try:
            parsed = parse_address(clean_cell(bare(cell) if guarded else cell))
        except AddressError as error:
            raise RowError(str(error)) from None
        return parsed.address, parsed.key

    def ranks(cells: Sequence[str]) -> tuple[int, int]:
        if status_at is None or not (said := cells[status_at].strip()):
            return default, lowers
        return _ranks(said, default, lowers)

    def language(cells: Sequence[str]) -> str | None:
        if language_at is None or not (said := cells[language_at].strip()):
            return None
        return _language(bare(said) if guarded else said)

    checks: list[tuple[int | None, _Check]]
    checks = [(address_at, address), (status_at, ranks), (language_at, language)]
    checks += [(column[1], partial(written, columns=[column])) for column in names]
    in_order = sorted(((at, check) for at, check in checks if at is not None), key=itemgetter(0))

    def read(cells: Sequence[str]) -> Arrival:
        try:
            found = plain_address(cells[address_at]) or address(cells)
            fields = plainly(cells) or written(cells)
            rank, ceiling = ranks(cells)
            return _new_arrival(Arrival, (*found, language(cells), rank, ceiling, fields))
        except RowError:
            raise RowError(_faults(cells, [check for _, check in in_order])) from None

    return read


def _faults(cells: Sequence[str], checks: Sequence[_Check]) -> str:
    """Everything that is wrong with a row, from left to right; the same twice is said once."""
    found = []
    for check in checks:
        try:
            check(cells)
        except RowError as error:
            found.append(str(error))
        except AmbiguousDateError as error:  # of a row that is no use anyway
            found.append(f"A date has two meanings: {error}.")
    return " ".join(dict.fromkeys(found))


_new_arrival = tuple.__new__  # half the time of the constructor


def _plain_fields(
    mapping: Mapping, types: FieldValues[str, FieldType]
) -> Callable[[Sequence[str]], str]:
    """Makes the fast way to the JSON of a row whose every field is a text with nothing odd in it.

    It gives an empty text for any other row: an empty cell, white space around a value, a quote,
    a backslash, an apostrophe in front, a character that can't be printed. Most rows are plain,
    and take a third of the time so.
    """
    positions = [position for _, position in mapping.fields]
    typed = any(types.get(name, FieldType()) != FieldType() for name, _ in mapping.fields)
    if typed or not positions:
        return lambda cells: ""
    template = "{" + ",".join(f'{encode_basestring(name)}:"%s"' for name, _ in mapping.fields) + "}"
    if template.count("%") > len(positions) or "\\" in template or not template.isprintable():
        return lambda cells: ""
    quotes = template.count('"')
    pick = itemgetter(*positions, positions[0])  # of one alone it would make no tuple
    many = len(positions)

    def plainly(cells: Sequence[str]) -> str:
        text: str = template % pick(cells)[:many]
        if (
            text.isprintable()
            and text.count('"') == quotes
            and "\\" not in text
            and '""' not in text
            and '" ' not in text
            and ' "' not in text
            and "\"'" not in text
        ):
            return text
        return ""

    return plainly


def is_blank(cells: Sequence[str]) -> bool:
    """True for a row of nothing but white space."""
    return not any(cell.strip() for cell in cells)


def _ranks(said: str, default: int, lowers: int) -> tuple[int, int]:
    word = status_word(said)
    if word is None:
        known = ", ".join(SubscriptionStatus)
        raise RowError(f"“{said[:40]}” is no status; known are {known}.")
    rank = STATUS_RANK[word]
    return max(default, rank), max(lowers, rank)


def _language(said: str) -> str:
    tag = language_tag(said)
    if tag is None:
        raise RowError(f"“{said[:40]}” is no language tag such as en, fr or pt-BR.")
    return tag


def arrival_of(
    address: Address,
    fields: FieldValues[str, str],
    language: str | None,
    status: SubscriptionStatus,
    types: FieldValues[str, FieldType] | None = None,
) -> Arrival:
    """A person whom somebody named by hand. Raises RowError for every field that can't be one."""
    types = types or {}
    parts, faults = [], []
    for name, value in fields.items():
        if name in RESERVED or name in MEANINGS or field_name(name) != name:
            faults.append(f"“{name}” can't be the name of a field.")
        elif "\0" in value:
            faults.append(f"The value of “{name}” holds a NUL character.")
        elif value := value.strip():
            try:
                told = value_reader(types.get(name, FieldType()), None)(value)
            except (ValueRefusedError, AmbiguousDateError) as error:
                faults.append(f"{name}: {error}.")
            else:
                parts.append(f"{encode_basestring(name)}:{told}")
    if faults:
        raise RowError(" ".join(faults))
    rank = STATUS_RANK[status]
    return Arrival(
        address=address.address,
        key=address.key,
        language=language,
        rank=rank,
        ceiling=rank if rank >= LEAVING else 0,
        fields="{" + ",".join(parts) + "}",
    )

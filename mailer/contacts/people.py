"""Turns the cells of one row into what the store takes: address, status, language, fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as FieldValues
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

LEAVING = STATUS_RANK[SubscriptionStatus.unsubscribed]  # from this rank on, nobody is mailed


class RowError(ValueError):
    """A row that can't be used; its text is one sentence for people."""


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
    """Makes the function that reads one row. It raises RowError with the reason for a reject.

    ``types`` are the declared types of fields, text where there is none. A date with two meanings
    raises AmbiguousDateError, because it puts the whole file in doubt.

    ``status`` is what newcomers become. It lowers people who are on the list already only when it
    is a word of leaving: a file that says ``pending`` for newcomers does not un-confirm anybody.

    ``guarded`` cells are a spreadsheet's, whose apostrophe before a formula is taken off.
    """
    default = STATUS_RANK[status]
    lowers = default if default >= LEAVING else 0
    address_at, language_at, status_at = mapping.address, mapping.language, mapping.status
    types = types or {}
    names = [
        (f"{encode_basestring(name)}:", position, value_reader(types.get(name, FieldType()), dates))
        for name, position in mapping.fields
    ]

    plainly = _plain_fields(mapping, types)

    def written(cells: Sequence[str]) -> str:
        parts = []
        for name, position, as_json in names:
            value = cells[position].strip()
            if guarded and value and value[0] == "'":
                value = bare(value)
            if value:
                try:
                    parts.append(name + as_json(value))
                except ValueRefusedError as error:
                    raise RowError(f"{name[1:-2]}: {error}.") from None
            elif empty_clears:
                parts.append(name + "null")
        fields = "{" + ",".join(parts) + "}"
        if "\\u00" in fields and any("\0" in cells[position] for _, position, _ in names):
            raise RowError("A cell holds a NUL character.")
        return fields

    def read(cells: Sequence[str]) -> Arrival:
        cell = cells[address_at]
        found = plain_address(cell)
        if found is None:
            try:
                parsed = parse_address(clean_cell(bare(cell) if guarded else cell))
            except AddressError as error:
                raise RowError(str(error)) from None
            found = parsed.address, parsed.key
        fields = plainly(cells) or written(cells)
        rank, ceiling = default, lowers
        if status_at is not None and (said := cells[status_at].strip()):
            rank, ceiling = _ranks(said, default, lowers)
        language = None
        if language_at is not None and (said := cells[language_at].strip()):
            language = _language(said)
        return _new_arrival(Arrival, (*found, language, rank, ceiling, fields))

    return read


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
    """A person whom somebody named by hand. Raises RowError for a field that can't be one."""
    types = types or {}
    for name, value in fields.items():
        if name in RESERVED or name in MEANINGS or field_name(name) != name:
            raise RowError(f"“{name}” can't be the name of a field.")
        if "\0" in value:
            raise RowError(f"The value of “{name}” holds a NUL character.")
    parts = []
    for name, value in fields.items():
        if value := value.strip():
            try:
                told = value_reader(types.get(name, FieldType()), None)(value)
            except (ValueRefusedError, AmbiguousDateError) as error:
                raise RowError(f"{name}: {error}.") from None
            parts.append(f"{encode_basestring(name)}:{told}")
    rank = STATUS_RANK[status]
    return Arrival(
        address=address.address,
        key=address.key,
        language=language,
        rank=rank,
        ceiling=rank if rank >= LEAVING else 0,
        fields="{" + ",".join(parts) + "}",
    )

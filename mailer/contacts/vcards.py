"""Reads vCards (RFC 6350, and versions 2.1 and 3.0 as programs write them) as rows.

Of each card: the preferred address, else its first, the parts of the name, organisation, language,
town and country. A card without an address is a faulty row, and told.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mailer.contacts.headings import ADDRESS, LANGUAGE
from mailer.contacts.table import Row, Table
from mailer.errors import Fault, InputError

COLUMNS = (ADDRESS, "first_name", "last_name", "full_name", "organisation", "city", "country")
_COLUMNS = (*COLUMNS, LANGUAGE)
_LONGEST = 200_000  # lines of one card; a picture in it takes thousands
_OURS = ("X-MAILER-REASON", "X-MAILER-LINE")
_PROPERTY = re.compile(
    r"(?:[\w-]+\.)?([\w-]+)((?:;(?:\"[^\"]*\"|[^\":;])*)*):(.*)", re.DOTALL
).fullmatch
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PARTED = re.compile(r"(?<!\\);")


class _Property(NamedTuple):
    name: str
    parameters: str  # in capitals
    value: str


def read_vcards(lines: Iterable[str], *, file: str) -> Table:
    """Reads cards as a table. Its rows raise InputError for a card that never ends."""
    return Table(file, _COLUMNS, _rows(lines, file), form="vcard")


def _rows(lines: Iterable[str], file: str) -> Iterator[Row]:
    card: list[str] = []
    begun = 0
    for number, line in enumerate(lines, 1):
        bare = line.strip("\ufeff \t\r\n").upper()
        if bare == "BEGIN:VCARD":
            if card:
                raise _open(file, begun)
            card, begun = [line], number
        elif card:
            card.append(line)
            if bare == "END:VCARD":
                yield _row(card, begun)
                card = []
            elif len(card) > _LONGEST:
                raise _open(file, begun)
        elif bare:
            yield Row(number, [""] * len(_COLUMNS), "The line stands outside of a card.", line)
    if card:
        raise _open(file, begun)


def _open(file: str, line: int) -> InputError:
    return InputError(
        Fault(
            "A card begins here and never ends.", file=file, line=line, hint="END:VCARD closes it."
        )
    )


def _row(card: Sequence[str], begun: int) -> Row:
    raw = "".join(line for line in card if not line.upper().startswith(_OURS))
    found: dict[str, list[_Property]] = {}
    for told in _properties(card[1:-1]):
        found.setdefault(told.name, []).append(told)
    address = _preferred(found.get("EMAIL", ()))
    name = _parts(found, "N")
    place = _parts(found, "ADR")
    cells = [
        address,
        _at(name, 1),
        _at(name, 0),
        " ".join(_parts(found, "FN")),
        _at(_parts(found, "ORG"), 0),
        _at(place, 3),
        _at(place, 6),
        _at(_parts(found, "LANG"), 0),
    ]
    return Row(begun, cells, None if address else "The card has no address.", raw)


def _properties(lines: Sequence[str]) -> Iterator[_Property]:
    """The properties, unfolded (RFC 6350 section 3.2) and decoded."""
    whole: list[str] = []
    for line in lines:
        text = line.rstrip("\r\n")
        if whole and text[:1] in (" ", "\t"):
            whole[-1] += text[1:]
        elif whole and whole[-1].endswith("=") and _is_quoted(whole[-1]):
            whole[-1] = whole[-1][:-1] + text
        else:
            whole.append(text)
    for text in whole:
        match = _PROPERTY(text)
        if match is not None:
            value = _decoded(match[3], match[2].upper())
            yield _Property(match[1].upper(), match[2].upper(), value)


def _is_quoted(line: str) -> bool:
    return "QUOTED-PRINTABLE" in line.partition(":")[0].upper()


def _decoded(value: str, parameters: str) -> str:
    if "QUOTED-PRINTABLE" not in parameters:  # version 2.1
        return value
    charset = re.search(r"CHARSET=([\w-]+)", parameters)
    try:
        return quopri.decodestring(value.encode()).decode(charset[1] if charset else "utf-8")
    except (LookupError, UnicodeDecodeError):
        return value


def _preferred(addresses: Sequence[_Property]) -> str:
    if not addresses:
        return ""
    marked = [each for each in addresses if re.search(r"\bPREF(?:=1)?\b(?!=)", each.parameters)]
    return _plain((marked or addresses)[0].value)


def _parts(found: Mapping[str, Sequence[_Property]], name: str) -> list[str]:
    if name not in found:
        return []
    return [_plain(part) for part in _PARTED.split(found[name][0].value)]


def _at(parts: Sequence[str], place: int) -> str:
    return parts[place] if place < len(parts) else ""


def _plain(value: str) -> str:
    """A value without its escapes (RFC 6350 section 3.4)."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value).strip()

"""Transfer-encodes text: quoted-printable and base64 of our own (RFC 2045 sections 6.7 and 6.8).

Beyond what the RFC asks for, three things are always encoded. A ``.`` and ``From `` at the start
of a line, because careless relays spoil them. ``{``, so that no encoded constant can ever be
mistaken for a template.
"""

from __future__ import annotations

import binascii
import re

LINE = 76  # RFC 2045 section 6.7 rule 5 and section 6.8: characters without the line end
SOFT_BREAK = "=\r\n"

_LITERAL = {ord("\t"), *range(ord(" "), 127)} - {ord("="), ord("{")}
_CODES = tuple(chr(byte) if byte in _LITERAL else f"={byte:02X}" for byte in range(256))
_BREAK = re.compile(r"\r\n|\r|\n")
# A value that may stand on a line of its own as it is: the soft break after it protects a blank.
_AS_IT_IS = re.compile(r"(?!\.|From )[\t -<>-z|}~]{1,75}").fullmatch


def quote_constant(text: str, *, last: bool = True) -> str:
    """Encodes constant text; each of CRLF, CR and LF becomes a hard break.

    It is encoded as from the first column. Unless it is the ``last`` of its part it also ends
    there: after a hard break, or after a soft one, so that what follows never shifts a column.
    """
    *whole, rest = _BREAK.split(text)
    soft = bool(rest) and not last
    return "\r\n".join([*map(_line, whole), _line(rest, soft=soft)])


def quote_value(text: str) -> str:
    """Encodes a value between constants: from the first column, and back to it."""
    if _AS_IT_IS(text):
        return text + SOFT_BREAK
    return quote_constant(text, last=False)


def _line(line: str, *, soft: bool = False) -> str:
    """Encodes one line, breaking it softly where it would grow too long, and at its end if so."""
    data = "".join(map(_CODES.__getitem__, line.encode()))
    if not soft and data[-1:] in ("\t", " "):  # rule 3: it would be taken off
        data = data[:-1] + f"={ord(data[-1]):02X}"
    pieces = []
    start = 0
    while True:
        head = ""
        if data.startswith((".", "From "), start):
            head = f"={ord(data[start]):02X}"
            start += 1
        end = start + LINE - 1 - len(head)  # one column is the soft break's
        if end >= len(data):
            pieces.append(head + data[start:] + (SOFT_BREAK if soft else ""))
            return SOFT_BREAK.join(pieces)
        if data[end - 1] == "=":  # never inside of an encoded byte
            end -= 1
        elif data[end - 2] == "=":
            end -= 2
        pieces.append(head + data[start:end])
        start = end


def base64_lines(data: bytes) -> bytes:
    """Encodes a whole body in lines of 76 columns with CRLF between them."""
    flat = binascii.b2a_base64(data, newline=False)
    return b"\r\n".join([flat[at : at + LINE] for at in range(0, len(flat), LINE)])


def decode(body: bytes, encoding: str) -> str:
    """Decodes what this module encoded; ``encoding`` is the Content-Transfer-Encoding."""
    if encoding == "base64":
        return binascii.a2b_base64(body).decode()
    return binascii.a2b_qp(body).decode()

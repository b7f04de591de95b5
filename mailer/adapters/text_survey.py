"""Finds out how a text file is encoded by reading all of it: certainty instead of a guess.

In this order: a byte order mark; UTF-8 if every byte agrees and some are beyond ASCII; the encoding
that was asked for; cp1252, which Excel writes in the West, with a sample to look at.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass, field
from typing import IO

from mailer.errors import Fault, InputError

CHUNK = 1 << 20
LINE_LIMIT = 16 << 20  # bytes without a line end: not a list of contacts

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which begins it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = (
    (
        b"PK\x03\x04",
        "a workbook or another zip archive",
        "If it is a workbook, name it .xlsx or .ods.",
    ),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Name it .xls."),
    (b"%PDF", "a PDF", "Export the list as CSV."),
    (b"\x1f\x8b", "compressed", "Unpack it first."),
    (b"SQLite format 3\0", "a database", "Export the list as CSV."),
)
_UTF8_PAIR = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_WORD_BEYOND_ASCII = re.compile(r"\w*[^\x00-\x7f][\w\u0080-\uffff]*")


@dataclass(slots=True)
class Survey:
    """What reading a file to its end has shown."""

    encoding: str
    digest: str
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Facts:
    digest: str
    head: bytes
    beyond_ascii: bool
    zeros: bool
    utf8_error: int | None  # the line of the first byte that is not UTF-8
    cut_off: bool = False  # that byte begins a character which the end of the file cuts off


def survey(stream: IO[bytes], name: str, encoding: str | None = None) -> Survey:
    """Reads the whole stream and tells its encoding and digest. Raises InputError for non-text."""
    wanted = _known(encoding)
    facts = _read(stream, name)
    for mark, marked in _MARKS:
        if facts.head.startswith(mark):
            _check(stream, marked, name)
            return Survey(marked, facts.digest)
    for magic, what, hint in _MAGIC:
        if facts.head.startswith(magic):
            raise InputError(Fault(f"This is not a text file: it is {what}.", file=name, hint=hint))
    if wanted is None and (wide := _without_mark(facts.head)):
        _check(stream, wide, name)
        return Survey(wide, facts.digest, [f"Read as {wide}: it has no byte order mark."])
    if wanted is None or not wanted.startswith("utf-16"):
        _refuse_binary(facts, name)
    if facts.utf8_error is None and (wanted is None or (facts.beyond_ascii and not facts.zeros)):
        unneeded = wanted not in (None, "utf-8") and facts.beyond_ascii
        warning = [f"The file is UTF-8; --encoding {encoding} was not used."] if unneeded else []
        return Survey("utf-8", facts.digest, warning)
    if wanted is not None:
        _check(stream, wanted, name)
        return Survey(wanted, facts.digest)
    return _western(stream, facts, name)


def _known(encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        info = codecs.lookup(encoding)
        "".encode(info.name)  # hex, rot13 and their like are no encodings of text
    except LookupError as error:
        raise InputError(
            f"--encoding {encoding} is not known.",
            hint="Known are utf-8, utf-16, cp1252, iso-8859-15, cp1251, shift_jis and many others.",
        ) from error
    return info.name


def _read(stream: IO[bytes], name: str) -> _Facts:
    digest = hashlib.sha256()
    decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")("strict")
    head, line, run = b"", 1, 0
    beyond, zeros, error, cut_off = False, False, None, False
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
        head = head or chunk[: 1 << 16]
        run = 0 if b"\n" in chunk or b"\r" in chunk else run + len(chunk)
        if run > LINE_LIMIT:
            raise InputError(
                Fault("A line is longer than 16 MB, so this is no list of contacts.", file=name)
            )
        zeros = zeros or b"\0" in chunk
        beyond = beyond or not chunk.isascii()
        if decoder is not None:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as first:
                error = line + first.object[: first.start].count(b"\n")
                decoder = None
        line += chunk.count(b"\n")
    if decoder is not None and decoder.getstate()[0]:
        error, cut_off = line, True
    return _Facts(digest.hexdigest(), head, beyond, zeros, error, cut_off)


def _check(stream: IO[bytes], encoding: str, name: str) -> None:
    """Raises InputError with the line when the stream is not in this encoding to its end."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line = 1
    while True:
        chunk = stream.read(CHUNK)
        try:
            line += decoder.decode(chunk, final=not chunk).count("\n")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, "ignore").count("\n")
            cut = not chunk or "unexpected end" in error.reason or "truncated" in error.reason
            raise InputError(
                Fault(
                    "The file ends in the middle of a character: it was cut off."
                    if cut
                    else f"This line is not {encoding}.",
                    file=name,
                    line=line + before,
                    hint="Copy it again." if cut else "Say how it is encoded: --encoding NAME",
                )
            ) from error
        if not chunk:
            return


def _without_mark(head: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Western text is zero."""
    sample = head[: len(head) & ~1][:4096]
    if len(sample) < 8:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > 0.6 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.6 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


def _refuse_binary(facts: _Facts, name: str) -> None:
    controls = sum(facts.head.count(byte) for byte in range(32) if byte not in b"\t\n\r\f\v\x1a")
    if controls > max(8, len(facts.head) // 100):
        raise InputError(
            Fault(
                "This is not a text file.",
                file=name,
                hint="Export the list as CSV, or name a workbook .xlsx, .xls or .ods.",
            )
        )


def _western(stream: IO[bytes], facts: _Facts, name: str) -> Survey:
    """cp1252, when nothing speaks for a damaged UTF-8 file."""
    if _holds_utf8(stream):
        if facts.cut_off:
            raise InputError(
                Fault(
                    "The file ends in the middle of a character: it was cut off.",
                    file=name,
                    line=facts.utf8_error,
                    hint="Copy it again.",
                )
            )
        raise InputError(
            Fault(
                "This line is not UTF-8, though other lines are.",
                file=name,
                line=facts.utf8_error,
                hint="Mend it, or have all of it read in one encoding: --encoding cp1252",
            )
        )
    _check(stream, "cp1252", name)
    shown = ", ".join(f"“{word}”" for word in _sample(stream))
    warning = f"The file is not UTF-8, so it was read as cp1252, for example {shown}."
    return Survey(
        "cp1252", facts.digest, [f"{warning} If that looks wrong, say how: --encoding NAME"]
    )


def _holds_utf8(stream: IO[bytes]) -> bool:
    stream.seek(0)
    return any(_UTF8_PAIR.search(chunk) for chunk in iter(lambda: stream.read(CHUNK), b""))


def _sample(stream: IO[bytes]) -> list[str]:
    """Up to three different words beyond ASCII, as cp1252 reads them."""
    stream.seek(0)
    for chunk in iter(lambda: stream.read(CHUNK), b""):
        words = _WORD_BEYOND_ASCII.findall(chunk.decode("cp1252", "replace"))
        if words:
            return list(dict.fromkeys(word[:30] for word in words))[:3]
    return []

"""Reads a server's replies out of bytes, however they are cut, and within bounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mailer.model.words import Reply

MAX_LINE = 2048  # RFC 5321 section 4.5.3.1.5 allows 512; servers exceed it
MAX_REPLY = 65536  # all lines of one reply
MAX_TEXT = 1000  # characters of a reply that are kept for people

RawReply = tuple[int, list[bytes]]  # code, and each line without code and line end

_CODES = {b"%d" % code: code for code in range(200, 600)}
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)


class ReplyReader:
    """Cuts a stream of bytes into replies (RFC 5321 section 4.2.1).

    Line ends may be bare LF and the blank after the code may be missing, as servers in the wild
    have it. All else that is not a reply sets ``fault``, after which nothing more is read.
    """

    __slots__ = ("_buffer", "_code", "_lines", "_size", "fault", "partial")

    def __init__(self) -> None:
        self._buffer = b""
        self._code = 0
        self._lines: list[bytes] = []
        self._size = 0
        self.fault = ""
        self.partial = False  # bytes have arrived that do not make up a whole reply yet

    def feed(self, data: bytes) -> list[RawReply]:
        """Returns the replies that these bytes complete, in order."""
        replies: list[RawReply] = []
        if not self.fault:
            self._cut(data, replies)
            self.partial = bool(self._buffer or self._code)
        return replies

    def _cut(self, data: bytes, replies: list[RawReply]) -> None:
        if self._buffer:
            data = self._buffer + data
        lines = data.split(b"\n")
        self._buffer = lines.pop()
        for line in lines:
            if line[-1:] == b"\r":
                line = line[:-1]
            code = _CODES.get(line[:3])
            mark = line[3:4]
            if code is None or (mark and mark not in b" -"):
                self.fault = "it sent something that is not a reply"
                return
            if len(line) > MAX_LINE:
                self.fault = f"a line of its reply is longer than {MAX_LINE} bytes"
                return
            if mark != b"-" and not self._code:
                replies.append((code, [line[4:]]))
            elif not self._continue(code, mark, line, replies):
                return
        if len(self._buffer) > MAX_LINE:
            self.fault = f"a line of its reply is longer than {MAX_LINE} bytes"

    def _continue(self, code: int, mark: bytes, line: bytes, replies: list[RawReply]) -> bool:
        """Takes one line of a reply that has several; False when it can't belong to it."""
        if self._code and code != self._code:
            self.fault = "the lines of its reply carry different codes"
            return False
        self._size += len(line)
        if self._size > MAX_REPLY:
            self.fault = f"its reply is longer than {MAX_REPLY} bytes"
            return False
        self._lines.append(line[4:])
        if mark == b"-":
            self._code = code
        else:
            replies.append((code, self._lines))
            self._code, self._lines, self._size = 0, [], 0
        return True


def as_reply(code: int, lines: Sequence[bytes]) -> Reply:
    """Makes one readable sentence of a reply's lines.

    The text keeps the enhanced status code as the server sent it, once; lines are joined by a
    blank, and what is not printable becomes a blank, because the text reaches logs and terminals.
    """
    text = lines[0].decode("utf-8", "replace")
    enhanced = _enhanced(text.partition(" ")[0])
    if len(lines) > 1:
        rest = [line.decode("utf-8", "replace") for line in lines[1:]]
        if enhanced:
            rest = [line.removeprefix(enhanced).lstrip() for line in rest]
        text = " ".join([text.strip(), *rest])
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return Reply(code, text.strip(), enhanced)


@lru_cache(maxsize=256)
def _enhanced(word: str) -> str:
    """Returns the word if it is an enhanced status code (RFC 3463 section 2), else nothing."""
    return word if _ENHANCED.fullmatch(word) else ""


@dataclass(frozen=True, slots=True)
class Features:
    """What a server offers in its answer to EHLO (RFC 5321 section 4.1.1.1)."""

    name: str = ""  # what the server calls itself
    pipelining: bool = False
    eightbitmime: bool = False
    smtputf8: bool = False
    starttls: bool = False
    enhanced: bool = False
    size: int | None = None  # None: not offered; 0: offered, no limit told (RFC 1870)
    auth: frozenset[str] = frozenset()
    dsn: bool = False  # RFC 3461
    chunking: bool = False  # RFC 3030
    mailmax: int = 0  # transactions in one session, 0: no limit told (RFC 9422)

    @classmethod
    def parse(cls, lines: Sequence[bytes]) -> Features:
        """Reads the keywords; what is unknown or malformed counts as not offered."""
        words = [line.decode("ascii", "replace").split() for line in lines]
        offers: dict[str, list[str]] = {}
        for keyword, *values in filter(None, words[1:]):
            # "AUTH=LOGIN" is an old habit of servers; both forms may be there.
            name, equals, value = keyword.upper().partition("=")
            offers.setdefault(name, []).extend(([value] if equals and value else []) + values)
        return cls(
            name=words[0][0] if words and words[0] else "",
            pipelining="PIPELINING" in offers,
            eightbitmime="8BITMIME" in offers,
            smtputf8="SMTPUTF8" in offers,
            starttls="STARTTLS" in offers,
            enhanced="ENHANCEDSTATUSCODES" in offers,
            size=_size(offers.get("SIZE")),
            auth=frozenset(value.upper() for value in offers.get("AUTH", ())),
            dsn="DSN" in offers,
            chunking="CHUNKING" in offers,
            mailmax=_mailmax(offers.get("LIMITS", ())),
        )


def _size(values: Sequence[str] | None) -> int | None:
    if values is None:
        return None
    return int(values[0]) if values and _number(values[0], digits=20) else 0


def _mailmax(values: Sequence[str]) -> int:
    for value in values:
        name, _, number = value.partition("=")
        if name.upper() == "MAILMAX" and _number(number, digits=6):
            return int(number)
    return 0


def _number(text: str, *, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits

"""Knows the places in which a value can stand, and escapes it for each of them.

Subjects and plain text are cut here; HTML is scanned in ``mailer.message.scan``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from mailer.model.words import Slot, SlotKind


class Context(StrEnum):
    """Where a value stands, and so how it is escaped."""

    html = "html"  # between tags
    attribute = "attribute"  # in an attribute's value
    url = "url"  # the whole of a URL, or its beginning, in an attribute
    url_part = "url_part"  # inside of a URL, anywhere: one component
    text = "text"  # plain text
    header = "header"


@dataclass(frozen=True, slots=True)
class Hole:
    """A slot in its place. ``home`` tells one run of text, or one attribute, from another."""

    slot: Slot
    context: Context
    home: int = 0


Segment = str | Hole

_SCHEME = re.compile(r"(?:https?://[^\s/]|mailto:[^\s]|tel:[+0-9])", re.IGNORECASE).match
_SAFE_IN_URL = ":/?#[]@!$&'()*+,;=%~"
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
HEADER_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Controls other than TAB and LF say nothing in a mail; a lone surrogate can't be encoded.
_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]").search


def cleaned(text: str) -> str:
    """Returns a text for a body: LF line ends, no controls but TAB and LF, no lone surrogates."""
    if not _UNCLEAN(text):
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return without_surrogates(_DROPPED.sub("", text))


def without_surrogates(text: str) -> str:
    """Returns a text that can be encoded: a lone surrogate becomes U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def as_url(text: str) -> str | None:
    """Percent-encodes a whole URL, keeping what is encoded; None when its scheme is not allowed."""
    text = text.strip()
    if not _SCHEME(text):
        return None
    return _BARE_PERCENT.sub("%25", quote(text, safe=_SAFE_IN_URL))


def _component(text: str) -> str:
    return quote(text, safe="")


def _whole(text: str) -> str | None:
    url = as_url(text)
    return None if url is None else html.escape(url)


# None means that the value can't stand there.
ESCAPES: Mapping[Context, Callable[[str], str | None]] = {
    Context.html: html.escape,
    Context.attribute: html.escape,
    Context.url: _whole,
    Context.url_part: _component,
    Context.text: str,
    Context.header: str,
}

_LINE_START = r"(?!\.|From )"
# A value that neither the escape of its place nor quoted-printable would change, on one line.
UNCHANGED: Mapping[Context, Callable[[str], object]] = {
    context: re.compile(start + characters + "{1,75}").fullmatch
    for context, start, characters in (
        (Context.html, _LINE_START, r"[ !#-%(-;?-z|}~]"),
        (Context.attribute, _LINE_START, r"[ !#-%(-;?-z|}~]"),
        (Context.url, r"(?=https?://[A-Za-z0-9])", r"[A-Za-z0-9:/?#@!$()*+,;~._-]"),
        (Context.url_part, _LINE_START, r"[A-Za-z0-9._~-]"),
        (Context.text, _LINE_START, r"[ -<>-z|}~]"),
        (Context.header, _LINE_START, r"[ -<>-z|}~]"),
    )
}


class Cutter:
    """Cuts texts at the sentinels of some slots."""

    __slots__ = ("_pattern", "_slots", "_tags")

    def __init__(self, slots: Iterable[Slot]) -> None:
        self._slots = {slot.sentinel: slot for slot in slots}
        self._pattern = _any_of(self._slots)
        self._tags = _any_of(s for s, slot in self._slots.items() if slot.kind is SlotKind.tag)

    def cut(self, text: str) -> list[str | Slot]:
        """Returns a text in pieces: what stands between sentinels, and the slots."""
        if self._pattern is None:
            return [text] if text else []
        pieces = self._pattern.split(text)
        return [
            self._slots[piece] if number % 2 else piece
            for number, piece in enumerate(pieces)
            if piece
        ]

    def without_tags(self, line: str) -> str:
        """Returns a line without the sentinels of its tags."""
        return line if self._tags is None else self._tags.sub("", line)


def _any_of(sentinels: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(sentinels, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None


def line_segments(text: str, cutter: Cutter) -> list[Segment]:
    """Cuts a subject: nothing but controls can harm it, and the header is encoded as a whole."""
    return [
        piece if isinstance(piece, str) else Hole(piece, Context.header)
        for piece in cutter.cut(text)
    ]


_IN_URL = re.compile(r"(?:https?://|mailto:)[^\s<>\"]*\Z", re.IGNORECASE).search


def text_segments(text: str, cutter: Cutter) -> list[Segment]:
    """Cuts a plain-text part. A tag alone on its line takes the line with it.

    When blank lines stand on both sides of such a tag, one of them goes too, so that a branch
    that is not taken leaves no hole. A value inside of a URL is percent-encoded.
    """
    segments: list[Segment] = []
    before = ""
    for piece in cutter.cut(_without_tag_lines(text, cutter)):
        if isinstance(piece, str):
            before += piece
            segments.append(piece)
        elif piece.kind is SlotKind.tag:
            segments.append(Hole(piece, Context.text))
        else:
            inside = _IN_URL(before[-2000:]) is not None
            segments.append(Hole(piece, Context.url_part if inside else Context.text))
            before += "x"
    return segments


def _without_tag_lines(text: str, cutter: Cutter) -> str:
    kept: list[str] = []
    waiting = ""  # tags that stood alone: they move to the beginning of the next line
    may_drop = False
    for line in text.split("\n"):
        bare = cutter.without_tags(line)
        if bare != line and not bare.strip():
            waiting += line.strip()
            may_drop = not kept or not kept[-1].strip()
        elif waiting and may_drop and not line.strip():
            may_drop = False
        else:
            kept.append(waiting + line)
            waiting = ""
    return "\n".join(kept) + waiting

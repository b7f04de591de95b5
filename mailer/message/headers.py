"""Writes header fields: folded, encoded where the standards allow it, and never injected.

Three kinds of field, each with its own writer. Unstructured text (Subject) may hold encoded-words
(RFC 2047). Mailboxes hold a display name, which is encoded or quoted before anything is folded.
Structured fields (List-*, Message-ID, Feedback-ID) are folded at white space only and never
encoded, because encoded-words are forbidden there (RFC 2047 section 5).
Every writer returns whole lines with CRLF. ``gate`` judges the assembled block.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

from mailer.message.mailbox import HeaderError, Mailbox, checked, encode_address

FOLD = 78  # RFC 5322 section 2.1.1: should not be longer, without CRLF
LIMIT = 998  # must not be longer
WORD = 75  # RFC 2047 section 2: an encoded-word
WORD_LINE = 76  # RFC 2047 section 2: a line that holds one

# RFC 5322 section 3.6: at most one of each. Gmail and Yahoo refuse duplicates.
SINGLETONS = frozenset(
    {
        *("date", "from", "sender", "reply-to", "to", "cc", "message-id", "in-reply-to"),
        *("references", "subject", "mime-version", "content-type", "content-transfer-encoding"),
        *("list-id", "list-unsubscribe", "list-unsubscribe-post", "list-help", "list-owner"),
        *("list-archive", "list-subscribe", "list-post", "feedback-id", "precedence"),
        *("auto-submitted", "x-auto-response-suppress", "cfbl-address", "cfbl-feedback-id"),
    }
)
KNOWN = SINGLETONS | {"dkim-signature"}

_PRINTABLE = re.compile(r"[ -~]*").fullmatch
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")
_TOKEN = re.compile(r" *[^ ]+")
# What "Q" leaves as it is, in a phrase as anywhere (RFC 2047 section 5 rule 3).
_Q_LITERAL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q_CODES = tuple(
    "_" if byte == 32 else chr(byte) if byte in _Q_LITERAL else f"={byte:02X}"
    for byte in range(256)
)
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
_FRAME = len("=?utf-8?q??=")
_QUOTED_NAME = 60  # characters: a longer name is encoded, so that it never folds inside quotes

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def unstructured(name: str, text: str) -> str:
    """Writes free text, such as a subject; blanks around it are dropped. Raises HeaderError."""
    text = checked(text, name).strip(" ")
    if not text:
        return f"{name}:\r\n"
    if _PRINTABLE(text) and "=?" not in text:
        if len(name) + len(text) + 2 <= FOLD:
            return f"{name}: {text}\r\n"
        lines = _fold(name, _TOKEN.findall(f" {text}"))
        if all(len(line) <= FOLD for line in lines):
            return "\r\n".join(lines) + "\r\n"
    words = encoded_words(text, WORD_LINE - len(name) - 2)
    return f"{name}: " + "\r\n ".join(words) + "\r\n"


def structured(name: str, value: str) -> str:
    """Writes a field that no encoding may touch, folded at its own white space only.

    What is too long to fold stays whole, up to 998 columns. Raises HeaderError for more, and for
    anything that is not printable ASCII.
    """
    value = checked(value, name).strip(" ")
    if not value or not _PRINTABLE(value):
        raise HeaderError(f"{name} may hold printable ASCII only.")
    lines = _fold(name, _TOKEN.findall(f" {value}"))
    if any(len(line) > LIMIT for line in lines):
        raise HeaderError(f"{name} is longer than a line of mail may be ({LIMIT}).")
    return "\r\n".join(lines) + "\r\n"


def mailbox(name: str, value: Mailbox) -> str:
    """Writes one mailbox: From, Reply-To, To. Raises HeaderError."""
    address = encode_address(value.address)
    if not value.display:
        return structured(name, address)
    tokens = phrase(value.display, WORD_LINE - len(name) - 2)
    return _written(name, [*tokens, f"<{address}>"], WORD_LINE)


def list_id(display: str, identifier: str) -> str:
    """Writes List-Id: a name for people, and one for machines that never changes (RFC 2919)."""
    if (
        not re.fullmatch(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+", identifier)
        or len(identifier) > 255
    ):
        raise HeaderError(f"“{identifier}” can't be a List-Id; it looks like news.example.org.")
    tokens = phrase(display, WORD_LINE - len("List-Id: ")) if display else []
    return _written("List-Id", [*tokens, f"<{identifier}>"], WORD_LINE)


def feedback_id(value: str) -> str:
    """Writes Feedback-ID: up to three identifiers and a sender of 5 to 15 characters (Gmail)."""
    if not re.fullmatch(r"[!-9;-~]*:[!-9;-~]*:[!-9;-~]*:[A-Za-z0-9_.-]{5,15}", value):
        raise HeaderError(f"“{value}” can't be a Feedback-ID; it looks like a:b:c:sender.")
    return structured("Feedback-ID", value)


def feedback_words(issue: str, list_slug: str, domain: str) -> str:
    """Makes a Feedback-ID of what a sender wants to tell apart: issue, list, and who it is.

    Nothing in it is one reader's own: Gmail counts complaints for each value (its page on the
    feedback loop). The sender is the domain of From, cut or filled to what is allowed.
    """
    words = [_UNFIT.sub("-", word).strip("-")[:40] for word in (issue, list_slug)]
    sender = _UNFIT.sub("-", domain)[:15].ljust(5, "-")
    return ":".join([*words, "campaign", sender])


def phrase(text: str, first_room: int) -> list[str]:
    """Turns a display name into the tokens between which a line may fold.

    Atoms stay as they are, other ASCII is quoted whole, the rest becomes encoded-words. What only
    looks like an encoded-word is encoded too, so that no reader decodes it.
    """
    text = checked(text, "A display name").strip(" ")
    if not text:
        raise HeaderError("A display name is empty.")
    plain = _PRINTABLE(text) and "=?" not in text
    if plain and _ATOMS.fullmatch(text) and max(map(len, text.split(" "))) <= _QUOTED_NAME:
        return text.split(" ")
    if plain and len(text) <= _QUOTED_NAME:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        if len(escaped) + 2 <= first_room:
            return [f'"{escaped}"']
    return encoded_words(text, first_room)


def encoded_words(text: str, first_room: int) -> list[str]:
    """Encodes text as UTF-8 encoded-words, by Q or by B, whichever is shorter.

    A word holds whole characters and at most 75 columns; the first at most ``first_room``.
    """
    data = text.encode()
    quoted = _q(data)
    packed = (len(data) + 2) // 3 * 4
    by_q = len(quoted) <= packed
    if min(len(quoted), packed) + _FRAME <= min(WORD, first_room):
        return [f"=?utf-8?q?{quoted}?=" if by_q else _b_word(data)]
    words: list[str] = []
    rest = text
    room = min(WORD, first_room) - _FRAME
    while rest:
        taken = _fitting(rest, room, by_q=by_q)
        piece = rest[:taken].encode()
        words.append(f"=?utf-8?q?{_q(piece)}?=" if by_q else _b_word(piece))
        rest = rest[taken:]
        room = WORD - _FRAME
    return words


def _fitting(text: str, room: int, *, by_q: bool) -> int:
    """Returns how many characters fit into a word: whole ones only."""
    used = 0
    for number, character in enumerate(text):
        data = character.encode()
        used += len(_q(data)) if by_q else len(data)
        if (used if by_q else (used + 2) // 3 * 4) > room:
            return number
    return len(text)


def _q(data: bytes) -> str:
    return "".join(map(_Q_CODES.__getitem__, data))


def _b_word(data: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(data, newline=False).decode()}?="


def _fold(name: str, tokens: Iterable[str], width: int = FOLD) -> list[str]:
    """Lays tokens, each with the blanks before it, into lines; the first stays with the name."""
    lines: list[str] = []
    line = f"{name}:"
    for number, token in enumerate(tokens):
        if number and len(line) + len(token) > width:
            lines.append(line)
            line = token
        else:
            line += token
    return [*lines, line]


def _written(name: str, tokens: Sequence[str], width: int) -> str:
    return "\r\n".join(_fold(name, [f" {token}" for token in tokens], width)) + "\r\n"


def format_date(moment: datetime) -> str:
    """Formats an aware datetime for Date (RFC 5322 section 3.3), names in English always."""
    offset = moment.utcoffset()
    if offset is None:
        raise HeaderError("A Date needs a time with its zone.")
    seconds = offset.total_seconds()
    if seconds % 60:  # a zone of local mean time has no form in RFC 5322
        moment, seconds = moment.astimezone(UTC), 0
    sign = "-" if seconds < 0 else "+"
    hours, minutes = divmod(abs(int(seconds)) // 60, 60)
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} "
        f"{moment.year:04d} {moment:%H:%M:%S} {sign}{hours:02d}{minutes:02d}"
    )


def boundary(seed: str) -> str:
    """Makes a MIME boundary from a seed: the same seed, the same bytes.

    It holds ``=_``, which neither quoted-printable nor base64 can hold (RFC 2045 section 6.7).
    """
    return f"=_mailer_{sha256(seed.encode()).hexdigest()[:32]}"


_FIELD = re.compile(rb"([!-9;-~]+): ?[ -~]*")
_MORE = re.compile(rb"[ \t]+[!-~][ -~]*")


def gate(block: bytes) -> None:
    """Judges an assembled header block, byte by byte, whatever made it. Raises HeaderError.

    Lines end in CRLF, hold printable ASCII, are at most 998 long and none is blank; every name is
    one that we write, and stands once where once is the rule.
    """
    if not block.endswith(b"\r\n"):
        raise HeaderError("The header block does not end in CRLF.")
    seen: set[str] = set()
    for number, line in enumerate(block[:-2].split(b"\r\n")):
        if len(line) > LIMIT:
            raise HeaderError(f"A header line is longer than {LIMIT}.")
        found = _FIELD.fullmatch(line)
        if found is None:
            if number and _MORE.fullmatch(line):
                continue
            raise HeaderError("A header line is not one: a name, or white space, is missing.")
        name = found.group(1).decode().lower()
        if name not in KNOWN:
            raise HeaderError(f"“{name}” is not a header field that a message of ours has.")
        if name in seen and name in SINGLETONS:
            raise HeaderError(f"The header field “{name}” stands twice.")
        seen.add(name)

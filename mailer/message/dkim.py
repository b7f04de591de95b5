"""Signs messages with DKIM over their exact bytes (RFC 6376, RFC 8301, RFC 8463).

What is signed, and how:

- relaxed/relaxed, the whole body: no ``l=``, which would let anybody add to it (section 8.2).
- Every field of ``OVERSIGNED`` is named once more than it stands in the message, so that adding a
  second Subject, or a List-Unsubscribe where there is none, breaks the signature (section 8.15).
- RSA with SHA-256; beside it Ed25519 when the key file holds such a key, under a selector of its
  own. Both kinds sign alike each time, so a retried message has the same bytes.

The signature is put before the first line. Signing happens after encoding and folding, and before
dot-stuffing. A signature costs a quarter of a millisecond, during which ``cryptography`` lets go
of the interpreter: threads sign side by side.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Protocol

from mailer.message.keys import SigningKey

OVERSIGNED = (
    *("From", "Reply-To", "Sender", "To", "Cc", "Subject", "Date", "Message-ID"),
    *("In-Reply-To", "References", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
    *("List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Help"),
    *("Feedback-ID", "CFBL-Address", "CFBL-Feedback-ID"),
)
_LINE = 76
_ROOM = _LINE - 3  # of a signature's own octets in a line
_BLANKS = re.compile(rb"[ \t]+")
_WHITE = (b" ", b"\t")


class _Hash(Protocol):
    def copy(self) -> Any: ...
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class Signer:
    """Signs the messages of one campaign, or of one stream of service mail.

    ``prefix`` is the beginning of the body that all its messages share: it is hashed once. A
    message whose body begins otherwise is signed all the same, only slower. Any number of threads
    may call ``sign``.
    """

    def __init__(self, domain: str, keys: Sequence[SigningKey], *, prefix: bytes = b"") -> None:
        if not keys:
            raise ValueError("a signer needs a key")
        self.domain = domain
        self.keys = tuple(keys)
        self._body = _BodyHash(prefix)

    def __repr__(self) -> str:
        return f"Signer({self.domain!r}, {', '.join(key.selector for key in self.keys)})"

    def expecting(self, prefix: bytes) -> Signer:
        """The same signer for messages whose bodies begin with ``prefix``."""
        return Signer(self.domain, self.keys, prefix=prefix)

    def sign(self, message: bytes, at: int) -> bytes:
        """Returns the message with a signature of each key before it.

        ``message`` has CRLF line ends; ``at`` is ``t=``, in seconds since 1970. Signing the same
        message at the same ``at`` gives the same bytes.
        """
        block, _, body = message.partition(b"\r\n\r\n")
        fields = _fields(block)
        names, signed = _selected(fields)
        digest = _base64(self._body.digest(body))
        signatures = []
        for key in self.keys:
            head, relaxed = _head(key.algorithm, self.domain, key.selector, names)
            value = _base64(key.sign(b"%b%b t=%d; bh=%b; b=" % (signed, relaxed, at, digest)))
            pieces = [value[i : i + _ROOM] for i in range(0, len(value), _ROOM)]
            signatures.append(
                b"%b\r\n t=%d;\r\n bh=%b;\r\n b=%b\r\n" % (head, at, digest, b"\r\n  ".join(pieces))
            )
        return b"".join([*signatures, message])


class _BodyHash:
    """Hashes relaxed bodies; the part that they share only once."""

    def __init__(self, prefix: bytes) -> None:
        # Whole lines, and no blank one at the end: it may turn out to be the end of the body.
        lines = prefix.split(b"\r\n")[:-1]
        while lines and not lines[-1].strip(b" \t"):
            lines.pop()
        self._prefix = b"".join(line + b"\r\n" for line in lines)
        self._state: _Hash = sha256(relaxed_body(self._prefix))

    def digest(self, body: bytes) -> bytes:
        if self._prefix and body.startswith(self._prefix):
            rest = _squeezed(body[len(self._prefix) :])
            if rest != b"\r\n":  # nothing but blank lines, which are no part of it
                state: _Hash = self._state.copy()
                state.update(rest)
                return state.digest()
        return sha256(relaxed_body(body)).digest()


def relaxed_body(body: bytes) -> bytes:
    """The body as "relaxed" has it (RFC 6376 section 3.4.4): CRLF line ends in and out."""
    squeezed = _squeezed(body)
    return b"" if squeezed == b"\r\n" else squeezed


def _squeezed(body: bytes) -> bytes:
    """Runs of blanks become one, those at the end of a line and blank last lines go.

    A body without anything becomes one line end. Our bodies have few runs, so looking for them
    comes first, and from the right, where CPython's search skips ahead: a pattern over each octet
    takes ten times as long.
    """
    if b"\t" in body:
        body = _BLANKS.sub(b" ", body)
    elif body.rfind(b"  ") >= 0:
        body = body.replace(b" " * 8, b" ")  # indented HTML
        while body.rfind(b"  ") >= 0:
            body = body.replace(b"  ", b" ")
    if body.rfind(b" \r\n") >= 0:
        body = body.replace(b" \r\n", b"\r\n")
    end = len(body) - body.endswith(b" ")
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n"


@lru_cache(maxsize=256)  # most fields of a mail are those of the mail before
def relaxed_field(field: bytes) -> bytes:
    """One header field as "relaxed" has it (RFC 6376 section 3.4.2), without its line end."""
    name, _, value = field.partition(b":")
    value = value.replace(b"\r\n", b"")
    if b"  " in value or b"\t" in value:
        value = _BLANKS.sub(b" ", value)
    return name.strip(b" \t").lower() + b":" + value.strip(b" ")


def _fields(block: bytes) -> dict[bytes, list[bytes]]:
    """The fields of a header block by lower-case name, each from its name to before its CRLF."""
    found: dict[bytes, list[bytes]] = {}
    lines: list[bytes] = []
    for line in block.split(b"\r\n"):
        if line[:1] in _WHITE and lines:
            lines[-1] += b"\r\n" + line
        else:
            lines.append(line)
    for field in lines:
        found.setdefault(field.partition(b":")[0].strip(b" \t").lower(), []).append(field)
    return found


def _selected(fields: dict[bytes, list[bytes]]) -> tuple[tuple[str, ...], bytes]:
    """The names for ``h=`` in order, and what of the header is hashed before the signature.

    Of several fields of one name the last is signed first (RFC 6376 section 5.4.2).
    """
    names: list[str] = []
    signed: list[bytes] = []
    for name, key in _NAMES:
        standing = fields.get(key, ())
        names += [name] * (len(standing) + 1)
        signed += [relaxed_field(field) + b"\r\n" for field in reversed(standing)]
    return tuple(names), b"".join(signed)


_NAMES = tuple((name, name.lower().encode()) for name in OVERSIGNED)


@lru_cache(maxsize=64)
def _head(
    algorithm: str, domain: str, selector: str, names: tuple[str, ...]
) -> tuple[bytes, bytes]:
    """The signature's field up to ``t=``, folded, and relaxed: the same for a whole variant."""
    lines = [f"DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed; d={domain};"]
    lines.append(f" s={selector};")
    line = " h="
    for number, name in enumerate(names):
        word = name.lower() + (":" if number + 1 < len(names) else ";")
        if len(line) + len(word) > _LINE:
            lines.append(line)
            line = "  "
        line += word
    head = "\r\n".join([*lines, line]).encode()
    return head, relaxed_field(head)


def _base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)

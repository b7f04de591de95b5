"""Tells one message from another: a retry must have the very bytes of the first attempt."""

from __future__ import annotations

from hashlib import sha256
from zlib import crc32

_MARK = b"crc1"
_LONG, _PIECE = 20_000, 4_096  # bytes


def fingerprint(message: bytes) -> bytes:
    """Sixteen bytes that this message has at every attempt.

    Nobody chooses the bytes but we, so this guards against a change of the program or of what was
    frozen, not against forgery: a check sum and the length do, in a third of the time of a
    cryptographic hash. zlib gives the interpreter's lock away for more than 5 KiB at a time, and
    getting it back takes several times longer than the sum. Long messages may.
    """
    if len(message) > _LONG:
        found = crc32(message)
    else:
        found = 0
        for start in range(0, len(message), _PIECE):
            found = crc32(message[start : start + _PIECE], found)
    return _MARK + len(message).to_bytes(8, "big") + found.to_bytes(4, "big")


def same(known: bytes, message: bytes) -> bool:
    """Whether a first attempt's fingerprint is this message's, of whatever version it is."""
    if known.startswith(_MARK):
        return known == fingerprint(message)
    return known == sha256(message).digest()[:16]  # until version 0.2

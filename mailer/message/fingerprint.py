"""Tells one message from another: a retry must have the very bytes of the first attempt."""

from __future__ import annotations

from hashlib import sha256

_LONG, _PIECE = 20_000, 2_047  # bytes


def fingerprint(message: bytes) -> bytes:
    """Sixteen bytes that another message does not have.

    hashlib gives the interpreter's lock away for more than 2,047 bytes at a time, and getting it
    back from the ledger's thread takes several times longer than the hashing. Long messages may.
    """
    if len(message) > _LONG:
        return sha256(message).digest()[:16]
    found = sha256()
    for start in range(0, len(message), _PIECE):
        found.update(message[start : start + _PIECE])
    return found.digest()[:16]

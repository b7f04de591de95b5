"""The keyed hash under which an address is suppressed: it outlives the person's rows."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

HASH_BYTES = 16  # RFC 2104 section 5 allows half of SHA-256's output
_BLOCK = 64


def suppression_hasher(secret: bytes) -> Callable[[str], bytes]:
    """Makes the function from a person's key to its hash: HMAC-SHA-256, truncated.

    The padded keys are absorbed once; a hash then costs a third of ``hmac.digest``.
    """
    if len(secret) > _BLOCK:
        secret = hashlib.sha256(secret).digest()
    padded = secret.ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def hashed(key: str) -> bytes:
        first = inner.copy()
        first.update(key.encode())
        second = outer.copy()
        second.update(first.digest())
        return second.digest()[:HASH_BYTES]

    return hashed


def key_fingerprint(secret: bytes) -> str:
    """What a file of hashes says about the key that made them: 16 hex digits, not the key."""
    return hmac.digest(secret, b"mailer suppression key fingerprint", "sha256")[:8].hex()

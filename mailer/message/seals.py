"""Seals what a form or a puzzle carries to a stranger and back, and hashes what is only counted.

Each use has its own key, derived from the secret by HKDF (RFC 5869) as the keys of links are, so a
seal of one never passes for another. New seals are made with the first secret; those of earlier
ones are read as well, so that a key can be changed while somebody fills in a form.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from hmac import compare_digest, digest

from mailer.message.links import hkdf

HASH_BYTES = 16
_TAG = 16


class Seals:
    """Makes and reads seals."""

    __slots__ = ("_secrets",)

    def __init__(self, current: bytes, *earlier: bytes) -> None:
        self._secrets = (current, *earlier)

    def __repr__(self) -> str:
        return f"Seals({len(self._secrets)} keys)"

    def seal(self, use: str, text: str) -> str:
        """The tag of a text: 22 characters of base64url."""
        return _tag(self._secrets[0], use, text)

    def genuine(self, use: str, text: str, tag: str) -> bool:
        """Whether one of our secrets made this tag for this text and this use."""
        given = tag.encode("utf-8", "replace")
        found = False
        for secret in self._secrets:
            found |= compare_digest(_tag(secret, use, text).encode(), given)
        return found

    def hash(self, use: str, text: str) -> bytes:
        """What stands for a text that is counted and never kept: 16 bytes."""
        return digest(hkdf(self._secrets[0], f"mailer {use}"), text.encode(), "sha256")[:HASH_BYTES]


def _tag(secret: bytes, use: str, text: str) -> str:
    key = hkdf(secret, f"mailer seal {use}")
    return base64.urlsafe_b64encode(digest(key, text.encode(), "sha256")[:_TAG]).decode()[:22]


def fingerprint(text: str) -> str:
    """A short name of a text that changes when the text does: 12 hexadecimal digits."""
    return sha256(text.encode()).hexdigest()[:12]

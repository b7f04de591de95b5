"""Keys for tests, made once; a DNS that knows their public halves; and the verdict of dkimpy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mailer.message.dkim import Signer
from mailer.message.keys import SigningKey, parse_keys, record, record_name

DOMAIN = "example.org"
AT = 1_795_510_800


def pem_of(private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@lru_cache(maxsize=1)
def _pems() -> tuple[bytes, bytes]:
    return (
        pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        pem_of(ed25519.Ed25519PrivateKey.generate()),
    )


def key_pem(*, both: bool = False) -> bytes:
    """A key file's content: RSA, and Ed25519 beside it when ``both``."""
    first, second = _pems()
    return first + second if both else first


def keys(*, both: bool = False) -> tuple[SigningKey, ...]:
    return parse_keys(key_pem(both=both), "m1")


def signer(*, both: bool = False) -> Signer:
    return Signer(DOMAIN, keys(both=both))


def records(*, both: bool = True) -> Mapping[str, str]:
    """Name → TXT, for a verifier that asks no DNS."""
    return {record_name(key, DOMAIN): record(key) for key in keys(both=both)}


def verdicts(message: bytes, published: Mapping[str, str]) -> list[bool]:
    """What dkimpy says of each signature, from the top; False for one that it can't read."""

    def txt(name: bytes, timeout: float = 5) -> bytes | None:
        found = published.get(name.decode().rstrip("."))
        return found.encode() if found else None

    verifier = dkim.DKIM(message)
    count = sum(name.lower() == b"dkim-signature" for name, _ in verifier.headers)
    return [_verdict(message, number, txt) for number in range(count)]


def _verdict(message: bytes, number: int, txt: object) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(idx=number, dnsfunc=txt))
    except dkim.DKIMException:
        return False

"""Reads the keys that sign with DKIM, and writes the records to publish for them.

A key file is PEM (PKCS #8 or PKCS #1, without a password): one RSA key, and after it an Ed25519
key if the mails are to be signed by both. The second one's selector is the first one's with
``-ed25519`` behind it (RFC 8463 section 3: a selector has one key).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

RSA_BITS = 2048  # RFC 8301 section 3.2; a longer key does not fit into one DNS packet everywhere
LEAST_BITS = 1024
MOST_BITS = 4096
ED25519_SUFFIX = "-ed25519"
_BLOCK = re.compile(
    rb"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.*?-----END (?P=kind)-----", re.DOTALL
)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*").fullmatch
_PKCS1 = padding.PKCS1v15()
_SHA256 = hashes.SHA256()
_STRING = 255  # octets of one string of a TXT record (RFC 1035 section 3.3)


class SigningKeyError(ValueError):
    """A key that can't be used; its text is a sentence, and never holds the key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One private key and the selector under which its public half is published."""

    selector: str
    algorithm: str  # rsa-sha256 or ed25519-sha256
    bits: int
    public: bytes  # what ``p=`` says, before base64
    _private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Names the key without giving anything away: frozen with each campaign."""
        return sha256(self.public).hexdigest()[:32]

    def sign(self, data: bytes) -> bytes:
        """The signature of these bytes, always the same."""
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(data, _PKCS1, _SHA256)
        return self._private.sign(sha256(data).digest())  # RFC 8463 section 3


def parse_keys(pem: bytes, selector: str) -> tuple[SigningKey, ...]:
    """Reads the keys of a key file: RSA first, then Ed25519 if there is one.

    Raises SigningKeyError when there is none, when one is too short or of another kind.
    """
    keys: list[SigningKey] = []
    for found in _BLOCK.finditer(pem):
        try:
            private = serialization.load_pem_private_key(found.group(), None)
        except TypeError:
            raise SigningKeyError("The key is protected by a password.") from None
        except ValueError:  # its message may quote the file
            raise SigningKeyError("The key is damaged, or in a form that is not known.") from None
        if isinstance(private, rsa.RSAPrivateKey):
            keys.append(_rsa(private, selector))
        elif isinstance(private, ed25519.Ed25519PrivateKey):
            keys.append(_ed25519(private, selector))
        else:
            raise SigningKeyError("The key is neither RSA nor Ed25519.")
    kinds = [key.algorithm for key in keys]
    if not kinds:
        raise SigningKeyError("There is no private key in it (PEM).")
    if kinds not in (["rsa-sha256"], ["rsa-sha256", "ed25519-sha256"]):
        raise SigningKeyError("It must hold one RSA key, and at most one Ed25519 key after it.")
    return tuple(keys)


def _rsa(private: rsa.RSAPrivateKey, selector: str) -> SigningKey:
    if not LEAST_BITS <= private.key_size <= MOST_BITS:
        raise SigningKeyError(
            f"The RSA key has {private.key_size} bits; receivers take {LEAST_BITS} to {MOST_BITS},"
            f" and {RSA_BITS} are right."
        )
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return SigningKey(selector, "rsa-sha256", private.key_size, public, private)


def _ed25519(private: ed25519.Ed25519PrivateKey, selector: str) -> SigningKey:
    public = private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return SigningKey(selector + ED25519_SUFFIX, "ed25519-sha256", 256, public, private)


def record_name(key: SigningKey, domain: str) -> str:
    """Where the record stands in the DNS."""
    return f"{key.selector}._domainkey.{domain}"


def record(key: SigningKey) -> str:
    """What the TXT record says (RFC 6376 section 3.6.1)."""
    kind = key.algorithm.partition("-")[0]
    return f"v=DKIM1; k={kind}; p={base64.b64encode(key.public).decode()}"


def zone_line(key: SigningKey, domain: str) -> str:
    """The record as a zone file has it: strings of at most 255 octets, joined by receivers."""
    text = record(key)
    strings = [text[i : i + _STRING] for i in range(0, len(text), _STRING)]
    quoted = " ".join(f'"{each}"' for each in strings)
    return f"{record_name(key, domain)}. IN TXT ( {quoted} )"


def is_selector(text: str) -> bool:
    """Whether this can be a selector: labels of letters, digits and hyphens."""
    room = 63 - len(ED25519_SUFFIX)
    return bool(_NAME(text)) and max(map(len, text.split("."))) <= room and len(text) <= 100


def is_domain(text: str) -> bool:
    """Whether this can sign: two labels or more, in ASCII, the last one no number."""
    return (
        bool(_NAME(text))
        and len(text) <= 253
        and text.rpartition(".")[2][:1].isalpha()
        and "." in text
    )


def aligned(domain: str, sender_domain: str) -> bool:
    """Whether a signature of ``domain`` can count for a From of ``sender_domain`` (RFC 9989).

    Where the organisation's own domain ends is for the DNS to say; here two domains belong
    together when one lies under the other, or both lie under one of two labels or more.
    """
    one, other = domain.lower().split("."), sender_domain.lower().split(".")
    shared = 0
    while shared < min(len(one), len(other)) and one[-1 - shared] == other[-1 - shared]:
        shared += 1
    return shared >= min(len(one), len(other)) or shared >= 2


def names(keys: Sequence[SigningKey]) -> str:
    """The selectors of some keys, for a sentence."""
    return " and ".join(key.selector for key in keys)

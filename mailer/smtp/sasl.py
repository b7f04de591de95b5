"""Signs in to a server: SCRAM-SHA-256, XOAUTH2, PLAIN and LOGIN, as dialogues without I/O.

A mechanism yields what is to be said and is handed what the server says; base64 and the wire are
the caller's. SCRAM (RFC 5802, RFC 7677) never sends the password and makes the server prove that it
knows it too; it is used without channel binding, inside of TLS.
"""

from __future__ import annotations

import re
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from hashlib import pbkdf2_hmac, sha256
from hmac import compare_digest, digest
from typing import Protocol

LEAST_ITERATIONS = 4096  # RFC 7677 section 4
MOST_ITERATIONS = 2_000_000  # a second or two of work: a server may not ask for an hour
PREFERENCE = ("SCRAM-SHA-256", "PLAIN", "LOGIN")
Stretch = Callable[[bytes, bytes, int], bytes]


class SaslError(Exception):
    """The server's half of the dialogue makes no sense, or proves that it is not who it should be.

    Its text is the end of a sentence that begins with the server, and never holds a secret.
    """


class Mechanism(Protocol):
    """One way to sign in, used once."""

    name: str

    def first(self) -> bytes | None:
        """What goes along with the command itself, if anything."""

    def answer(self, challenge: bytes) -> bytes:
        """What is to be said to a challenge. Raises SaslError."""

    def accepted(self) -> None:
        """The server says yes. Raises SaslError when it has not proved what it must."""


class Plain:
    """RFC 4616: user and password in one word."""

    name = "PLAIN"

    def __init__(self, username: str, password: str) -> None:
        self._word = b"\0" + username.encode() + b"\0" + password.encode()

    def first(self) -> bytes:
        return self._word

    def answer(self, challenge: bytes) -> bytes:
        raise SaslError("asked for more than user name and password")

    def accepted(self) -> None:
        pass


class Login:
    """User, then password, each when asked; never standardised, widely spoken."""

    name = "LOGIN"

    def __init__(self, username: str, password: str) -> None:
        self._words = [password.encode(), username.encode()]

    def first(self) -> None:
        return None

    def answer(self, challenge: bytes) -> bytes:
        if not self._words:
            raise SaslError("asked for more than user name and password")
        return self._words.pop()

    def accepted(self) -> None:
        pass


class XOAuth2:
    """Google's and Microsoft's: a token of an hour in the place of a password."""

    name = "XOAUTH2"

    def __init__(self, username: str, token: str) -> None:
        self._word = f"user={username}\x01auth=Bearer {token}\x01\x01".encode()

    def first(self) -> bytes:
        return self._word

    def answer(self, challenge: bytes) -> bytes:
        return b""  # the challenge says what is wrong, and the refusal follows this

    def accepted(self) -> None:
        pass


class Scram:
    """SCRAM-SHA-256. ``nonce`` is printable, without a comma, and new each time.

    ``stretch`` turns password, salt and iterations into a key; the caller may remember what it
    returned, because the same server asks for the same each time and it is meant to be slow.
    """

    name = "SCRAM-SHA-256"

    def __init__(
        self, username: str, password: str, nonce: str, *, stretch: Stretch | None = None
    ) -> None:
        name = prepared(username).replace("=", "=3D").replace(",", "=2C")
        self._password = prepared(password).encode()
        self._bare = f"n={name},r={nonce}"
        self._nonce = nonce
        self._stretch = stretch or stretched
        self._proof_due = b""  # what the server's signature must be
        self._proved = False

    def first(self) -> bytes:
        return b"n,," + self._bare.encode()

    def answer(self, challenge: bytes) -> bytes:
        if not self._proof_due:
            return self._final(challenge)
        self._verify(challenge)
        return b""

    def accepted(self) -> None:
        if not self._proved:
            raise SaslError("said yes without proving that it knows the password")

    def _final(self, challenge: bytes) -> bytes:
        found = _SERVER_FIRST(challenge)
        if found is None:
            raise SaslError("sent a SCRAM challenge that makes no sense")
        nonce, iterations = found["nonce"].decode(), int(found["count"])
        try:
            salt = b64decode(found["salt"], validate=True)
        except Base64Error:
            raise SaslError("sent a SCRAM challenge that makes no sense") from None
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce) or not salt:
            raise SaslError("sent a SCRAM challenge that is not about this dialogue")
        if not LEAST_ITERATIONS <= iterations <= MOST_ITERATIONS:
            raise SaslError(f"wants {iterations} SCRAM iterations, which is not safe")
        salted = self._stretch(self._password, salt, iterations)
        bare = f"c=biws,r={nonce}"  # biws: no channel binding
        signed = b",".join([self._bare.encode(), challenge, bare.encode()])
        key = digest(salted, b"Client Key", "sha256")
        signature = digest(sha256(key).digest(), signed, "sha256")
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        self._proof_due = digest(digest(salted, b"Server Key", "sha256"), signed, "sha256")
        return f"{bare},p={b64encode(proof).decode()}".encode()

    def _verify(self, final: bytes) -> None:
        word, _, value = final.partition(b"=")
        if word == b"e":
            return  # it says why not; the refusal follows, and nothing is proved
        try:
            signature = b64decode(value.partition(b",")[0], validate=True)
        except Base64Error:
            signature = b""
        if word != b"v" or not compare_digest(signature, self._proof_due):
            raise SaslError("does not know the password: its SCRAM signature is wrong")
        self._proved = True


# The server's first message; what may follow are extensions that need not be understood, while
# one that must be begins with "m=" (RFC 5802 section 5.1) and does not match.
_SERVER_FIRST = re.compile(
    rb"r=(?P<nonce>[!-+\--~]{1,512}),s=(?P<salt>[A-Za-z0-9+/=]{1,512}),i=(?P<count>[1-9]\d{0,9})"
    rb"(?:,[a-zA-Z]=[^,\x00]*)*"
).fullmatch


def stretched(password: bytes, salt: bytes, iterations: int) -> bytes:
    """The salted password (RFC 5802 section 3: Hi)."""
    return pbkdf2_hmac("sha256", password, salt, iterations)


def prepared(text: str) -> str:
    """A user name or password as SASLprep has it (RFC 4013).

    It is a query (RFC 3454 section 7): letters newer than Unicode 3.2 may stand in it. Raises
    SaslError for what can not.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(table(char) for char in prepared for table in _PROHIBITED):
        raise SaslError("can't be given a user name or password with control characters")
    strong = [stringprep.in_table_d1(char) for char in prepared]
    mixed = any(map(stringprep.in_table_d2, prepared))
    if any(strong) and (mixed or not (strong[0] and strong[-1])):  # RFC 3454 section 6
        raise SaslError("can't be given a user name or password that mixes directions")
    return prepared


_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)

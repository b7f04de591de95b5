"""Signs and reads the tokens in links and return paths: no address inside, one purpose each.

A token is a frame and its tag::

    version and purpose  1 byte    the high half is the version: how it is signed
    key id               1 byte    which secret signed it
    campaign             4 bytes
    subscriber           5 bytes
    expiry               3 bytes   hours since 1970; only where the purpose has one
    tag                 16 bytes   over all before it, cut

Version 1 has HMAC-SHA256, each purpose with a key of its own, derived from the secret by HKDF
(RFC 5869), so a token of one never passes for another. Version 2 is for the four that go into
every mail and never expire: their tags are cut from one BLAKE2b (RFC 7693), keyed, of what the four
frames share, each from bytes of its own. It is made once a mail, in a fifth of the time of four.

As base64url it has 36 characters, or 40 with an expiry. In a return path it is lower-case base32,
44 characters, because some servers fold the case of local parts.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import blake2b, sha256
from hmac import compare_digest, digest

VERSION, JOINT = 1, 2
MOST_CAMPAIGN = 2**32 - 1
MOST_SUBSCRIBER = 2**40 - 1
_TAG = 16
_SHORT_TAG = 10  # of a Message-ID: it finds a delivery and opens nothing
_PLAIN = 11  # bytes of a frame without an expiry
_SHARED = 8  # characters of a token that all readers of a campaign have alike
_EXPIRING = 14
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Purpose(Enum):
    """What a token may do. ``test`` and ``probe`` can change nothing."""

    unsubscribe = 1
    preferences = 2
    confirm = 3
    bounce = 4
    test = 5
    probe = 6
    message = 7  # the left side of a Message-ID
    reconfirm = 8  # says yes once more to a list that asks again
    address_old = 9  # says yes to a change of address, at the old one: its number is the campaign
    address_new = 10  # likewise, at the new one
    picture = 13  # the one picture of a campaign whose loads are counted: see image_loads
    click = 14  # leads to the target that stands in it: see click_links
    reader = 15  # says whose click it was, behind a click or picture token of the same campaign


# An unsubscribe link never expires; a link in a test copy always does.
ALWAYS_EXPIRES = frozenset(
    {Purpose.confirm, Purpose.test, Purpose.probe, Purpose.address_old, Purpose.address_new}
)
MAY_EXPIRE = ALWAYS_EXPIRES | {Purpose.preferences}


class SecretError(ValueError):
    """A secret key that can't be used; its text is a sentence, and never holds the secret."""


class LinkError(ValueError):
    """A token that can't be made: a number out of range, a key that is not there."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a genuine token says."""

    purpose: Purpose
    campaign: int
    subscriber: int
    key_id: int
    expires: datetime | None = None

    def is_of(self, expires: datetime) -> bool:
        """Whether it was made for the row that ends then: its numbers alone are given out again
        once a database was restored from an older backup.
        """
        return self.expires == _EPOCH + _hours(expires) * timedelta(hours=1)


def _hours(expires: datetime) -> int:
    """Since 1970, rounded up."""
    return -((_EPOCH - expires) // timedelta(hours=1))


def parse_secret(text: str) -> bytes:
    """Reads a secret of at least 32 random bytes, in hexadecimal or base64. Raises SecretError."""
    text = text.strip()
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text):
        secret = bytes.fromhex(text)
    elif re.fullmatch(r"[A-Za-z0-9+/_-]+={0,2}", text):
        bare = text.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            secret = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        except binascii.Error:
            raise SecretError(_ASKED) from None
    else:
        raise SecretError(_ASKED)
    if len(secret) < 32:
        raise SecretError(f"It is {len(secret)} bytes long. {_ASKED}")
    if len(set(secret)) < 12:  # of 32 random bytes, fewer are different once in 10**18
        raise SecretError(f"It repeats itself, so it can be guessed. {_ASKED}")
    return secret


_ASKED = "A secret key is 32 random bytes or more, as 64 hexadecimal digits or 43 of base64."


def hkdf(secret: bytes, purpose: str) -> bytes:
    """Derives a key of 32 bytes for one purpose (RFC 5869 with SHA-256 and no salt)."""
    extracted = digest(bytes(32), secret, "sha256")
    return digest(extracted, purpose.encode() + b"\x01", "sha256")


class _Mac:
    """HMAC-SHA256 under one key (RFC 2104), its two padded blocks hashed once.

    Four tags go into every mail; from the saved states each takes a fifth of the time.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        padded = key.ljust(64, b"\0")
        self._inner = sha256(bytes(octet ^ 0x36 for octet in padded))
        self._outer = sha256(bytes(octet ^ 0x5C for octet in padded))

    def after(self, beginning: bytes) -> _Mac:
        """The same for messages whose beginning is known: it is hashed once."""
        longer = object.__new__(_Mac)
        longer._inner, longer._outer = self._inner.copy(), self._outer
        longer._inner.update(beginning)
        return longer

    def __call__(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


# Where in the joint tag each purpose has its own.
_CUTS = {
    Purpose.unsubscribe: slice(0, 16),
    Purpose.preferences: slice(16, 32),
    Purpose.bounce: slice(32, 48),
    Purpose.message: slice(48, 64),
}


@dataclass(frozen=True, slots=True)
class _Key:
    key_id: int
    macs: dict[Purpose, _Mac] = field(repr=False)
    joint: blake2b = field(repr=False)

    def tag(self, purpose: Purpose, frame: bytes) -> bytes:
        """The tag of a frame, as long as it can be."""
        if frame[0] >> 4 != JOINT:
            return self.macs[purpose](frame)
        joint = self.joint.copy()
        joint.update(frame[1:])
        return joint.digest()[_CUTS[purpose]]


class KeyRing:
    """The current secret and earlier ones: new tokens are signed by the first, all are read."""

    __slots__ = ("_keys",)

    def __init__(self, current: bytes, *old: bytes) -> None:
        self._keys = [_derive(secret) for secret in (current, *old)]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(str(key.key_id) for key in self._keys)})"

    @property
    def key_id(self) -> int:
        """The id of the current secret: frozen with a campaign, so that a retry signs alike."""
        return self._keys[0].key_id

    def key(self, key_id: int | None) -> _Key:
        """The key that signs: the current one, or the one with an id. Raises LinkError."""
        for key in self._keys:
            if key_id is None or key.key_id == key_id:
                return key
        raise LinkError("The secret key that this campaign was planned with is not known any more.")

    def keys(self, key_id: int) -> list[_Key]:
        """Those that may have signed a token; two secrets may share an id."""
        return [key for key in self._keys if key.key_id == key_id]


def _derive(secret: bytes) -> _Key:
    if len(secret) < 32:
        raise SecretError(_ASKED)
    macs = {purpose: _Mac(hkdf(secret, f"mailer link {purpose.name}")) for purpose in Purpose}
    joint = blake2b(key=hkdf(secret, "mailer link joint"))
    return _Key(hkdf(secret, "mailer link key id")[0], macs, joint)


def make(
    ring: KeyRing,
    purpose: Purpose,
    campaign: int,
    subscriber: int,
    *,
    expires: datetime | None = None,
    key_id: int | None = None,
) -> str:
    """Makes a token for a link. An expiry is rounded up to the hour. Raises LinkError."""
    if (expires is None and purpose in ALWAYS_EXPIRES) or (expires and purpose not in MAY_EXPIRE):
        raise LinkError(f"A link to {purpose.name} {'never' if expires else 'always'} expires.")
    signed = _signed(ring, purpose, campaign, subscriber, expires, key_id, _TAG)
    return _url_text(signed)


def make_verp(ring: KeyRing, campaign: int, subscriber: int, *, key_id: int | None = None) -> str:
    """Makes the token of a return path: 44 characters of lower-case base32."""
    signed = _signed(ring, Purpose.bounce, campaign, subscriber, None, key_id, _TAG)
    return _base32(signed)


def _base32(data: bytes) -> str:
    """Lower-case base32 without padding."""
    return base64.b32encode(data).decode().rstrip("=").lower()


_LETTERS = bytes(b"abcdefghijklmnopqrstuvwxyz234567"[number % 32] for number in range(256))
# Which of the forty bits of each lane of 64 move up, and which stay, while they are spread.
_HALVES = [
    (int.from_bytes(bytes.fromhex(up) * 5), int.from_bytes(bytes.fromhex(stay) * 5))
    for up, stay in (
        ("000000fffff00000", "00000000000fffff"),
        ("000ffc00000ffc00", "000003ff000003ff"),
        ("03e003e003e003e0", "001f001f001f001f"),
    )
]
(_UP_20, _STAY_20), (_UP_10, _STAY_10), (_UP_5, _STAY_5) = _HALVES


def _ending_in_base32(data: bytes) -> str:
    """The same of the 22 bytes in which every return path ends, many times as fast.

    The groups of five bits become bytes of their own in three steps, all at once in one number:
    no table but that of the letters has to be at hand.
    """
    bits = int.from_bytes(data) << 24  # to five times forty
    forty = 2**40 - 1
    wide = (
        bits >> 160 << 256
        | (bits >> 120 & forty) << 192
        | (bits >> 80 & forty) << 128
        | (bits >> 40 & forty) << 64
        | bits & forty
    )
    wide = (wide & _UP_20) << 12 | wide & _STAY_20
    wide = (wide & _UP_10) << 6 | wide & _STAY_10
    wide = (wide & _UP_5) << 3 | wide & _STAY_5
    return wide.to_bytes(40).translate(_LETTERS)[:36].decode()


def message_id(
    ring: KeyRing, campaign: int, subscriber: int, domain: str, *, key_id: int | None = None
) -> str:
    """Makes a Message-ID without its brackets: the same for every try of the same message.

    It has 29 characters more than the domain, so it stays within 70 for domains of up to 41.
    """
    frame = _signed(ring, Purpose.message, campaign, subscriber, None, key_id, _SHORT_TAG)
    return f"{_url_text(frame)}@{domain}"


class Tokens:
    """Makes the tokens of one campaign's readers: the same as ``make`` and its like, faster.

    Four go into every mail. What they share (version, purpose, key, campaign: six bytes, so eight
    characters of base64) is written and hashed once. ``joint`` is false for a campaign that was
    planned before there were joint tags. Raises LinkError when the key is not there.
    """

    __slots__ = ("_heads", "_joint", "_one", "_others", "_verp")

    def __init__(self, ring: KeyRing, campaign: int, key_id: int, *, joint: bool = True) -> None:
        def one(purpose: Purpose, subscriber: int, tag: int = _TAG) -> bytes:
            return _signed(ring, purpose, campaign, subscriber, None, key_id, tag, joint=joint)

        self._one = one
        shared = {purpose: one(purpose, 0)[: _PLAIN - 5] for purpose in _CUTS}
        # What each mail needs, looked up once.
        three = (Purpose.unsubscribe, Purpose.preferences, Purpose.message)
        self._heads = [_url_text(shared[each]) for each in three]
        self._joint: blake2b | None = None
        if joint:
            self._joint = ring.key(key_id).joint.copy()
            self._joint.update(shared[Purpose.message][1:])
        # Five bytes are eight characters, so what stands first is the same for all.
        bounce = shared[Purpose.bounce]
        self._verp = (_base32(bounce[:5]), bounce[5:])
        self._others: dict[Purpose, tuple[str, _Mac]] = {}
        for purpose in (Purpose.reconfirm, Purpose.reader):
            before = one(purpose, 0)[: _PLAIN - 5]
            self._others[purpose] = (
                _url_text(before),
                ring.key(key_id).macs[purpose].after(before),
            )

    def of(self, subscriber: int, *, verp: bool = True) -> tuple[str, str, str, str]:
        """To unsubscribe, for preferences, the left side of Message-ID, and for a return path.

        Made together. The last one is empty unless it is asked for.
        """
        if self._joint is None:
            return self._one_by_one(subscriber)
        number = subscriber.to_bytes(5, "big")
        joint = self._joint.copy()
        joint.update(number)
        tags = joint.digest()
        # Of three bytes become four letters, and each of these has a multiple of three.
        text = _url_text(number + tags[:16] + number + tags[16:32] + number + tags[48:58])
        leave, prefer, message = self._heads
        bounce = ""
        if verp:
            head, last = self._verp
            bounce = head + _ending_in_base32(last + number + tags[32:48])
        return leave + text[:28], prefer + text[28:56], message + text[56:], bounce

    def _one_by_one(self, subscriber: int) -> tuple[str, str, str, str]:
        one = self._one
        return (
            _url_text(one(Purpose.unsubscribe, subscriber)),
            _url_text(one(Purpose.preferences, subscriber)),
            _url_text(one(Purpose.message, subscriber, _SHORT_TAG)),
            _base32(one(Purpose.bounce, subscriber)),
        )

    def link(self, purpose: Purpose, subscriber: int) -> str:
        """The token of a link without an expiry, as ``make`` has it."""
        if purpose not in self._others:
            return _url_text(self._one(purpose, subscriber))
        head, mac = self._others[purpose]
        number = subscriber.to_bytes(5, "big")
        return head + _url_text(number + mac(number)[:_TAG])

    def mark(self, subscriber: int) -> str:
        """What names the person behind each redirect link of their mail: 28 characters."""
        return self.link(Purpose.reader, subscriber)[_SHARED:]


def read(
    ring: KeyRing,
    token: str,
    allowed: Purpose | Collection[Purpose],
    *,
    now: datetime | None = None,
) -> Link | None:
    """Reads the token of a link; None when it is not genuine, for another purpose, or expired.

    ``now`` is needed for tokens that expire: without it they are not accepted.
    """
    return _checked(ring, _from_url(token), allowed, now, _TAG)


def read_verp(ring: KeyRing, token: str) -> Link | None:
    """Reads the token of a return path, in whatever case it comes back."""
    token = token.lower()
    if not re.fullmatch(r"[a-z2-7]{44}", token):
        return None
    signed = base64.b32decode(token.upper() + "====")
    if base64.b32encode(signed).decode().rstrip("=").lower() != token:
        return None
    return _checked(ring, signed, Purpose.bounce, None, _TAG)


def read_message_id(ring: KeyRing, text: str) -> Link | None:
    """Reads a Message-ID of ours, with or without its brackets, out of a report."""
    left = text.strip().removeprefix("<").partition("@")[0]
    return _checked(ring, _from_url(left), Purpose.message, None, _SHORT_TAG)


_TO_URL = bytes.maketrans(b"+/", b"-_")


def _url_text(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).decode().rstrip("=")


_TOKEN = re.compile(r"[A-Za-z0-9_-]{27,40}").fullmatch


def _from_url(token: str) -> bytes:
    """Decodes canonical base64url, or returns nothing: one token has one spelling."""
    if not _TOKEN(token):
        return b""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        return b""
    return data if base64.urlsafe_b64encode(data).decode().rstrip("=") == token else b""


def _signed(
    ring: KeyRing,
    purpose: Purpose,
    campaign: int,
    subscriber: int,
    expires: datetime | None,
    key_id: int | None,
    tag: int,
    *,
    joint: bool = True,
) -> bytes:
    if not 0 <= campaign <= MOST_CAMPAIGN or not 0 <= subscriber <= MOST_SUBSCRIBER:
        raise LinkError(f"Campaign {campaign} or subscriber {subscriber} is out of range.")
    key = ring.key(key_id)
    version = JOINT if joint and expires is None and purpose in _CUTS else VERSION
    frame = bytes((version << 4 | purpose.value, key.key_id))
    frame += campaign.to_bytes(4, "big") + subscriber.to_bytes(5, "big")
    if expires is not None:
        frame += _hours(expires).to_bytes(3, "big")
    return frame + key.tag(purpose, frame)[:tag]


def _checked(
    ring: KeyRing,
    signed: bytes,
    allowed: Purpose | Collection[Purpose],
    now: datetime | None,
    tag: int,
) -> Link | None:
    frame = signed[:-tag]
    if len(frame) not in (_PLAIN, _EXPIRING) or frame[0] >> 4 not in (VERSION, JOINT):
        return None
    purposes = (allowed,) if isinstance(allowed, Purpose) else allowed
    purpose = _PURPOSES.get(frame[0] & 15)
    if purpose is None or purpose not in purposes:
        return None
    if frame[0] >> 4 == JOINT and (purpose not in _CUTS or len(frame) != _PLAIN):
        return None
    genuine = False
    for key in ring.keys(frame[1]):
        genuine |= compare_digest(key.tag(purpose, frame)[:tag], signed[-tag:])
    if not genuine:
        return None
    expires = None
    if len(frame) == _EXPIRING:
        expires = _EPOCH + timedelta(hours=int.from_bytes(frame[11:], "big"))
        if now is None or now >= expires:
            return None
    campaign, subscriber = int.from_bytes(frame[2:6], "big"), int.from_bytes(frame[6:11], "big")
    return Link(purpose, campaign, subscriber, frame[1], expires)


_PURPOSES = {purpose.value: purpose for purpose in Purpose}

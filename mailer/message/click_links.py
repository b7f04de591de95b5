"""Signs where a link leads into the link itself, and reads it back: no database is asked.

A redirect link is a frame and its tag, as base64url::

    version and purpose  1 byte    as in ``links``
    key id               1 byte
    campaign             4 bytes
    number               2 bytes   the link's, in the campaign's list of them
    scheme               1 byte    1 https, 2 http; nothing else can be written down
    target               ASCII     the rest of the address
    tag                 16 bytes   HMAC-SHA256 over all before it, cut

In a campaign that measures people, a dot and the reader's mark follow: their number and a tag over
campaign and number, 28 characters, the same behind every link of their mail. Both have keys of
their own. A link never expires, and a rotated key still reads it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hmac import compare_digest

from mailer.message.links import VERSION, KeyRing, LinkError, Purpose, read

LONGEST = 1200  # octets of a target: the whole link stays below 2,000, which every program takes
MARK = 28  # characters
_TAG = 16
_HEAD = 8  # bytes before the scheme
_LEAST = _HEAD + 1 + _TAG
_TOKEN = re.compile(r"[A-Za-z0-9_-]{34,1700}").fullmatch
_MARK = re.compile(rf"[A-Za-z0-9_-]{{{MARK}}}").fullmatch
# Printable ASCII and nothing that could end a header's line; what follows `//` names a host.
_REST = re.compile(r"[A-Za-z0-9\[][!-~]*").fullmatch
_SCHEMES = {"https": 1, "http": 2}
_NAMES = {number: name for name, number in _SCHEMES.items()}


@dataclass(frozen=True, slots=True)
class Click:
    """What a genuine redirect link says. ``subscriber`` is None where no person is named."""

    campaign: int
    number: int
    target: str
    subscriber: int | None = None


def sign_target(
    ring: KeyRing, campaign: int, number: int, target: str, *, key_id: int | None = None
) -> str:
    """Makes the token of one link. Raises LinkError for an address that no token can hold."""
    scheme, _, rest = target.partition("://")
    code = _SCHEMES.get(scheme.lower())
    if code is None or not _REST(rest) or len(rest) > LONGEST or "\\" in rest:
        raise LinkError("That is no address that a redirect link can hold.")
    key = ring.key(key_id)
    head = _head(Purpose.click, key.key_id, campaign)
    frame = head + number.to_bytes(2, "big") + bytes((code,)) + rest.encode("ascii")
    return _text(frame + key.tag(Purpose.click, frame)[:_TAG])


def read_click(ring: KeyRing, path: str) -> Click | None:
    """Reads what stands behind ``/l/``; None when any of it is not genuine."""
    token, dot, mark = path.partition(".")
    signed = _bytes(token) if _TOKEN(token) else b""
    if len(signed) < _LEAST or signed[0] != VERSION << 4 | Purpose.click.value:
        return None
    frame, tag = signed[:-_TAG], signed[-_TAG:]
    genuine = False
    for key in ring.keys(frame[1]):
        genuine |= compare_digest(key.tag(Purpose.click, frame)[:_TAG], tag)
    scheme = _NAMES.get(frame[_HEAD])
    rest = frame[_HEAD + 1 :].decode("latin-1")
    if not genuine or scheme is None or not _REST(rest) or "\\" in rest:
        return None
    campaign, number = int.from_bytes(frame[2:6], "big"), int.from_bytes(frame[6:8], "big")
    subscriber = None
    if dot:
        subscriber = read_mark(ring, frame[1], campaign, mark)
        if subscriber is None:
            return None
    return Click(campaign, number, f"{scheme}://{rest}", subscriber)


def read_mark(ring: KeyRing, key_id: int, campaign: int, mark: str) -> int | None:
    """The reader whom a mark behind a campaign's token names; None when it is not genuine."""
    head = _text(_head(Purpose.reader, key_id, campaign))
    reader = read(ring, head + mark, Purpose.reader) if _MARK(mark) else None
    return None if reader is None else reader.subscriber


def _head(purpose: Purpose, key_id: int, campaign: int) -> bytes:
    return bytes((VERSION << 4 | purpose.value, key_id)) + campaign.to_bytes(4, "big")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(token: str) -> bytes:
    """Decodes canonical base64url, or returns nothing: one link has one spelling."""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        return b""
    return data if _text(data) == token else b""

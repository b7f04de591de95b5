"""Tokens carry numbers and a tag, nothing else; a wrong, foreign or odd one is simply not read."""

from __future__ import annotations

import base64
import hmac
import string
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from mailer.message import links
from mailer.message.links import KeyRing, Link, LinkError, Purpose, SecretError

SECRET = bytes(range(1, 33))
OTHER = bytes(range(101, 133))
RING = KeyRing(SECRET)
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=48)
EVERY = frozenset(Purpose)
BASE64URL = string.ascii_letters + string.digits + "-_"
BASE32 = string.ascii_lowercase + "234567"

campaigns = st.integers(0, links.MOST_CAMPAIGN)
subscribers = st.integers(0, links.MOST_SUBSCRIBER)
purposes = st.sampled_from(Purpose)


def made(purpose: Purpose, campaign: int = 7, subscriber: int = 42, ring: KeyRing = RING) -> str:
    expires = LATER if purpose in links.ALWAYS_EXPIRES else None
    return links.make(ring, purpose, campaign, subscriber, expires=expires)


@given(purposes, campaigns, subscribers)
def test_a_token_is_read_back(purpose: Purpose, campaign: int, subscriber: int) -> None:
    token = made(purpose, campaign, subscriber)
    link = links.read(RING, token, purpose, now=NOW)

    assert link is not None
    assert (link.purpose, link.campaign, link.subscriber) == (purpose, campaign, subscriber)
    assert link.key_id == RING.key_id
    assert len(token) == (40 if purpose in links.ALWAYS_EXPIRES else 36)
    assert set(token) <= set(BASE64URL)


@given(purposes, purposes)
def test_a_token_serves_its_own_purpose_only(purpose: Purpose, other: Purpose) -> None:
    token = made(purpose)

    assert (links.read(RING, token, other, now=NOW) is not None) == (purpose is other)
    assert links.read(RING, token, EVERY - {purpose}, now=NOW) is None
    assert links.read(RING, token, EVERY, now=NOW) is not None


def test_a_purpose_byte_that_is_changed_breaks_the_tag() -> None:
    data = bytearray(base64.urlsafe_b64decode(made(Purpose.test)))
    data[0] = (data[0] & 0xF0) | Purpose.unsubscribe.value
    forged = base64.urlsafe_b64encode(data).decode()

    assert links.read(RING, forged, EVERY, now=NOW) is None


@given(purposes, st.data())
def test_no_changed_token_is_read(purpose: Purpose, data: st.DataObject) -> None:
    token = made(purpose)
    at = data.draw(st.integers(0, len(token) - 1))
    instead = data.draw(st.sampled_from([each for each in BASE64URL if each != token[at]]))

    assert links.read(RING, token[:at] + instead + token[at + 1 :], EVERY, now=NOW) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1],
        lambda token: token[:-4],
        lambda token: token + "A",
        lambda token: token + "=",
        lambda token: token + "====",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token[:4] + "." + token[4:],
        lambda token: token.replace("_", "/").replace("-", "+") + "",
        lambda token: "",
        lambda token: "é" * 36,
        lambda token: token.upper(),
        lambda token: "A" * 36,
        lambda token: "A" * 10**6,
    ],
)
def test_no_odd_spelling_is_read(change: object) -> None:
    assert callable(change)
    token = next(
        token
        for number in range(1000)
        if {"-", "_"} <= set(token := made(Purpose.unsubscribe, subscriber=number))
    )

    assert links.read(RING, token, Purpose.unsubscribe) is not None
    assert links.read(RING, change(token), Purpose.unsubscribe) is None


@given(st.text(max_size=50) | st.text(BASE64URL, min_size=36, max_size=36) | st.binary().map(str))
def test_any_text_can_be_asked_about(text: str) -> None:
    assert links.read(RING, text, EVERY, now=NOW) is None
    assert links.read_verp(RING, text) is None
    assert links.read_message_id(RING, text) is None


def test_another_secret_reads_nothing() -> None:
    assert links.read(KeyRing(OTHER), made(Purpose.unsubscribe), Purpose.unsubscribe) is None
    assert links.read_verp(KeyRing(OTHER), links.make_verp(RING, 1, 2)) is None


def test_keys_rotate_with_overlap() -> None:
    old = made(Purpose.unsubscribe)
    rotated = KeyRing(OTHER, SECRET)
    new = made(Purpose.unsubscribe, ring=rotated)

    assert links.read(rotated, old, Purpose.unsubscribe) is not None
    assert links.read(rotated, new, Purpose.unsubscribe) is not None
    assert links.read(RING, new, Purpose.unsubscribe) is None
    # A campaign that was planned before the rotation goes on signing as it began.
    assert old == links.make(rotated, Purpose.unsubscribe, 7, 42, key_id=RING.key_id)
    unknown = next(n for n in range(256) if n not in {RING.key_id, rotated.key_id})
    with pytest.raises(LinkError, match="not known any more"):
        links.make(rotated, Purpose.unsubscribe, 7, 42, key_id=unknown)


def test_two_secrets_with_one_key_id_are_both_tried() -> None:
    twin = next(
        secret
        for number in range(10_000)
        if KeyRing(secret := number.to_bytes(32, "little")).key_id == RING.key_id
    )

    token = made(Purpose.unsubscribe)
    assert links.read(KeyRing(twin, SECRET), token, Purpose.unsubscribe) is not None


def test_a_token_with_an_expiry_ends() -> None:
    token = links.make(RING, Purpose.confirm, 1, 2, expires=LATER)
    up_to = datetime(2026, 11, 26, 10, tzinfo=UTC)  # the hour is rounded up

    expected = Link(Purpose.confirm, 1, 2, RING.key_id, up_to)
    assert links.read(RING, token, Purpose.confirm, now=up_to - timedelta(seconds=1)) == expected
    assert links.read(RING, token, Purpose.confirm, now=up_to) is None
    assert links.read(RING, token, Purpose.confirm) is None


def test_which_purposes_expire() -> None:
    for purpose in links.ALWAYS_EXPIRES:
        with pytest.raises(LinkError):
            links.make(RING, purpose, 1, 2)
    for purpose in EVERY - links.MAY_EXPIRE:
        with pytest.raises(LinkError):
            links.make(RING, purpose, 1, 2, expires=LATER)


@pytest.mark.parametrize(("campaign", "subscriber"), [(-1, 0), (2**32, 0), (0, -1), (0, 2**40)])
def test_numbers_that_do_not_fit_are_refused(campaign: int, subscriber: int) -> None:
    with pytest.raises(LinkError):
        links.make(RING, Purpose.unsubscribe, campaign, subscriber)


@given(campaigns, subscribers)
def test_a_return_path_token_is_read_in_any_case(campaign: int, subscriber: int) -> None:
    token = links.make_verp(RING, campaign, subscriber)
    link = links.read_verp(RING, token.upper())

    assert len(token) == 44
    assert set(token) <= set(BASE32)
    assert link == Link(Purpose.bounce, campaign, subscriber, RING.key_id)
    assert links.read(RING, token, EVERY) is None


@given(campaigns, subscribers, st.data())
def test_a_return_path_token_has_one_spelling(
    campaign: int, subscriber: int, data: st.DataObject
) -> None:
    token = links.make_verp(RING, campaign, subscriber)
    at = data.draw(st.integers(0, 43))
    instead = data.draw(st.sampled_from([each for each in BASE32 if each != token[at]]))

    assert links.read_verp(RING, token[:at] + instead + token[at + 1 :]) is None


@given(campaigns, subscribers)
def test_a_message_id_is_stable_short_and_read_back(campaign: int, subscriber: int) -> None:
    written = links.message_id(RING, campaign, subscriber, "news.example.org")

    assert written == links.message_id(RING, campaign, subscriber, "news.example.org")
    assert len(written) <= 70
    assert written.partition("@")[2] == "news.example.org"
    assert set(written.partition("@")[0]) <= set(BASE64URL)
    link = links.read_message_id(RING, f"<{written}>")
    assert link == Link(Purpose.message, campaign, subscriber, RING.key_id)
    assert links.read(RING, written.partition("@")[0], EVERY) is None


@given(st.binary(min_size=32, max_size=100), st.text(max_size=30))
def test_keys_are_derived_as_rfc_5869_says(secret: bytes, purpose: str) -> None:
    other = HKDF(SHA256(), length=32, salt=None, info=purpose.encode())

    assert links.hkdf(secret, purpose) == other.derive(secret)


@pytest.mark.parametrize(
    "text",
    [
        SECRET.hex(),
        SECRET.hex().upper(),
        base64.b64encode(SECRET).decode(),
        base64.urlsafe_b64encode(OTHER).decode(),
        base64.urlsafe_b64encode(SECRET).decode().rstrip("="),
        f"  {SECRET.hex()}\n",
    ],
)
def test_a_secret_is_hexadecimal_or_base64(text: str) -> None:
    assert links.parse_secret(text) in (SECRET, OTHER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "changeme",
        "correct horse battery staple, and a good deal more of it",
        SECRET.hex()[:-2],
        SECRET.hex() + "é",
        base64.b64encode(SECRET[:31]).decode(),
        "00" * 32,
        "ab" * 64,
        "A" * 64,
        "=" * 44,
        "A" * 45,
    ],
)
def test_a_poor_secret_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(SecretError, match="32 random bytes") as caught:
        links.parse_secret(text)

    assert not text or text not in str(caught.value)


def test_no_secret_is_ever_printed() -> None:
    assert repr(RING) == f"KeyRing({RING.key_id})"
    with pytest.raises(SecretError):
        KeyRing(b"short")


@given(st.binary(min_size=32, max_size=64), st.binary(max_size=40))
def test_the_saved_states_give_the_same_tag_as_hmac(key: bytes, message: bytes) -> None:
    assert links._Mac(key)(message) == hmac.digest(key, message, "sha256")


@given(st.binary(min_size=22, max_size=22))
def test_our_fast_base32_is_the_standard_one_in_lower_case(data: bytes) -> None:
    assert links._ending_in_base32(data) == base64.b32encode(data).decode().rstrip("=").lower()


@pytest.mark.parametrize("joint", [True, False])
@given(st.integers(0, links.MOST_CAMPAIGN), st.integers(0, links.MOST_SUBSCRIBER))
def test_the_tokens_of_a_campaign_are_those_that_are_made_one_by_one(
    joint: bool, campaign: int, subscriber: int
) -> None:
    tokens = links.Tokens(RING, campaign, RING.key_id, joint=joint)
    leave, prefer, message, bounce = tokens.of(subscriber)
    again = tokens.link(Purpose.reconfirm, subscriber)

    assert links.make(RING, Purpose.reconfirm, campaign, subscriber) == again
    assert tokens.of(subscriber, verp=False)[:3] == (leave, prefer, message)
    for link, purpose in (
        (links.read(RING, leave, Purpose.unsubscribe), Purpose.unsubscribe),
        (links.read(RING, prefer, Purpose.preferences), Purpose.preferences),
        (links.read_message_id(RING, message), Purpose.message),
        (links.read_verp(RING, bounce), Purpose.bounce),
    ):
        assert link == Link(purpose, campaign, subscriber, RING.key_id)
    if joint:
        assert [leave, prefer, f"{message}@example.org", bounce] == [
            links.make(RING, Purpose.unsubscribe, campaign, subscriber),
            links.make(RING, Purpose.preferences, campaign, subscriber),
            links.message_id(RING, campaign, subscriber, "example.org"),
            links.make_verp(RING, campaign, subscriber),
        ]
        assert tokens.link(Purpose.unsubscribe, subscriber) == leave


def test_what_was_mailed_before_there_were_joint_tags_is_made_and_read_as_then() -> None:
    leave = "EacAAAAHAAAAACrgSmDb2EBPCNIQIYImNvzr"
    prefer = "EqcAAAAHAAAAACqPUxu6FIWbzoajRjXCuG7n"
    bounce = "cstqaaaaa4aaaaaafkoh4jr2lbo7cebvy2527fc5kdcq"
    message = "F6cAAAAHAAAAACpQGuPmpJ3UU3kP"

    assert links.Tokens(RING, 7, RING.key_id, joint=False).of(42) == (
        leave,
        prefer,
        message,
        bounce,
    )
    assert links.read(RING, leave, Purpose.unsubscribe) is not None
    assert links.read(RING, prefer, Purpose.preferences) is not None
    assert links.read_verp(RING, bounce) is not None
    assert links.read_message_id(RING, message) is not None


@pytest.mark.parametrize("purpose", [Purpose.test, Purpose.reconfirm, Purpose.preferences])
def test_nobody_but_the_four_has_a_joint_tag(purpose: Purpose) -> None:
    """An expiry, or another purpose, under the version of the joint tags is not read."""
    expires = LATER if purpose is not Purpose.reconfirm else None
    token = links.make(RING, purpose, 7, 42, expires=expires)
    data = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert data[0] >> 4 == links.VERSION
    data[0] = links.JOINT << 4 | purpose.value
    joint = RING.key(None).joint.copy()
    joint.update(bytes(data[1:-16]))
    for cut in (slice(0, 16), slice(16, 32), slice(32, 48)):
        forged = bytes(data[:-16]) + joint.digest()[cut]
        text = base64.urlsafe_b64encode(forged).decode().rstrip("=")

        assert links.read(RING, text, EVERY, now=NOW) is None

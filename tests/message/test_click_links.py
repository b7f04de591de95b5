"""A redirect link leads where it was signed to lead, and nowhere else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message import links
from mailer.message.click_links import LONGEST, MARK, Click, read_click, sign_target
from mailer.message.links import KeyRing, LinkError, Purpose, Tokens

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
RING = KeyRing(NEW)
SHOP = "https://shop.example.org/boats?size=3#blue"
targets = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["https", "http"]),
    st.sampled_from(["example.org", "a.b.example.net:8443", "[2001:db8::1]", "xn--bcher-kva.ch"]),
    st.text(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), max_size=90
    ).map(lambda words: f"/{words}"),
)
campaigns = st.integers(0, links.MOST_CAMPAIGN)


def mark(person: int, campaign: int = 7, ring: KeyRing = RING) -> str:
    return Tokens(ring, campaign, ring.key_id).mark(person)


@given(targets, campaigns, st.integers(0, 65_535), st.integers(0, links.MOST_SUBSCRIBER))
def test_a_link_is_read_back(target: str, campaign: int, number: int, person: int) -> None:
    token = sign_target(RING, campaign, number, target)
    named = f"{token}.{mark(person, campaign)}"

    assert read_click(RING, token) == Click(campaign, number, target)
    assert read_click(RING, named) == Click(campaign, number, target, person)


@given(targets, st.data())
def test_no_changed_link_is_read(target: str, data: st.DataObject) -> None:
    whole = f"{sign_target(RING, 7, 1, target)}.{mark(42)}"
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    for changed in (whole[:at] + other + whole[at + 1 :], whole[:at], whole + other):
        if changed not in (whole, whole.partition(".")[0]):
            assert read_click(RING, changed) is None, changed


@given(
    st.text(max_size=120)
    | st.binary(max_size=90).map(lambda b: base64.urlsafe_b64encode(b).decode())
)
def test_no_other_text_is_read(words: str) -> None:
    assert read_click(RING, words) is None


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "JavaScript://example.org/%0aalert(1)",
        "data:text/html,x",
        "mailto:anna@example.org",
        "//example.org/",
        "https://",
        "https:///example.org",
        "https://example.org/\r\nSet-Cookie: a=b",
        "https://example.org/ a",
        "https://example.org/ü",
        "https://example.org\\@example.net/",
        "https://example.org/" + "a" * LONGEST,
    ],
)
def test_what_no_link_may_lead_to_is_not_signed(target: str) -> None:
    with pytest.raises(LinkError):
        sign_target(RING, 7, 1, target)


@pytest.mark.parametrize(
    "rest",
    [b"\x03example.org/", b"\x01example.org/\r\nA: b", b"\x01/example.org", b"\x01", b"\x02\\x"],
)
def test_not_even_the_key_makes_another_target(rest: bytes) -> None:
    """The reader of links does not rely on their writer."""
    key = RING.key(None)
    frame = bytes((0x1E, key.key_id)) + bytes(6) + rest
    token = (
        base64.urlsafe_b64encode(frame + key.tag(Purpose.click, frame)[:16]).decode().rstrip("=")
    )

    assert read_click(RING, token) is None


def test_a_rotated_key_still_reads_and_another_does_not() -> None:
    token = f"{sign_target(KeyRing(OLD), 7, 1, SHOP)}.{mark(42, ring=KeyRing(OLD))}"

    assert read_click(KeyRing(NEW, OLD), token) == Click(7, 1, SHOP, 42)
    assert read_click(KeyRing(NEW), token) is None


def test_a_mark_counts_for_its_own_campaign_only() -> None:
    token = sign_target(RING, 7, 1, SHOP)

    assert len(mark(42)) == MARK
    assert read_click(RING, f"{token}.{mark(42)}") == Click(7, 1, SHOP, 42)
    assert read_click(RING, f"{token}.{mark(42, campaign=8)}") is None
    assert read_click(RING, f"{token}.") is None


@pytest.mark.parametrize("purpose", [p for p in Purpose if p not in links.ALWAYS_EXPIRES])
def test_no_token_of_another_purpose_is_a_link_and_no_link_is_such_a_token(
    purpose: Purpose,
) -> None:
    other = links.make(RING, purpose, 7, 42)
    link = sign_target(RING, 7, 1, "https://e.ch")

    assert read_click(RING, other) is None
    assert links.read(RING, link, purpose) is None
    if purpose is not Purpose.reader:
        assert read_click(RING, f"{link}.{other[8:]}") is None

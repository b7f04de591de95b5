"""The rules tell machines' clicks from readers', and keep no address."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.adapters.word_lists import click_rules
from mailer.message.click_rules import Networks, Seen
from mailer.model.measuring import ClickVerdict

RULES = click_rules()
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
BROWSER = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
)
SENT, LATER = 1_000_000, 1_000_000 + 3_600_000
HOME = "192.0.2.7"
NETWORKS = Networks(bytes(range(32)))


@pytest.mark.parametrize(
    ("agent", "ip", "at", "sent", "expected"),
    [
        (BROWSER, HOME, LATER, SENT, None),
        (FIREFOX, HOME, LATER, SENT, None),
        (ANDROID, "2001:db8::7", LATER, SENT, None),
        ("", HOME, LATER, SENT, "agent"),
        ("  ", HOME, LATER, SENT, "agent"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://google.com)", HOME, LATER, SENT, "agent"),
        ("Mozilla/5.0 AppleWebKit/534+ BingPreview/1.0b", HOME, LATER, SENT, "agent"),
        ("WhatsApp/2.23.20.0", HOME, LATER, SENT, "agent"),
        ("PYTHON-REQUESTS/2.32", HOME, LATER, SENT, "agent"),
        (BROWSER, "40.94.1.2", LATER, SENT, None),
        (BROWSER, "40.92.1.2", LATER, SENT, "network"),
        (BROWSER, "::ffff:40.92.1.2", LATER, SENT, "network"),
        (BROWSER, "2a01:111:f403::1", LATER, SENT, "network"),
        (BROWSER, "148.163.130.1", LATER, SENT, "network"),
        (BROWSER, "no address", LATER, SENT, None),
        (BROWSER, HOME, SENT + 9_999, SENT, "early"),
        (BROWSER, HOME, SENT + 10_000, SENT, None),
        (BROWSER, HOME, LATER, None, "early"),
    ],
)
def test_one_click_by_itself(
    agent: str, ip: str, at: int, sent: int | None, expected: str | None
) -> None:
    assert RULES.judge(agent, ip, at, sent) == expected


def seen(*clicks: tuple[int, float], person: int | None = 1, network: bytes = b"n") -> list[Seen]:
    """Clicks of one reader: link, and second."""
    return [
        Seen((person or 0) * 100 + i, link, round(at * 1000), person, network)
        for i, (link, at) in enumerate(clicks)
    ]


@pytest.mark.parametrize("person", [1, None], ids=["by person", "by network"])
@pytest.mark.parametrize(
    ("clicks", "expected"),
    [
        (((1, 0), (2, 1), (3, 5)), [0, 1, 2]),
        (((1, 0), (2, 1), (3, 5.1)), []),
        (((1, 0), (1, 1), (2, 2), (2, 3)), []),  # one link again and again is a reader's hand
        (((1, 0), (2, 1), (3, 2), (1, 60)), [0, 1, 2]),
        (((3, 100), (1, 0), (2, 102), (4, 104)), [0, 2, 3]),
    ],
)
def test_several_links_of_one_mail_within_seconds(
    person: int | None, clicks: tuple[tuple[int, float], ...], expected: list[int]
) -> None:
    rows = seen(*clicks, person=person)
    found = RULES.together(rows)

    assert {key for key, verdict in found.items() if verdict != "repeat"} == {
        rows[number].id for number in expected
    }


@pytest.mark.parametrize("person", [1, None], ids=["by person", "by network"])
def test_the_same_link_again_at_once_counts_once(person: int | None) -> None:
    rows = seen((1, 0), (1, 0.1), (2, 1), (1, 1.9), (1, 3.9), (2, 60), person=person)

    assert RULES.together(rows) == {rows[n].id: ClickVerdict.repeat for n in (1, 3)}


def test_readers_at_home_are_not_one_another(  # ten people, each with their own network
) -> None:
    rows = [row for p in range(1, 11) for row in seen((1, p / 10), person=p, network=b"%d" % p)]

    assert RULES.together(rows) == {}


@pytest.mark.parametrize(("people", "seconds", "taken"), [(10, 60, 10), (9, 60, 0), (10, 70, 0)])
def test_many_readers_from_one_network_at_one_time(people: int, seconds: float, taken: int) -> None:
    step = seconds / (people - 1)
    rows = [row for p in range(people) for row in seen((1, p * step), person=p + 1)]

    assert list(RULES.together(rows).values()) == [ClickVerdict.crowd] * taken


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 30), st.integers(1, 3)), max_size=25))
def test_together_is_what_a_plain_count_says(clicks: list[tuple[int, int, int]]) -> None:
    rows = [
        Seen(i, link, at * 1000, person, b"%d" % person)
        for i, (link, at, person) in enumerate(clicks)
    ]
    expected = set()
    for one in rows:
        within = [
            each
            for each in rows
            if each.subscriber == one.subscriber and 0 <= each.at - one.at <= 5000
        ]
        if len({each.number for each in within}) >= 3:
            expected |= {each.id for each in within}

    found = RULES.together(rows)
    assert {key for key, verdict in found.items() if verdict == "burst"} == expected


def test_a_network_is_a_hash_that_joins_nothing_beyond_day_and_campaign() -> None:
    day = 86_400_000
    same = {NETWORKS.hashed(f"192.0.2.{last}", 7, 5) for last in range(256)}

    assert len(same) == 1
    assert len({NETWORKS.hashed(HOME, campaign, 5) for campaign in range(9)}) == 9
    assert NETWORKS.hashed(HOME, 7, day - 1) != NETWORKS.hashed(HOME, 7, day)
    assert NETWORKS.hashed("2001:db8:1:2::3", 7, 5) == NETWORKS.hashed("2001:db8:1:ffff::9", 7, 5)
    assert NETWORKS.hashed("2001:db8:1::", 7, 5) != NETWORKS.hashed("2001:db8:2::", 7, 5)
    assert NETWORKS.hashed("::ffff:192.0.2.9", 7, 5) in same
    assert NETWORKS.hashed(HOME, 7, 5) != Networks(bytes(32)).hashed(HOME, 7, 5)
    for ip in ("testclient", "", "127.0.0.1", "::1", "10.0.0.9", "192.168.1.1", "fd00::1"):
        assert NETWORKS.hashed(ip, 7, 5) is None


def test_the_data_is_dated_and_names_no_home() -> None:
    assert RULES.dated >= "2026-11-24"
    assert all(
        not network.overlaps(ip_network("192.168.0.0/16"))
        for network in RULES.networks
        if network.version == 4
    )
    assert all(network.prefixlen >= 14 for network in RULES.networks)


APPLE = "Mozilla/5.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
GMAIL_AHEAD = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"


@pytest.mark.parametrize(
    ("agent", "at", "expected"),
    [
        (APPLE, LATER, "ahead"),
        (f" {APPLE} ", SENT, "ahead"),
        (GMAIL_AHEAD, LATER, "ahead"),
        (GMAIL, LATER, "proxy"),
        (YAHOO, LATER, "proxy"),
        ("Mozilla/5.0 AppleWebKit/534+ BingPreview/1.0b", LATER, "agent"),
        ("", LATER, "agent"),
        (FIREFOX, SENT + 9_999, "early"),
        (FIREFOX, LATER, None),
        (BROWSER, LATER, None),
        ("Mozilla/4.0 (compatible; ms-office; MSOffice 16)", LATER, None),  # Outlook, by its reader
    ],
)
def test_one_image_load_by_itself(agent: str, at: int, expected: str | None) -> None:
    assert RULES.judge_load(agent, HOME, at, SENT) == expected


def test_apple_is_only_who_says_nothing_more_and_only_of_pictures() -> None:
    assert RULES.judge(APPLE, HOME, LATER, SENT) is None
    assert RULES.judge_load(f"{APPLE} (X11)", HOME, LATER, SENT) is None

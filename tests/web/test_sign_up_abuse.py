"""Nobody is bombed through the sign-up form, whoever posts it, from wherever, however often."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.testclient import TestClient

from mailer.adapters.inbox import Inbox
from mailer.store.database import Database, one
from mailer.usecases.sign_up import SignUpAnswer, SignUpWish, network_of
from mailer.usecases.sign_up import sign_up as sign_up_address
from tests import builders
from tests.fakes import FakeClock
from tests.web.conftest import ORIGIN, Site
from tests.web.signing_up import A_WHILE, deliver, hidden, link, mail, sign_up

NEW = "dora@example.net"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as running:
        yield running


@pytest.fixture
def opened(open_site: Callable[..., Site], inbox: Inbox) -> Callable[..., Site]:
    """Opens a site with two lists that can write, with other limits than the usual ones."""
    made: list[bool] = []

    def with_limits(*limits: str, **values: Any) -> Site:
        site = open_site(
            smtp_host=inbox.host,
            smtp_port=inbox.port,
            smtp_security="none",
            mail_from="News <news@example.org>",
            sign_up_limits=limits,
            **values,
        )
        if not made:
            for name in ("harbour", "tides"):
                builders.make_list(site.db, name, title=name.title(), opt_in="double")
            made.append(True)
        return site

    return with_limits


def client_at(site: Site, ip: str) -> TestClient:
    return TestClient(site.client.app, base_url=ORIGIN, follow_redirects=False, client=(ip, 1234))


def many(site: Site, address: str, networks: range, clock: FakeClock) -> set[tuple[int, str]]:
    """Posts one form from so many networks; returns the different answers."""
    page = site.client.get("/s/harbour").text
    clock.advance(A_WHILE)
    data = {**hidden(page), "address": address}
    answers = set()
    for number in networks:
        client = client_at(site, f"10.{number // 250}.{number % 250}.7")
        said = client.post("/s/harbour", data=data)
        answers.add((said.status_code, said.headers.get("location", "")))
    return answers


def test_a_thousand_networks_send_one_mail_a_day(
    opened: Callable[..., Site], inbox: Inbox, clock: FakeClock
) -> None:
    site = opened("overall=0", "domain=0")
    answers = many(site, NEW, range(1000), clock)
    assert answers == {(303, "?done=taken&lang=en")}  # everybody hears the same
    sign_up(site, NEW, clock, path="/s/tides")  # another list does not count anew
    deliver(site)
    assert len(inbox.messages) == 1
    with site.db.read() as connection:
        assert one(connection, "SELECT count(*) FROM consent") == 1

    for day in range(1, 8):  # and it is not one mail a day for ever
        clock.advance(timedelta(days=1))
        many(site, NEW, range(day * 10, day * 10 + 10), clock)
        deliver(site)
    assert len(inbox.messages) == 5


def test_many_at_the_same_moment_are_one(
    opened: Callable[..., Site], inbox: Inbox, clock: FakeClock
) -> None:
    """Two engines on one database, as two processes of the site have them."""
    site = opened("network=0")
    page = site.client.get("/s/harbour").text
    clock.advance(A_WHILE)
    fields = hidden(page)
    wish = SignUpWish(NEW, fields["stamp"], "en", words_of(page), "sign-up page", ip="192.0.2.1")
    with Database(site.db.url) as other, ThreadPoolExecutor(8) as pool:
        posts = [
            pool.submit(
                sign_up_address,
                "harbour",
                wish,
                rules=site.mailer.sign_up_rules,
                seals=site.mailer.seals,
                db=db,
                clock=clock,
            )
            for db in (site.db, other) * 12
        ]
    assert {each.result() for each in posts} == {SignUpAnswer.taken}
    deliver(site)

    assert len(inbox.messages) == 1
    dump = builders.dump(site.db)
    assert [len(dump[name]) for name in ("subscriber", "subscription", "sign_up", "consent")] == [
        1
    ] * 4


def words_of(page: str) -> str:
    """The words of consent on a page, as text."""
    (found,) = re.findall(r'<p class="agreed">(.*)</p>', page)
    return html.unescape(re.sub(r"</?bdi>", "", found))


def test_a_yes_opens_the_door_again(
    opened: Callable[..., Site], inbox: Inbox, clock: FakeClock
) -> None:
    """Somebody who wants two lists on one day gets both questions, once the first is answered."""
    site = opened()
    sign_up(site, NEW, clock)
    deliver(site)
    site.client.post(link(mail(inbox)), data={"action": "yes"})
    sign_up(site, NEW, clock, path="/s/tides")
    deliver(site)

    assert [str(mail(inbox, n)["Subject"])[-9:-1] for n in (0, 1)] == ["“Harbour", "t “Tides"]


def test_one_network_is_limited_and_does_not_use_up_what_is_for_all(
    opened: Callable[..., Site], clock: FakeClock
) -> None:
    site = opened("network=3", "overall=5")
    page = site.client.get("/s/harbour").text
    clock.advance(A_WHILE)

    def post(ip: str, number: int) -> int:
        data = {**hidden(page), "address": f"a{number}@b{number}.example.net"}
        return int(client_at(site, ip).post("/s/harbour", data=data).status_code)

    one_network = [post(f"192.0.2.{number}", number) for number in range(20)]
    assert one_network == [303] * 3 + [429] * 17
    assert [post("2001:db8:1:1::1", 30), post("2001:db8:1:1::2", 31)] == [303, 303]
    assert (
        post("198.51.100.1", 40) == 429
    )  # five altogether, and those that were refused don't count
    clock.advance(timedelta(hours=1))
    assert post("192.0.2.99", 50) == 303


def test_one_domain_is_limited(opened: Callable[..., Site], clock: FakeClock) -> None:
    site = opened("network=0", "domain=2")
    answers = [sign_up(site, f"a{n}@EXAMPLE.net", clock).status_code for n in range(4)]

    assert answers == [303, 303, 429, 429]
    assert sign_up(site, "a@example.com", clock).status_code == 303


def test_too_many_hear_when_to_come_back_and_keep_what_they_typed(
    opened: Callable[..., Site], clock: FakeClock
) -> None:
    site = opened("network=1")
    sign_up(site, "first@example.net", clock)
    refused = sign_up(site, NEW, clock)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
    assert f'value="{NEW}"' in refused.text


def test_what_is_counted_stands_nowhere(opened: Callable[..., Site], clock: FakeClock) -> None:
    site = opened()
    builders.suppress(site.db, NEW)
    client = client_at(site, "203.0.113.77")
    page = client.get("/s/harbour").text
    clock.advance(A_WHILE)
    client.post("/s/harbour", data={**hidden(page), "address": NEW})
    told = str(builders.dump(site.db))

    assert len(builders.dump(site.db)["sign_up_count"]) == 3
    for word in (NEW, "dora", "example.net", "203.0.113"):
        assert word not in told
        assert word not in site.log.getvalue()
    clock.advance(timedelta(days=31))
    sign_up(site, "x@example.com", clock)
    assert len(builders.dump(site.db)["sign_up_count"]) == 5  # the old ones are gone


def test_the_trap_catches_without_a_word(
    opened: Callable[..., Site], inbox: Inbox, clock: FakeClock
) -> None:
    site = opened()
    before = builders.dump(site.db)
    said = sign_up(site, NEW, clock, homepage="https://pills.example")

    assert (said.status_code, said.headers["location"]) == (303, "?done=taken&lang=en")
    assert builders.dump(site.db) == before


@pytest.mark.parametrize("waited", [0, 1, 24 * 3600 + 60])
def test_too_fast_and_too_old_is_asked_again_without_losing_a_word(
    opened: Callable[..., Site], clock: FakeClock, waited: int
) -> None:
    site = opened()
    page = site.client.get("/s/harbour").text
    clock.advance(timedelta(seconds=waited))
    again = site.client.post("/s/harbour", data={**hidden(page), "address": NEW})
    assert again.status_code == 422
    assert "press the button once more" in again.text
    assert f'value="{NEW}"' in again.text
    clock.advance(A_WHILE)
    data = {**hidden(again.text), "address": NEW}

    assert site.client.post("/s/harbour", data=data).status_code == 303


def test_a_stamp_can_not_be_made_moved_or_mended(
    opened: Callable[..., Site], clock: FakeClock
) -> None:
    site = opened()
    before = builders.dump(site.db)
    stamp = hidden(site.client.get("/s/harbour").text)["stamp"]
    other = hidden(site.client.get("/s/tides").text)["stamp"]
    clock.advance(A_WHILE)
    moment, fingerprint, tag = stamp.split(".")
    wrong = [other, stamp[:-1], stamp + "x", "...", "é.é.é", "١.a.b"]
    wrong += [f"{given}.{fingerprint}.{tag}" for given in (int(moment) - 60, "9" * 40, "-1")]
    for each in wrong:
        data = {"address": NEW, "stamp": each, "lang": "en"}
        assert site.client.post("/s/harbour", data=data).status_code == 422, each

    assert builders.dump(site.db) == before


@pytest.mark.parametrize(
    "typed",
    ["", "dora", "a@b@c", "x@example.net\r\nBcc: y@example.net", "a@localhost", "x" * 70_000],
)
def test_what_is_no_address_is_told(
    opened: Callable[..., Site], clock: FakeClock, typed: str
) -> None:
    site = opened()
    before = builders.dump(site.db)
    refused = sign_up(site, typed, clock)

    assert refused.status_code == (413 if len(typed) > 60_000 else 422)
    assert builders.dump(site.db) == before


def test_typed_markup_stays_text(opened: Callable[..., Site], clock: FakeClock) -> None:
    site = opened()
    typed = '"><script>alert(1)</script>@x'
    page = sign_up(site, typed, clock).text

    assert "<script" not in page
    assert "&#34;&gt;&lt;script&gt;" in page


def test_a_foreign_host_header_leads_nowhere(
    opened: Callable[..., Site], inbox: Inbox, clock: FakeClock
) -> None:
    site = opened()
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example"}
    said = sign_up(site, NEW, clock, headers=headers)
    deliver(site)

    assert said.headers["location"].startswith("?")
    assert link(mail(inbox)).startswith("/c/")  # at our own address
    assert b"evil" not in inbox.messages[0].data


def test_no_other_token_confirms(
    opened: Callable[..., Site], inbox: Inbox, clock: FakeClock
) -> None:
    site = opened()
    sign_up(site, NEW, clock)
    deliver(site)
    path = link(mail(inbox))
    token = path.removeprefix("/c/")
    before = builders.dump(site.db)
    for wrong in (token[:-1], token.swapcase(), token[1:], token + "A"):
        assert site.client.get(f"/c/{wrong}").status_code == 404
        assert site.client.post(f"/c/{wrong}", data={"action": "yes"}).status_code == 404
    for room in ("u", "p", "c/x"):
        assert site.client.get(f"/{room}/{token}").status_code == 404
    assert site.client.post(f"{path}/address", data={"action": "yes"}).status_code == 404

    assert builders.dump(site.db) == before


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_network_of_an_address(ip: str | None, network: str) -> None:
    assert network_of(ip) == network


@given(st.text())
def test_no_text_breaks_the_network(ip: str) -> None:
    assert network_of(ip)


# ---- a puzzle for the visitor's program --------------------------------------------------------


def solution(page: dict[str, str], most: int) -> str:
    for number in range(most + 1):
        if sha256(f"{page['salt']}{number}".encode()).hexdigest() == page["challenge"]:
            return str(number)
    raise AssertionError("The puzzle has no answer.")


def test_a_puzzle_is_solved_once_in_time_and_for_its_own_list(
    opened: Callable[..., Site], clock: FakeClock
) -> None:
    site = opened(sign_up_puzzle=300)
    page = site.client.get("/s/harbour")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    script = re.findall(r'<script src="(/static/sign-up-\w+\.js)" defer>', page.text)
    assert site.client.get(script[0]).headers["content-type"].startswith("text/javascript")
    assert site.client.get("/static/sign-up-0.js").status_code == 404
    assert "needs JavaScript" in page.text
    fields = hidden(page.text)
    clock.advance(A_WHILE)

    def post(path: str = "/s/harbour", **changed: str) -> int:
        data = {**fields, "address": NEW, **changed}
        return int(site.client.post(path, data=data).status_code)

    right = solution(fields, 300)
    before = builders.dump(site.db)
    wrong = str((int(right) + 1) % 301)
    assert [post(), post(number=wrong), post(number="x"), post(number="9" * 12)] == [422] * 4
    assert post(number=right, signature=fields["signature"][::-1]) == 422
    assert post(number=right, salt=fields["salt"].replace("harbour", "tides")) == 422
    assert builders.dump(site.db) == before
    assert post(number=right) == 303
    assert post(number=right, address="other@example.net") == 422  # the same answer again
    with site.db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM subscriber")).scalar() == 1


def test_without_a_puzzle_no_page_may_run_a_script(opened: Callable[..., Site]) -> None:
    policy = opened().client.get("/s/harbour").headers["content-security-policy"]

    assert "script-src" not in policy
    assert "default-src 'none'" in policy

"""Forged links, foreign hosts, scripts in titles and monstrous bodies come to nothing."""

from __future__ import annotations

import string
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.message.links import KeyRing, Purpose, make
from tests import builders
from tests.web.conftest import OLD_KEY, ORIGIN, Site, Story

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)  # not about the store

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
EVIL = '"><script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>{{ 7*7 }}'


def _refused(site: Site, story: Story, token: str) -> None:
    """Every method, the same plain answer, and nothing changed."""
    missing = site.client.get("/u/x").text
    for room in ("u", "p"):
        assert site.client.get(f"/{room}/{token}").status_code == 404
        assert site.client.get(f"/{room}/{token}").text == missing
        assert site.client.head(f"/{room}/{token}").status_code == 404
        for body in (ONE_CLICK, {"action": "everything"}, {"action": "leave", "list": "harbour"}):
            posted = site.client.post(f"/{room}/{token}", data=body)
            assert posted.status_code in (400, 404)
    assert builders.status_of(site.db, story.anna, story.list_id) == "active"


def test_a_token_with_one_character_changed_is_no_page(site: Site, story: Story) -> None:
    token = story.unsubscribe.removeprefix("/u/")
    for position in (0, 1, 2, 7, 8, 13, 20, len(token) - 1):
        other = "A" if token[position] != "A" else "B"
        _refused(site, story, token[:position] + other + token[position + 1 :])


def test_a_truncated_or_lengthened_token_is_no_page(site: Site, story: Story) -> None:
    token = story.unsubscribe.removeprefix("/u/")
    for wrong in (token[:-1], token[:20], token + "A", token + "=", token + "%3D", token[1:]):
        _refused(site, story, wrong)


def test_another_spelling_of_a_token_is_no_page(site: Site, story: Story) -> None:
    token = story.unsubscribe.removeprefix("/u/")
    for wrong in (token.swapcase(), token + "%20", "%20" + token, token + "%00", token + "%0A"):
        _refused(site, story, wrong)


def test_a_token_of_another_purpose_is_no_page(site: Site, story: Story) -> None:
    unsubscribe, preferences = story.unsubscribe[3:], story.preferences[3:]

    assert site.client.get(f"/p/{unsubscribe}").status_code == 404
    assert site.client.get(f"/u/{preferences}").status_code == 404
    assert site.client.post(f"/u/{preferences}", data=ONE_CLICK).status_code == 404
    posted = site.client.post(f"/p/{unsubscribe}", data={"action": "everything"})
    assert posted.status_code == 404
    _refused(site, story, site.token(Purpose.bounce, story.campaign.id, story.anna))


def test_a_token_of_another_installation_is_no_page(site: Site, story: Story) -> None:
    foreign = KeyRing(bytes(range(32)))
    _refused(site, story, make(foreign, Purpose.unsubscribe, story.campaign.id, story.anna))


def test_a_token_of_an_old_key_goes_on_working(site: Site, story: Story) -> None:
    old = KeyRing(bytes.fromhex(OLD_KEY))
    path = f"/u/{make(old, Purpose.unsubscribe, story.campaign.id, story.anna)}"

    assert site.client.post(path, data=ONE_CLICK).status_code == 200
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(token=st.one_of(st.text(string.printable, max_size=60), st.text(max_size=60)))
def test_whatever_stands_for_a_token_is_a_404(site: Site, token: str) -> None:
    quoted = quote(token.encode("utf-8", "replace"), safe="")
    for room in ("u", "p", "w", "i"):
        answer = site.client.get(f"/{room}/{quoted}")
        assert answer.status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:99", "", "[::1]", "a b", "x/../y"])
def test_a_host_header_leads_nobody_elsewhere(site: Site, story: Story, host: str) -> None:
    headers = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
    for path in (story.unsubscribe, story.unsubscribe + "/", story.preferences, "/none", "//evil"):
        for answer in (
            site.client.get(path, headers=headers),
            site.client.post(path, headers=headers, data={"action": "leave"}),
        ):
            assert "evil" not in answer.text
            assert answer.headers.get("location", "?").startswith("?")


def test_no_query_leads_elsewhere(site: Site, story: Story) -> None:
    """There is no address in any parameter, so there is no open redirect."""
    query = "?next=https://evil.example&lang=//evil.example&done=https://evil.example"
    answer = site.client.post(story.unsubscribe + query, data={"action": "leave"})

    assert answer.headers["location"] == "?done=leave&lang=%2F%2Fevil.example"
    assert "evil" not in site.client.get(story.unsubscribe + query).text


def test_a_script_in_a_title_is_text(
    open_site: Callable[..., Site], story: Story, site: Site
) -> None:
    evil = open_site(organisation=EVIL, postal_address=EVIL)
    list_id = builders.make_list(site.db, "evil", title=EVIL, description=EVIL)
    builders.subscribe(site.db, story.anna, list_id)
    campaign = builders.make_campaign(site.db, list_id, "evil")
    unsubscribe = f"/u/{site.token(Purpose.unsubscribe, campaign.id, story.anna)}"
    shown = [evil.client.get(unsubscribe).text, evil.client.get(story.preferences).text]
    evil.client.post(unsubscribe, data={"action": "leave"})
    shown.append(evil.client.get(unsubscribe).text)
    notice = evil.client.get(story.preferences + "?done=leave&list=evil").text
    assert "Done: we will not send" in notice
    for page in [*shown, notice]:
        assert "&lt;script&gt;alert(1)" in page
        assert "<script" not in page
        assert "<img" not in page
        assert "49" not in page


@pytest.mark.parametrize("title", ["{address.__class__}", "{0}", "{", "}", "%s", "{list}"])
def test_braces_in_a_title_are_text(site: Site, story: Story, title: str) -> None:
    list_id = builders.make_list(site.db, "braces", title=title)
    builders.subscribe(site.db, story.anna, list_id)
    campaign = builders.make_campaign(site.db, list_id, "braces")
    path = f"/u/{site.token(Purpose.unsubscribe, campaign.id, story.anna)}"

    assert f"Unsubscribe from <bdi>{title}</bdi>?" in site.client.get(path).text
    assert site.client.post(path, data=ONE_CLICK).text == f"You are unsubscribed from {title}.\n"


def test_a_parameter_is_never_echoed(site: Site, story: Story) -> None:
    query = "?done=%3Cscript%3E&lang=%3Cscript%3E&list=%3Cscript%3E&x=%3Cscript%3E"
    for path in (story.unsubscribe, story.preferences, "/nowhere/%3Cscript%3E"):
        assert "script&gt;" not in site.client.get(path + query).text
        assert "<script" not in site.client.get(path + query).text


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1_000_000])
def test_a_large_body_is_refused_and_changes_nothing(site: Site, story: Story, size: int) -> None:
    before = builders.dump(site.db)
    body = b"List-Unsubscribe=One-Click&x=".ljust(size, b"x")

    def slices():  # type: ignore[no-untyped-def]  # sent in chunks, so no length is announced
        for start in range(0, size, 10_000):
            yield body[start : start + 10_000]

    for make_content in (lambda: body, slices):
        for path in (story.unsubscribe, story.preferences):
            answer = site.client.post(path, content=make_content())
            assert answer.status_code == 413
            assert answer.headers["connection"] == "close"
    assert builders.dump(site.db) == before


def test_a_body_within_the_limit_is_read(site: Site, story: Story) -> None:
    body = b"List-Unsubscribe=One-Click&x=".ljust(64 * 1024, b"x")

    assert site.client.post(story.unsubscribe, content=body).status_code == 200


def test_a_file_among_the_fields_is_refused(site: Site, story: Story) -> None:
    answer = site.client.post(
        story.unsubscribe, data={"action": "leave"}, files={"x": ("x.txt", b"x")}
    )

    assert answer.status_code == 400


def test_a_thousand_fields_are_refused(site: Site, story: Story) -> None:
    body = b"&".join(b"a%d=1" % n for n in range(1000))

    assert site.client.post(story.unsubscribe, content=body).status_code == 400


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda name, inner: (
                b'--b\r\nContent-Disposition: form-data; name="'
                + name
                + b'"\r\n\r\n'
                + inner
                + b"\r\n--b--\r\n"
            ),
            st.binary(max_size=30),
            st.binary(max_size=60),
        ),
    ),
    kind=st.sampled_from(
        [
            "multipart/form-data; boundary=b",
            "multipart/form-data; boundary=b; charset=idna",
            "multipart/form-data; boundary=b; charset=base64",
            "multipart/form-data; boundary=b; charset=utf-16",
            "multipart/form-data",
            "multipart/",
            "application/x-www-form-urlencoded",
            "application/json",
        ]
    ),
)
def test_no_body_breaks_the_site(site: Site, story: Story, body: bytes, kind: str) -> None:
    answer = site.client.post(story.unsubscribe, content=body, headers={"Content-Type": kind})

    assert answer.status_code in (200, 303, 400)


def test_the_site_knows_its_own_address(site: Site) -> None:
    """The tests above mean something only while the client asks for the right host."""
    assert str(site.client.base_url) == ORIGIN

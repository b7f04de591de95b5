"""Every form of the site: no monster, no dawdler and no other site gets anything out of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from mailer.adapters.inbox import Inbox
from mailer.message.links import Purpose
from mailer.web import forms, server
from mailer.web.front import Front
from tests import builders
from tests.web.conftest import ORIGIN, Site, Story, speak

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)  # not about the store

FORM = "application/x-www-form-urlencoded"
ELSEWHERE = {
    "Origin": "https://evil.example",
    "Referer": "https://evil.example/page",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Cookie": "session=of-the-reader",
    "Authorization": "Basic cmVhZGVyOnNlY3JldA==",
}


@pytest.fixture
def writing(open_site: Callable[..., Site]) -> Iterator[Site]:
    """A site that can write, so that every form is there."""
    with Inbox() as inbox:
        yield open_site(
            smtp_host=inbox.host,
            smtp_port=inbox.port,
            smtp_security="none",
            mail_from="News <news@example.org>",
        )


def _posts(site: Site, story: Story) -> list[str]:
    """The path of each route that takes a POST, with a genuine token where there is one."""
    front = site.client.app
    assert isinstance(front, Front)
    assert isinstance(front._app, Starlette)
    tokens = {
        "u": site.token(Purpose.unsubscribe, story.campaign.id, story.anna),
        "p": site.token(Purpose.preferences, story.campaign.id, story.anna),
        "c": site.token(Purpose.reconfirm, story.campaign.id, story.anna),
    }
    found = [
        route.path.replace("{list}", "harbour").replace(
            "{token}", tokens.get(route.path.split("/")[1], "")
        )
        for route in front._app.routes
        if isinstance(route, Route) and "POST" in (route.methods or ())
    ]
    assert len(found) >= 9
    return found


def _kind(path: str) -> str:
    return "application/json" if path.endswith("/json") else FORM


def test_a_hundred_megabytes_are_refused_by_each(writing: Site, story: Story) -> None:
    before = builders.dump(writing.db)
    with server.serving(writing.mailer) as address:
        for path in _posts(writing, story):
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {_kind(path)}\r\n"
            announced = f"{head}Content-Length: 100000000\r\n\r\n".encode() + b"x" * 1000
            assert speak(address, announced).startswith(b"HTTP/1.1 413 "), path
            pieces = b"".join(b"4000\r\n" + b"x" * 0x4000 + b"\r\n" for _ in range(5))
            unknown = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + pieces
            assert speak(address, unknown).startswith(b"HTTP/1.1 413 "), path

    assert builders.dump(writing.db) == before


def test_none_waits_for_a_body_that_does_not_come(
    writing: Site, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "PATIENCE", 0.2)
    with server.serving(writing.mailer) as address:
        for path in _posts(writing, story):
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {_kind(path)}\r\n"
            begun = f"{head}Content-Length: 26\r\n\r\nList".encode()
            assert speak(address, begun).startswith(b"HTTP/1.1 408 "), path


def test_a_reader_s_browser_lends_nothing_to_another_site(writing: Site, story: Story) -> None:
    """CSRF: there is nothing that a browser sends along by itself, so there is nothing to ride on.

    Who has no link gets nothing, whatever cookies come with it; and no answer lets another site
    read it with them, or stands in its frame.
    """
    before = builders.dump(writing.db)
    tokens = [each for path in _posts(writing, story) for each in path.split("/") if len(each) > 20]
    for path in _posts(writing, story):
        forged = path
        for token in tokens:
            forged = forged.replace(token, "x" * len(token))
        for body in ({"action": "leave"}, {"action": "yes"}, {"address": "a@evil.example"}):
            answer = writing.client.post(forged, data=body, headers=ELSEWHERE)
            asks_again = path == "/s/harbour" and answer.status_code == 200
            assert asks_again or answer.status_code in (400, 403, 404), (path, answer.status_code)
            assert "set-cookie" not in answer.headers
            assert "access-control-allow-credentials" not in answer.headers
            assert answer.headers.get("access-control-allow-origin", "*") != ELSEWHERE["Origin"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]

    assert builders.dump(writing.db) == before


def test_what_a_browser_sends_along_changes_no_page(writing: Site, story: Story) -> None:
    for path in _posts(writing, story):
        plain = writing.client.get(path)
        known = writing.client.get(path, headers=ELSEWHERE | {"Origin": ORIGIN})
        one, other = (re.sub(r'value="[^"]*"', "", each.text) for each in (plain, known))
        if not path.endswith("/json"):
            assert one == other, path
        assert "set-cookie" not in known.headers

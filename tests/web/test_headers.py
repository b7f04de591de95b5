"""Every answer carries the headers that keep readers safe, errors too."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from httpx2 import Response

from mailer.message.links import Purpose
from mailer.web import readers
from tests import builders
from tests.web.conftest import Site, Story

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)  # not about the store

ALWAYS = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
}


def _all(site: Site, story: Story, monkeypatch: pytest.MonkeyPatch) -> dict[str, Response]:
    picture = builders.make_picture(site.db)
    sheet = re.search(r"/static/[^\"]+", site.client.get(story.unsubscribe).text)
    assert sheet is not None

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    answers = {
        "page": site.client.get(story.unsubscribe),
        "preferences": site.client.get(story.preferences),
        "web version": site.client.get(f"/w/{story.campaign.web_key}"),
        "picture": site.client.get(f"/i/{picture}"),
        "style sheet": site.client.get(sheet[0]),
        "counted picture": site.client.get(f"/load/{site.token(Purpose.picture, 1, 0)}"),
        "health": site.client.get("/healthz"),
        "redirect": site.client.post(story.preferences, data={"action": "everything"}),
        "one click": site.client.post(story.unsubscribe, data={"List-Unsubscribe": "One-Click"}),
        "400": site.client.post(story.unsubscribe),
        "404": site.client.get("/u/nonsense"),
        "404 elsewhere": site.client.get("/"),
        "405": site.client.delete(story.unsubscribe),
        "413": site.client.post(story.unsubscribe, content=b"x" * 70_000),
    }
    with monkeypatch.context() as patched:
        patched.setattr(readers, "show_unsubscribe", broken)
        answers["500"] = site.client.get(story.unsubscribe)
    return answers


def test_every_answer_has_the_security_headers(
    site: Site, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, answer in _all(site, story, monkeypatch).items():
        headers = answer.headers
        names = [header for header, _ in headers.raw]
        assert len(names) == len({header.lower() for header in names}), name
        for header, value in ALWAYS.items():
            assert headers.get(header) == value, (name, header)
        assert "frame-ancestors 'none'" in headers["content-security-policy"], name
        assert "default-src 'none'" in headers["content-security-policy"], name
        assert "http" not in headers["content-security-policy"], name
        assert "script" not in headers["content-security-policy"], name
        assert "camera=()" in headers["permissions-policy"], name
        assert "set-cookie" not in headers, name
        public = name in ("web version", "picture", "style sheet")
        assert public or headers["cache-control"] == "no-store", name
        if name != "web version":
            assert "unsafe" not in headers["content-security-policy"], name


def test_an_error_is_a_sentence_and_never_a_traceback(
    site: Site, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = _all(site, story, monkeypatch)
    expected = {
        "400": (400, "We did not understand that"),
        "404": (404, "There is no such page"),
        "404 elsewhere": (404, "There is no such page"),
        "405": (405, "This page does not work that way"),
        "413": (413, "That was too much"),
        "500": (500, "Something went wrong"),
    }
    for name, (status, sentence) in expected.items():
        answer = answers[name]
        assert answer.status_code == status
        assert f"<h1>{sentence}</h1>" in answer.text
        assert "Traceback" not in answer.text
        assert "secret inside" not in answer.text
    assert sorted(answers["405"].headers["allow"].split(", ")) == ["GET", "HEAD", "POST"]


def test_hsts_is_said_only_by_a_site_that_has_https(
    open_site: Callable[..., Site], story: Story
) -> None:
    plain = open_site(site_url="http://127.0.0.1:8025")

    assert "strict-transport-security" not in plain.client.get(story.unsubscribe).headers


def test_pages_ask_nobody_else_for_anything(site: Site, story: Story) -> None:
    for path in (story.unsubscribe, story.preferences, "/nothing"):
        page = site.client.get(path).text
        loaded = re.findall(r'(?:src|href|action)="([^"]*)"', page)
        assert loaded
        assert not [address for address in loaded if re.match(r"[\w+.-]*:|//", address)], loaded
        assert " style=" not in page
        assert "<style" not in page


def test_the_log_holds_no_token_no_address_and_no_path(site: Site, story: Story) -> None:
    site.client.get(story.unsubscribe)
    site.client.post(story.preferences, data={"action": "leave", "list": "harbour"})
    site.client.get("/u/anna@example.org?x=anna@example.org")
    site.client.get("/anna@example.org")
    site.client.request("ANNA", "/healthz")
    log = site.log.getvalue()

    assert "event=request method=GET page=/u/{token} status=200" in log
    assert "method=POST page=/p/{token} status=303" in log
    assert "page=other status=404" in log
    assert "method=other page=/healthz status=405" in log
    for secret in (story.unsubscribe[3:], story.preferences[3:], "anna", "example.org", "harbour"):
        assert secret not in log.lower()

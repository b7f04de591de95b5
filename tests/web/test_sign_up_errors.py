"""A script that signs people up hears of every error as JSON; a person reads a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mailer.errors import StoppedError
from mailer.web import forms, sign_up
from tests import builders
from tests.web.conftest import Site

OURS = "https://www.example.org"
JSON = {"Origin": OURS, "Content-Type": "application/json"}

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)  # not about the store


@pytest.fixture
def harbour(open_site: Callable[..., Site]) -> Site:
    site = open_site(
        smtp_host="127.0.0.1", mail_from="News <news@example.org>", sign_up_origins=(OURS,)
    )
    builders.make_list(site.db, "harbour", title="Harbour News", opt_in="double")
    return site


def gone(*_: object, **__: object) -> None:
    raise StoppedError("The database does not answer.")


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("secret inside")


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "outcome"),
    [
        ("POST", "/s/harbour/json", JSON, b"{", 400, "not_understood"),
        ("POST", "/s/harbour/json", {**JSON, "Content-Type": "text/plain"}, b"{}", 415,
         "not_understood"),
        ("POST", "/s/harbour/json", JSON, b" " * 70_000, 413, "too_large"),
        ("GET", "/s/nowhere/json", JSON, b"", 404, "not_found"),
        ("POST", "/s/nowhere/json", JSON, b"{}", 404, "not_found"),
        ("DELETE", "/s/harbour/json", JSON, b"", 405, "not_allowed"),
        ("GET", "/s/harbour/json", {"Origin": "https://evil.example"}, b"", 403,
         "not_understood"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_told_as_json(
    harbour: Site,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    outcome: str,
) -> None:
    answer = harbour.client.request(method, path, headers=headers, content=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert (said["ok"], said["outcome"]) == (False, outcome)
    assert set(said) == {"ok", "outcome", "message"}
    assert said["message"]
    assert "<" not in said["message"]
    assert answer.headers["cache-control"] == "no-store"
    allowed = answer.headers.get("access-control-allow-origin")
    # A 405 is told before anybody looks whose page asks; a stranger's page is told nothing.
    assert allowed == (None if status in (403, 405) else OURS)


@pytest.mark.parametrize(
    ("fault", "status", "outcome"), [(gone, 503, "sign_up_away"), (broken, 500, "failed")]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_fails_here_is_told_as_json(
    harbour: Site,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[..., None],
    status: int,
    outcome: str,
    method: str,
) -> None:
    monkeypatch.setattr(sign_up, "show_sign_up", fault)
    answer = harbour.client.request(
        method, "/s/harbour/json?lang=de", headers=JSON, content=b'{"address": "a@example.net"}'
    )

    assert (answer.status_code, answer.json()["outcome"]) == (status, outcome)
    assert answer.headers["retry-after"] == "120"
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["content-language"] == "de"
    assert "Bitte" in answer.json()["message"]
    assert "secret" not in answer.text


def test_a_slow_body_is_told_as_json(harbour: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(request: Any) -> bytes:
        raise TimeoutError

    monkeypatch.setattr(forms, "_read", slow)
    answer = harbour.client.post("/s/harbour/json", headers=JSON, content=b"{}")

    assert (answer.status_code, answer.json()["outcome"]) == (408, "too_slow")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_page_says_that_the_address_may_not_be_written_down(
    harbour: Site, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The link of a reader has other words: nobody was sent one here."""
    monkeypatch.setattr(sign_up, "show_sign_up", gone)
    answer = harbour.client.request(method, "/s/harbour", data={"address": "a@example.net"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "120")
    assert answer.headers["content-type"].startswith("text/html")
    assert "your address may not have been written down" in answer.text
    assert "Your link" not in answer.text


def test_other_pages_named_json_stay_pages(harbour: Site) -> None:
    for path in ("/archive/s/json", "/w/json", "/s/harbour/json/more", "/nowhere/json"):
        answer = harbour.client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")

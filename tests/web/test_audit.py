"""Whatever is asked of whatever route, the answer's headers keep readers safe."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from httpx2 import Response
from starlette.applications import Starlette
from starlette.routing import Route

from mailer.message.links import Purpose
from mailer.web.front import Front
from tests import builders
from tests.web.conftest import Site, Story

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)  # not about the store

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
PERSONAL = ("/u/", "/p/", "/c/")
ALWAYS = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "strict-transport-security": "max-age=31536000",
    "cross-origin-opener-policy": "same-origin",
}


def _routes(site: Site) -> list[str]:
    front = site.client.app
    assert isinstance(front, Front)
    assert isinstance(front._app, Starlette)
    return [route.path for route in front._app.routes if isinstance(route, Route)]


def _paths(site: Site, story: Story) -> Iterator[str]:
    """Every route with a genuine value in each place, and with rubbish in it."""
    genuine = {
        "{token}": "",  # by the room, below
        "{key}": story.campaign.web_key,
        "{language}": "en",
        "{list}": "harbour",
        "{shelf}": "harbour",
        "{slug}": "edition",
        "{name}": builders.make_picture(site.db),
    }
    rooms = {
        "/u/": site.token(Purpose.unsubscribe, story.campaign.id, story.anna),
        "/p/": site.token(Purpose.preferences, story.campaign.id, story.anna),
        "/c/": site.token(Purpose.reconfirm, story.campaign.id, story.anna),
        "/probe/": "A" * 36,
    }
    for route in _routes(site):
        room = "/" + route.split("/")[1] + "/"
        values = genuine | {"{token}": rooms.get(room, "")}
        places = re.findall(r"\{[^}]*\}", route)
        assert set(places) <= values.keys(), f"{route}: say here what stands in its places"
        for fill in (values, dict.fromkeys(values, "%3Cscript%3E"), dict.fromkeys(values, "x")):
            path = route
            for place in places:
                path = path.replace(place, fill[place])
            yield path
    yield from ("/", "/nowhere", "//evil.example/", "/%2e%2e/%2e%2e/etc/passwd", "/favicon.ico")


def _faults(path: str, answer: Response) -> Iterator[str]:
    headers = answer.headers
    for name, value in ALWAYS.items():
        if headers.get(name) != value:
            yield f"{name}: {headers.get(name)}"
    policy = headers.get("content-security-policy", "")
    for words in ("default-src 'none'", "frame-ancestors 'none'"):
        if words not in policy:
            yield f"the policy lacks {words}"
    for words in ("http:", "https:", "*", "unsafe-eval", "data:", "script-src 'unsafe-inline'"):
        if words in policy:
            yield f"the policy allows {words}"
    if "unsafe-inline" in policy and not path.startswith(("/w/", "/archive/")):
        yield "inline styles"
    for name in ("set-cookie", "server", "x-powered-by"):
        if name in headers:
            yield f"{name} is said"
    if path.startswith(PERSONAL) and headers.get("cache-control") != "no-store":
        yield f"a personal page may be kept: {headers.get('cache-control')}"
    if path.startswith(PERSONAL) and headers.get("x-robots-tag") != "noindex, nofollow":
        yield "a personal page may be found"
    if path.startswith(PERSONAL) and "content-encoding" in headers:
        yield "a personal page is compressed"
    if "access-control-allow-origin" in headers and not path.endswith("/json"):
        yield "others may read it"
    names = [name for name, _ in headers.multi_items() if name != "vary"]
    if len(names) != len(set(names)):
        yield f"one header twice: {names}"
    if answer.text and "content-type" not in headers:
        yield "no content type"
    if (
        headers.get("content-type", "").startswith("text/")
        and "charset" not in headers["content-type"]
    ):
        yield "no charset"
    if "location" in headers and not re.match(r"[?/][^/\\]", headers["location"]):
        yield f"it leads to {headers['location']}"
    if answer.status_code >= 500:
        yield f"status {answer.status_code}"
    if "<script>" in answer.text or "Traceback" in answer.text:
        yield "it echoes, or tells too much"


def test_every_route_answers_every_method_safely(site: Site, story: Story) -> None:
    faults = []
    asked = 0
    for path, method in itertools.product(_paths(site, story), METHODS):
        answer = site.client.request(method, path, headers={"Accept-Encoding": "gzip"})
        asked += 1
        faults += [
            f"{method} {path} ({answer.status_code}): {each}" for each in _faults(path, answer)
        ]

    assert faults == []
    assert asked > 300


def test_the_audit_sees_what_is_wrong(site: Site) -> None:
    bad = Response(200, headers={"Set-Cookie": "a=1", "Content-Type": "text/html"}, text="<script>")

    assert len(list(_faults("/u/x", bad))) > 8

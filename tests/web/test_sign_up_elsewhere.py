"""A site's own form, by script or by plain HTML: the same rules, for origins that we know."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mailer.adapters.inbox import Inbox
from mailer.errors import InputError, NotFoundError
from mailer.web.snippet import make_snippet
from tests import builders
from tests.fakes import FakeClock
from tests.web.conftest import ORIGIN, Site
from tests.web.signing_up import A_WHILE, deliver, hidden, link, mail

OURS = "https://www.example.org"
NEW = "dora@example.net"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as running:
        yield running


@pytest.fixture
def harbour(open_site: Callable[..., Site], inbox: Inbox) -> Site:
    site = open_site(
        smtp_host=inbox.host,
        smtp_port=inbox.port,
        smtp_security="none",
        mail_from="News <news@example.org>",
        sign_up_origins=(OURS,),
        sign_up_limits=("network=3",),
    )
    builders.make_list(site.db, "harbour", title="Harbour News", opt_in="double")
    return site


def offer(site: Site, origin: str = OURS, query: str = "") -> dict[str, Any]:
    answer = site.client.get(f"/s/harbour/json{query}", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    return dict(answer.json())


def post(site: Site, body: dict[str, Any], origin: str = OURS, query: str = "") -> Any:
    return site.client.post(f"/s/harbour/json{query}", json=body, headers={"Origin": origin})


def test_a_script_asks_for_the_words_and_posts_the_address(
    harbour: Site, inbox: Inbox, clock: FakeClock
) -> None:
    shown = offer(harbour, query="?lang=de")
    assert shown["wording"].startswith("Ja, bitte senden Sie mir Harbour News.")
    assert shown["puzzle"] is None
    clock.advance(A_WHILE)
    body = {"address": NEW, "stamp": shown["stamp"], "lang": "de"}
    answer = post(harbour, body)
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    assert "Wir schreiben an die angegebene Adresse" in answer.json()["message"]
    deliver(harbour)
    harbour.client.post(link(mail(inbox)), data={"action": "yes"})
    (consent,) = builders.dump(harbour.db)["consent"]

    assert f"own form {OURS}" in consent
    assert "active" in str(builders.dump(harbour.db)["subscription"])


def test_what_is_wrong_is_said_in_words_that_can_be_shown(harbour: Site, clock: FakeClock) -> None:
    stamp = offer(harbour)["stamp"]
    again = post(harbour, {"address": NEW, "stamp": stamp, "lang": "en"})
    assert (again.status_code, again.json()["outcome"]) == (422, "again")
    clock.advance(A_WHILE)
    stamp = again.json()["stamp"]  # a new one came along
    wrong = post(harbour, {"address": "dora", "stamp": stamp, "lang": "en"})
    assert (wrong.status_code, wrong.json()["outcome"]) == (422, "address")
    trapped = post(harbour, {"address": NEW, "stamp": stamp, "homepage": "x", "lang": "en"})
    assert trapped.json()["outcome"] == "taken"
    assert builders.dump(harbour.db)["subscriber"] == []
    answers = [post(harbour, {"address": f"a{n}@example.net", "stamp": stamp, "lang": "en"})
               for n in range(4)]  # fmt: skip

    assert [each.json()["outcome"] for each in answers] == ["taken"] * 3 + ["later"]
    assert answers[-1].headers["retry-after"] == "3600"


def test_only_named_origins_may_ask(harbour: Site, clock: FakeClock) -> None:
    stamp = offer(harbour)["stamp"]
    clock.advance(A_WHILE)
    before = builders.dump(harbour.db)
    for origin in ("https://evil.example", "null", "https://www.example.org.evil.example", ORIGIN):
        for answer in (
            post(harbour, {"address": NEW, "stamp": stamp, "lang": "en"}, origin),
            harbour.client.options("/s/harbour/json", headers={"Origin": origin}),
            harbour.client.get("/s/harbour/json", headers={"Origin": origin}),
        ):
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
    asked = harbour.client.options(
        "/s/harbour/json", headers={"Origin": OURS, "Access-Control-Request-Method": "POST"}
    )

    assert builders.dump(harbour.db) == before
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-headers"] == "Content-Type"
    assert "access-control-allow-credentials" not in asked.headers


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b'{"address": "dora@example.net"}', 415),
        ("application/x-www-form-urlencoded", b"address=dora@example.net", 415),
        ("application/json", b"{", 400),
        ("application/json", b"[]", 400),
        ("application/json", b"\xff", 400),
        ("application/json", b"[" * 60_000, 400),
        ("application/json", b" " * 70_000, 413),
        ("application/json", b'{"address": {"a": 1}, "stamp": [], "puzzle": 1}', 422),
    ],
)
def test_no_other_body_is_read(harbour: Site, kind: str, body: bytes, status: int) -> None:
    before = builders.dump(harbour.db)
    headers = {"Origin": OURS, "Content-Type": kind}
    answer = harbour.client.post("/s/harbour/json", content=body, headers=headers)

    assert answer.status_code == status
    assert builders.dump(harbour.db) == before


def test_the_snippet_is_plain_html_that_leads_here(harbour: Site) -> None:
    html = make_snippet(harbour.mailer, "harbour", "ar")
    (action,) = re.findall(r'action="([^"]+)"', html)
    assert action == f"{ORIGIN}/s/harbour?lang=ar"
    assert 'dir="rtl"' in html
    assert "<script" not in html
    assert re.findall(r'name="(\w+)"', html) == ["address", "homepage"]
    step = harbour.client.post(
        action, data={"address": NEW, "homepage": ""}, headers={"Origin": "https://any.example"}
    )
    assert f'value="{NEW}"' in step.text
    data = {**hidden(step.text), "address": NEW, "homepage": ""}

    assert harbour.client.post(action, data=data).status_code == 303
    assert "pending" in str(builders.dump(harbour.db)["subscription"])


def test_there_is_no_snippet_where_there_is_no_page(
    harbour: Site, open_site: Callable[..., Site]
) -> None:
    builders.make_list(harbour.db, "staff", public=False)
    with pytest.raises(NotFoundError):
        make_snippet(harbour.mailer, "staff")
    with pytest.raises(InputError, match="needs a mail server"):
        make_snippet(open_site().mailer, "harbour")

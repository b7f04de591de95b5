"""A scanner that opens every link of a mail, in every way that is known, changes nothing.

The links are first shown to work: on a copy of the workspace, a POST to each does what it says.
Then the whole database is compared, table by table; ``pytest -s`` prints it.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from lxml import html

from mailer.web.server import serving
from mailer.wiring import open_mailer
from tests import builders
from tests.command_line import done
from tests.peers.programs import program, run_node
from tests.peers.quay import Quay, open_quay

READER = "dov@example.org"
COUNTED = ("link_click", "image_load")  # the logs of what was opened, where a campaign measures
LOOKS: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "cookies": {"Cookie": "session=abc; consent=yes"},
    "Safe Links": {
        "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 SafeLinks",
        "X-Native-Host": "Outlook-Service/1.0",
    },
    "Proofpoint": {"User-Agent": "Mozilla/5.0 (compatible; Proofpoint URL Defense)"},
    "prefetch": {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender", "X-Moz": "prefetch"},
    "override": {"X-HTTP-Method-Override": "POST", "X-HTTP-Method": "POST"},
}


@pytest.fixture
def quay(tmp_path: Path) -> Iterator[Quay]:
    """The reader has three mails: an issue, the same again with measured links, and a question."""
    with open_quay(tmp_path / "quay", [READER]) as opened:
        words = ("tide-table", "--list", "coast", "--again", "--clicks", "totals")
        planned = done(opened.workspace, "campaigns", "plan", *words)
        done(opened.workspace, "campaigns", "send", planned["slug"], "--yes")
        yield opened


def _links(quay: Quay) -> list[str]:
    """Every web address of the reader's mails: header, both parts, pictures too."""
    found: set[str] = set()
    for mail in quay.mails(READER):
        found.add(str(mail["List-Unsubscribe"]).strip("<>"))
        page, words = mail.get_body(("html",)), mail.get_body(("plain",))
        assert page is not None
        assert words is not None
        found |= set(html.fromstring(page.get_content()).xpath("//@href | //@src"))
        found |= set(re.findall(r"https?://[^\s<>\"]+", words.get_content()))
    return sorted(link for link in found if link.startswith("http"))


def _rest(quay: Quay) -> Mapping[str, Sequence[str]]:
    """The database, once nothing moves in it by itself."""
    seen: Mapping[str, Sequence[str]] = {}
    while (now := builders.dump(quay.db)) != seen:
        seen = now
        time.sleep(1)
    return seen


def _work_on_a_copy(quay: Quay, ours: list[str], folder: Path) -> None:
    """A POST to a link of each kind does what a button would do, on a copy of all there is."""
    shutil.copytree(quay.workspace, folder)
    kinds = {urlsplit(link).path[:3]: urlsplit(link).path for link in ours}
    with open_mailer(folder) as mailer, serving(mailer) as address:
        assert done(folder, "lists", "ask-again", "coast")["reconfirmed"] == 0
        yes = httpx2.post(address + kinds["/c/"], data={"action": "yes"})
        assert (yes.status_code, done(folder, "lists", "ask-again", "coast")["reconfirmed"]) == (
            303,
            1,
        )
        posts = {"/u/": {"List-Unsubscribe": "One-Click"}, "/p/": {"action": "everything"}}
        for kind, left in (("/u/", {"coast"}), ("/p/", {"coast", "harbour"})):
            httpx2.post(address + kinds[kind], data=posts[kind])
            shown = done(folder, "subscribers", "show", READER)["lists"]
            assert {each["name"] for each in shown if each["status"] == "unsubscribed"} == left


def test_looking_changes_nothing_and_the_same_links_act(quay: Quay, tmp_path: Path) -> None:
    links = _links(quay)
    ours = [link for link in links if link.startswith(f"{quay.site}/")]
    assert {urlsplit(link).path[:3] for link in ours} >= {"/w/", "/u/", "/p/", "/c/", "/l/", "/i/"}
    assert len(links) > 20
    before = _rest(quay)
    _work_on_a_copy(quay, ours, tmp_path / "copy")
    assert builders.dump(quay.db) == before

    asked = 0
    with httpx2.Client() as client:
        for headers in LOOKS.values():
            for method in ("HEAD", "GET", "OPTIONS"):
                for link in ours:
                    answer = client.request(method, link, headers=dict(headers))
                    assert answer.status_code in ((200, 302) if method != "OPTIONS" else (405,))
                    assert "set-cookie" not in answer.headers
                    asked += 1
    given = {"chromium": str(program("chromium")), "profile": str(tmp_path / "p"), "links": links}
    seen = run_node("scan.cjs", given, seconds=240, needs=["playwright-core"])
    for method in ("HEAD", "GET"):
        answers = {each["url"]: each["status"] for each in seen if each["method"] == method}
        assert set(links) <= set(answers)
        further = {link for link in answers if link not in links}
        assert any("?lang=fr" in link for link in further)  # it went on from the pages
        assert {answers[link] for link in further} == {200}
    after = _rest(quay)

    print(f"\n{len(ours)} links of ours, {asked} requests by program, {len(seen)} by Chromium")
    assert after.keys() == before.keys()
    for table in sorted(after):
        same = after[table] == before[table]
        print(f"{table:24} {len(after[table]):>5} rows  {'as before' if same else 'CHANGED'}")
    changed = {table for table in after if after[table] != before[table]}
    assert changed <= set(COUNTED)

    leave = next(link for link in ours if "/u/" in link)
    httpx2.post(leave, data={"List-Unsubscribe": "One-Click"})
    acted = builders.dump(quay.db)
    assert {name for name in acted if acted[name] != after[name]} >= {"subscription", "event"}

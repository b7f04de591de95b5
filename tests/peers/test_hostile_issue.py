"""Script in a name, a subject, an issue's text or a layout runs nowhere: Chromium is the judge.

All of it travels the real way: import, plan, send, web version, archive, feeds, files, details.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree, html

from mailer.adapters.inbox import Inbox
from mailer.web.server import serving
from mailer.wiring import open_mailer
from tests.command_line import done, mailer, make_workspace
from tests.peers.browser import Window, open_browser
from tests.peers.programs import free_port
from tests.peers.quay import Quay

ACT = "document.title='PWNED';fetch('/pwned')"
TAGS = (
    f"<script>{ACT}</script>",
    f'"><img src=x onerror="{ACT}">',
    f'<svg onload="{ACT}"><animate onbegin="{ACT}" attributeName=x></svg>',
    f'<iframe srcdoc="<script>{ACT}</script>"></iframe>',
    f'<a href="javascript:{ACT}">A</a>',
    f'<form action="javascript:{ACT}"><button autofocus onfocus="{ACT}">B</button></form>',
    '<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=/pwned">',
)
REFUSED = (  # in a layout, at plan time; well-formed, as MJML is XML
    TAGS[0],
    TAGS[4],
    f'<img src="x" alt="" onerror="{ACT}" />',
    f'<svg onload="{ACT}"></svg>',
    f'<iframe srcdoc="&lt;script&gt;parent.{ACT}&lt;/script&gt;"></iframe>',
    '<form action="/pwned"></form>',
    f'<button onfocus="{ACT}">B</button>',
    '<base href="/pwned/" />',
    '<meta http-equiv="refresh" content="0;url=/pwned" />',
)
NAME = TAGS[1] + "{{ 7*7 }}"
ISSUE = f"""---
subject: {json.dumps("Tides " + TAGS[0])}
preheader: {json.dumps(TAGS[1])}
lang: en
---
# Heading {TAGS[0]}

{{{{ first_name | default("reader") }}}}, good morning.

{{body}}
"""
LINKS = '[one](https://example.org/"onmouseover="x) ![two](https://example.org/\'x.png) <b>B</b>'


@dataclass(frozen=True)
class Hostile:
    """A workspace whose reader, list, issue and layout mean harm."""

    quay: Quay
    told: str  # what was said about the text, when it was refused


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Hostile]:
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    with Inbox() as inbox:
        workspace = make_workspace(
            tmp_path / "hostile",
            site_url=site,
            smtp_port=inbox.port,
            organisation="Coast <script>1</script><b>",
        )
        contacts = workspace / "contacts.csv"
        quoted = NAME.replace('"', '""')
        contacts.write_text(f'email,first_name\nanna@example.org,"{quoted}"\n', "utf-8")
        about = ("--title", f"Coast {TAGS[0]}", "--description", TAGS[1])
        done(workspace, "lists", "add", "coast", *about)
        done(workspace, "import", str(contacts), "--list", "coast")
        done(workspace, "fields", "open", "first_name", "--label", TAGS[0])
        issue = workspace / "data/issues/tides"
        issue.mkdir(parents=True)
        body = "\n\n".join([*TAGS, LINKS])
        (issue / "issue.md").write_text(ISSUE.replace("{body}", body), "utf-8")
        plan = mailer(workspace, "campaigns", "plan", "tides", "--list", "coast")
        told = plan.out + plan.err if plan.status else ""
        if told:  # refused for what it holds: then without the lines that are named
            (issue / "issue.md").write_text(ISSUE.replace("{body}", "Low water."), "utf-8")
            done(workspace, "campaigns", "plan", "tides", "--list", "coast")
        done(workspace, "campaigns", "send", "tides", "--yes")
        done(workspace, "site", "build", str(tmp_path / "out"), "--base-url", f"{site}/files")
        with open_mailer(workspace) as opened, serving(opened, port=port):
            yield Hostile(Quay(site, workspace, inbox, opened.db, "", ""), told)


def _active(page: str) -> list[str]:
    """What could act by itself in a page: tags, attributes and addresses."""
    root = html.document_fromstring(page)
    found = [str(each.tag) for each in root.iter("script", "iframe", "object", "embed", "base")]
    for each in root.iter(etree.Element):
        for name, value in each.attrib.items():
            if name.startswith("on") or value.strip().lower().startswith(("javascript:", "data:")):
                found.append(f"{each.tag!s} {name!s}={value[:60]!s}")
    return found


def test_nothing_acts_on_any_page(hostile: Hostile, tmp_path: Path) -> None:
    quay = hostile.quay
    web = quay.link("anna@example.org", r"w/[\w-]+")
    leave = quay.link("anna@example.org", r"u/[\w-]+")
    home = quay.link("anna@example.org", r"p/[\w-]+")
    pages = {
        "web": web,
        "archive": f"{quay.site}/archive",
        "list": f"{quay.site}/archive/coast",
        "index": f"{quay.site}/archive/coast/months",
        "issue": f"{quay.site}/archive/coast/tides",
        "found": f"{quay.site}/archive/coast?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "leave": leave,
        "preferences": home,
        "details": f"{home}/details",
        "sign-up": f"{quay.site}/s/coast",
        "file": (tmp_path / "out/archive/coast/tides/index.html").as_uri(),
        "front": (tmp_path / "out/index.html").as_uri(),
    }
    with open_browser() as browser:
        window = browser.window("hostile", script=True)
        for name, address in pages.items():
            shown = window.open("", address)
            assert shown.status in (0, 200), (name, shown.status)
            assert shown.title != "PWNED", name
            assert "/pwned" not in str(shown.requests), name
            assert "49" not in shown.text.replace(str(quay.site), ""), name
            if name in ("web", "issue", "list", "index", "details"):
                assert "<script>" in shown.text + shown.title or hostile.told, name
        _see_that_the_judge_would_notice(window, tmp_path)
    for mail in quay.mails("anna@example.org"):
        part = mail.get_body(("html",))
        assert part is not None
        assert _active(part.get_content()) == []


def _see_that_the_judge_would_notice(window: Window, folder: Path) -> None:
    page = folder / "open.html"
    page.write_text(f"<!doctype html><html lang=en dir=ltr><title>x</title>{TAGS[0]}", "utf-8")
    assert window.open("", page.as_uri()).title == "PWNED"


def test_no_page_holds_what_could_act(hostile: Hostile, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for file in out.rglob("*.html"):
        kept = [each for each in _active(file.read_text("utf-8")) if each != "script"]
        assert kept == [], file
    feed = etree.parse(str(out / "archive/coast/feed.xml"))
    assert "<script>" in "".join(feed.getroot().itertext())  # as text, within text
    assert json.loads((out / "archive/coast/feed.json").read_text("utf-8"))["items"]


def _with_layout(workspace: Path, *tags: str) -> None:
    """A list, a reader, and an issue whose layout writes the tags as they are."""
    (workspace / "contacts.csv").write_text("email\nanna@example.org\n", "utf-8")
    people = str(workspace / "contacts.csv")
    done(workspace, "import", people, "--list", "coast", "--create-list")
    done(workspace, "layouts", "new", "house", "--whole")
    file = workspace / "layouts/house/layout.mjml"
    head, opened, rest = file.read_text("utf-8").partition("<mj-body")
    attributes, close, body = rest.partition(">")
    raw = f"<mj-raw>{' '.join(tags)}</mj-raw>"
    file.write_text(f"{head}{opened}{attributes}{close}{raw}{body}", "utf-8")
    issue = workspace / "data/issues/tides"
    issue.mkdir(parents=True)
    text = "---\nsubject: Tides\nlayout: house\n---\nGood morning.\n"
    (issue / "issue.md").write_text(text, "utf-8")


@pytest.mark.parametrize("tag", REFUSED)
def test_a_layout_that_acts_is_refused(tmp_path: Path, tag: str) -> None:
    workspace = make_workspace(tmp_path / "news", site_url="https://news.example.org")
    _with_layout(workspace, tag)
    plan = mailer(workspace, "campaigns", "plan", "tides", "--list", "coast")

    assert plan.status == 3
    assert re.search(r"The layout writes `|can't be `javascript:`", plan.err)

"""Test copies are marked, outside of the ledger, and their links work and change nothing."""

from __future__ import annotations

import email
import email.policy
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from mailer.adapters.inbox import Inbox
from mailer.web.server import serving
from mailer.wiring import open_mailer
from mailer.wiring.demo import DemoInbox
from mailer.wiring.files import shipped_examples
from tests.builders import dump
from tests.command_line import done, mailer, make_workspace


@dataclass(frozen=True)
class Desk:
    workspace: Path
    inbox: Inbox
    site: str

    @property
    def issue(self) -> str:
        return str(self.workspace / "data/issues/tide-table")

    def last(self) -> EmailMessage:
        return email.message_from_bytes(self.inbox.messages[-1].data, policy=email.policy.default)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Inbox() as inbox:
        site = f"http://127.0.0.1:{DemoInbox.free_port()}"
        workspace = make_workspace(
            tmp_path / "news",
            smtp_port=inbox.port,
            site_url=site,
            return_path="bounces+{token}@marren.example.org",
        )
        examples = shipped_examples()
        shutil.copytree(examples / "issues/tide-table", workspace / "data/issues/tide-table")
        words = ("--list", "coast", "--create-list", "--keep-columns")
        done(workspace, "import", str(examples / "contacts.csv"), *words)
        yield Desk(workspace, inbox, site)


def links(mail: EmailMessage, site: str) -> dict[str, str]:
    """The mail's own links by page: w, u, p."""
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.findall(rf"{re.escape(site)}/([wup])/\S+", body.get_content())
    urls = re.findall(rf"{re.escape(site)}/[wup]/[\w-]+", body.get_content())
    return dict(zip(found, urls, strict=True))


def judge_links(desk: Desk, mail: EmailMessage) -> None:
    found = links(mail, desk.site)
    assert set(found) == {"w", "u", "p"}
    with open_mailer(desk.workspace) as opened:
        before = dump(opened.db)
        port = int(desk.site.rpartition(":")[2])
        with serving(opened, port=port), httpx2.Client() as reader:
            assert all(reader.get(url).status_code == 200 for url in found.values())
            clicked = reader.post(found["u"], data={"List-Unsubscribe": "One-Click"})
            assert clicked.status_code == 200
        assert dump(opened.db) == before


def test_an_issue_needs_no_plan(desk: Desk) -> None:
    words = ("--to", "officer@example.org", "--lang", "en")
    copies = done(desk.workspace, "issues", "test", desk.issue, *words)

    assert [(copy["address"], copy["accepted"]) for copy in copies] == [
        ("officer@example.org", True)
    ]
    mail = desk.last()
    assert mail["Subject"] == "[Test] Low Tavren goes home, two metres higher"
    assert mail["List-Unsubscribe"] is None
    assert desk.inbox.messages[-1].sender == "bounces@marren.example.org"
    judge_links(desk, mail)


def test_it_may_be_seen_as_somebody(desk: Desk) -> None:
    done(
        desk.workspace,
        *("issues", "test", desk.issue, "--to", "officer@example.org"),
        *("--as", "ada.fenwright@example.org"),
    )
    body = desk.last().get_body(("plain",))

    assert body is not None
    assert "Good morning, Ada." in body.get_content()
    missing = mailer(
        desk.workspace, "issues", "test", desk.issue, "--to", "o@example.org", "--as", "no@x.org"
    )
    assert missing.status == 4


def test_a_planned_campaign_is_sent_as_its_first_reader_sees_it(desk: Desk) -> None:
    done(desk.workspace, "campaigns", "plan", desk.issue, "--list", "coast")
    before = done(desk.workspace, "campaigns", "show", "tide-table")

    done(desk.workspace, "campaigns", "test", "tide-table", "--to", "officer@example.org")

    mail = desk.last()
    assert mail["Subject"].startswith("[Test] ")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    judge_links(desk, mail)
    assert done(desk.workspace, "campaigns", "show", "tide-table") == before


def test_what_is_no_address_is_named(desk: Desk) -> None:
    result = mailer(desk.workspace, "issues", "test", desk.issue, "--to", "officer@@example.org")

    assert result.status == 3
    assert "officer@@example.org" in result.err
    assert desk.inbox.messages == []

"""A stranger's story: the form, the mail that asks, the button, the welcome, the next campaign."""

from __future__ import annotations

import email
import email.policy
import html
import re
import shutil
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import httpx2

from mailer.adapters.inbox import Inbox
from mailer.web.server import serving
from mailer.wiring import open_mailer
from mailer.wiring.demo import DemoInbox
from mailer.wiring.files import shipped_examples
from tests import builders
from tests.command_line import done, mailer, make_workspace
from tests.postgres import Server

NEW = "dora@example.net"


def _await(inbox: Inbox, count: int) -> EmailMessage:
    """The mail of this number, which the site sends by itself."""
    give_up = time.monotonic() + 30
    while len(inbox.messages) < count and time.monotonic() < give_up:
        time.sleep(0.05)
    received = inbox.messages[count - 1]
    assert received.recipients == (NEW,)
    return email.message_from_bytes(received.data, policy=email.policy.default)


def _link(mail: EmailMessage, site: str, room: str) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    found = re.search(rf"{site}/{room}/[\w-]+", part.get_content())
    assert found is not None
    return found[0]


def _status(workspace: Path) -> list[tuple[str, str]]:
    shown = done(workspace, "subscribers", "show", NEW)
    return [(each["name"], each["status"]) for each in shown["lists"]]


def _tell(folder: Path, **settings: object) -> None:
    with Inbox() as inbox:
        port = DemoInbox.free_port()
        site = f"http://127.0.0.1:{port}"
        workspace = make_workspace(folder, smtp_port=inbox.port, site_url=site, **settings)
        done(workspace, "lists", "add", "harbour", "--opt-in", "double", "--welcome")
        snippet = done(workspace, "lists", "form", "harbour", "--lang", "fr")["html"]
        with open_mailer(workspace) as opened, serving(opened, port=port), httpx2.Client() as web:
            action = html.unescape(re.findall(r'action="([^"]+)"', snippet)[0])
            step = web.post(action, data={"address": NEW, "homepage": ""})
            fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', step.text))
            posted = web.post(action, data={**fields, "address": NEW, "homepage": ""})
            assert posted.status_code == 303
            asking = _await(inbox, 1)
            assert "Confirmez votre inscription" in str(asking["Subject"])
            link = _link(asking, site, "c")
            assert _status(workspace) == [("harbour", "pending")]

            before = _quiet(lambda: builders.dump(opened.db))
            for _ in range(2):
                assert "Voulez-vous recevoir" in web.get(link).text
                assert web.head(link).status_code == 200
            assert builders.dump(opened.db) == before
            assert web.post(link, data={"action": "yes"}).status_code == 303
            assert _status(workspace) == [("harbour", "active")]
            welcome = _await(inbox, 2)
            assert "Vous êtes sur la liste" in str(welcome["Subject"])
            assert web.get(_link(welcome, site, "p")).status_code == 200

        issue = workspace / "data/issues/tide-table"
        shutil.copytree(shipped_examples() / "issues/tide-table", issue)
        (issue / "issue.md").write_text("---\nsubject: Tides\n---\nHigh water at six.\n", "utf-8")
        (issue / "issue.ar.md").unlink()
        plan = done(workspace, "campaigns", "plan", str(issue), "--list", "harbour")
        sent = done(workspace, "campaigns", "send", plan["slug"], "--yes")
        assert (plan["audience"], sent["accepted"]) == (1, 1)
        assert str(_await(inbox, 3)["Subject"]) == "Tides"
        consent = done(workspace, "subscribers", "consents", NEW)
        assert str(asking["Message-ID"]).strip("<>") in str(consent)

        added = done(workspace, "subscribers", "add", "emil@example.net", "--list", "harbour")
        assert (added["status"], added["confirmation"]) == ("pending", "sent")
        assert inbox.messages[3].recipients == ("emil@example.net",)
        assert done(workspace, "lists", "remind", "harbour", "--dry-run")["never_asked"] == 0
        quiet = ("subscribers", "add", "fay@example.net", "--list", "harbour", "--no-ask")
        assert done(workspace, *quiet)["confirmation"] == ""
        assert mailer(workspace, "lists", "remind", "harbour").status == 3  # nobody to ask
        assert done(workspace, "lists", "remind", "harbour", "--yes")["asked"] == 1


def _quiet(look: Callable[[], object]) -> object:
    """What there is once the site has noted that its mail was taken."""
    seen = look()
    time.sleep(0.3)
    while (now := look()) != seen:
        seen = now
        time.sleep(0.3)
    return seen


def test_on_sqlite(tmp_path: Path) -> None:
    _tell(tmp_path / "news")


def test_on_postgresql(tmp_path: Path, postgresql: Server) -> None:
    folder = tmp_path / "news"
    folder.mkdir()
    (folder / ".env").write_text(
        f"MAILER_DATABASE_URL={postgresql.make('signing_up')}\n"
        f"MAILER_SECRET_KEY={bytes(range(32)).hex()}\n"
    )
    try:
        _tell(folder)
    finally:
        postgresql.drop("signing_up")

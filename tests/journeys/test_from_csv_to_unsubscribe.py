"""The main story: a contact file, an inbox, a web version, an unsubscribe, the next campaign."""

from __future__ import annotations

import email
import email.policy
import re
import shutil
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from mailer.adapters.inbox import Inbox
from mailer.web.server import serving
from mailer.wiring import open_mailer
from mailer.wiring.demo import DemoInbox
from mailer.wiring.files import shipped_examples
from tests.command_line import done, mailer, make_workspace
from tests.postgres import Server

CONTACTS = """\
e-mail;First name;City;Status
anna@example.org;Anna;Geneva;
bruno@example.net;Bruno;Port Elsin;active
carla@EXAMPLE.org;;Porto;unsubscribed
no address;Dora;;
anna@example.org;;Lausanne;
émile@example.org;Émile;;
"""


def _plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _tell(folder: Path, **settings: object) -> None:
    with Inbox() as inbox:
        site = f"http://127.0.0.1:{DemoInbox.free_port()}"
        workspace = make_workspace(folder, smtp_port=inbox.port, site_url=site, **settings)
        (workspace / "contacts.csv").write_text(CONTACTS, "utf-8")
        issue = workspace / "data/issues/tide-table"
        shutil.copytree(shipped_examples() / "issues/tide-table", issue)

        imported = done(
            workspace,
            "import",
            str(workspace / "contacts.csv"),
            "--list",
            "coast",
            "--create-list",
            "--map",
            "City=city",
            "--consent",
            "Yes, please.",
        )
        counts = ("added", "updated", "unchanged", "rejected", "suppressed", "duplicates")
        assert {name: imported[name] for name in counts} == {
            "added": 4,
            "updated": 0,
            "unchanged": 0,
            "rejected": 1,
            "suppressed": 0,
            "duplicates": 1,
        }
        assert sum(imported[name] for name in counts) == imported["rows"] == 6
        rejects = Path(imported["rejects_file"]).read_text("utf-8-sig")
        assert "no address;Dora" in rejects or "no address,Dora" in rejects

        assert done(workspace, "issues", "check", str(issue))["ok"]
        plan = done(workspace, "campaigns", "plan", str(issue), "--list", "coast")
        assert (plan["audience"], plan["excluded"]) == (3, {"unsubscribed": 1})

        sent = done(workspace, "campaigns", "send", plan["slug"], "--yes")
        assert (sent["state"], sent["accepted"], sent["unknown"]) == ("finished", 3, 0)

        mails = {
            received.recipients[0]: email.message_from_bytes(
                received.data, policy=email.policy.default
            )
            for received in inbox.messages
        }
        assert sorted(mails) == ["anna@example.org", "bruno@example.net", "émile@example.org"]
        bruno = mails["bruno@example.net"]
        assert "Good morning, Bruno." in _plain(bruno)
        assert "as a neighbour" in _plain(bruno).casefold().replace("\n", " ")
        assert "as a neighbour" not in _plain(mails["anna@example.org"]).casefold()

        leave = str(bruno["List-Unsubscribe"]).strip("<>")
        with (
            open_mailer(workspace) as opened,
            serving(opened, port=int(site.rpartition(":")[2])),
            httpx2.Client() as reader,
        ):
            _read_and_leave(reader, _plain(bruno), leave, site)

        person = done(workspace, "subscribers", "show", "bruno@example.net")
        assert [(each["name"], each["status"]) for each in person["lists"]] == [
            ("coast", "unsubscribed")
        ]
        assert [proof["wording"] for proof in person["consents"]] == ["Yes, please."]

        done(workspace, "import", str(workspace / "contacts.csv"), "--list", "coast")
        done(workspace, "issues", "new", "second")
        again = done(
            workspace, "campaigns", "plan", str(workspace / "data/issues/second"), "--list", "coast"
        )
        assert (again["audience"], again["excluded"]) == (2, {"unsubscribed": 2})
        before = len(inbox.messages)
        assert done(workspace, "campaigns", "send", "second", "--yes")["accepted"] == 2
        assert sorted(mail.recipients[0] for mail in inbox.messages[before:]) == [
            "anna@example.org",
            "émile@example.org",
        ]
        assert mailer(workspace, "db", "check").status == 0


def _read_and_leave(reader: httpx2.Client, text: str, leave: str, site: str) -> None:
    web = re.search(rf"{re.escape(site)}/w/\S+", text)
    assert web is not None
    page = reader.get(web.group())
    assert page.status_code == 200
    assert "Bruno" not in page.text
    assert "/u/" not in page.text
    for picture in set(re.findall(rf"{re.escape(site)}/i/[0-9a-z.]+", page.text)):
        assert reader.get(picture).headers["content-type"].startswith("image/")

    looked = reader.get(leave)
    assert looked.status_code == 200
    assert "bruno@example.net" not in looked.text
    assert "set-cookie" not in looked.headers
    clicked = reader.post(leave, data={"List-Unsubscribe": "One-Click"})
    assert (clicked.status_code, clicked.headers.get("location")) == (200, None)


def test_on_sqlite(tmp_path: Path) -> None:
    _tell(tmp_path / "news")


@pytest.mark.usefixtures("postgresql")
def test_on_postgresql(tmp_path: Path, postgresql: Server) -> None:
    url = postgresql.make("journey")
    folder = tmp_path / "news"
    folder.mkdir()
    (folder / ".env").write_text(
        f"MAILER_DATABASE_URL={url}\nMAILER_SECRET_KEY={bytes(range(32)).hex()}\n"
    )
    try:
        _tell(folder)
    finally:
        postgresql.drop("journey")

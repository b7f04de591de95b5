"""A site with all there is for readers, and whoever reads: lists, fields, issues, mails."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from mailer.adapters.inbox import Inbox
from mailer.store import archive
from mailer.store.database import Database
from mailer.web.server import serving
from mailer.wiring import open_mailer
from mailer.wiring.files import shipped_examples
from tests import builders
from tests.command_line import done, make_workspace
from tests.peers.programs import free_port

AGAIN = """---
subject: Do you still want it?
lang: en
---
[Yes, send it to me]({{ reconfirm_url | default_web("https://example.org") }})
"""


class QuickClock:
    """Runs twenty times as fast, so that nobody waits while a form is being read."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._then = datetime.now(UTC)

    def now(self) -> datetime:
        return self._then + 20 * timedelta(seconds=time.monotonic() - self._began)


@dataclass(frozen=True)
class Quay:
    """The site, what it runs on, and where its mails arrive."""

    site: str
    workspace: Path
    inbox: Inbox
    db: Database
    withdrawn: str  # the path of a web version that was taken back
    corrected: str  # and of one that was mended

    def mails(self, address: str) -> list[EmailMessage]:
        return [
            email.message_from_bytes(each.data, policy=email.policy.default)
            for each in self.inbox.messages
            if each.recipients == (address,)
        ]

    def link(self, address: str, pattern: str, number: int = 1) -> str:
        """The link of this pattern in this one's mails; waits until there are so many of them."""
        give_up = time.monotonic() + 30
        while True:
            found: list[str] = []
            for mail in self.mails(address):
                part = mail.get_body(("plain",))
                assert part is not None
                found += re.findall(rf"{re.escape(self.site)}/{pattern}(?!\S)", part.get_content())
            links = list(dict.fromkeys(found))
            if len(links) >= number:
                return links[number - 1]
            assert time.monotonic() < give_up, f"no mail with {pattern} came to {address}"
            time.sleep(0.05)

    def person(self, address: str) -> Mapping[str, object]:
        shown: Mapping[str, object] = done(self.workspace, "subscribers", "show", address)
        return shown

    def standing(self, address: str, name: str = "coast") -> str:
        lists = self.person(address)["lists"]
        assert isinstance(lists, list)
        return next(str(each["status"]) for each in lists if each["name"] == name)


@contextmanager
def open_quay(folder: Path, readers: list[str]) -> Iterator[Quay]:
    """Sends the sample edition to the readers, asks them again, and serves the site."""
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    with Inbox() as inbox:
        workspace = make_workspace(
            folder,
            site_url=site,
            smtp_port=inbox.port,
            sign_up_limits="network=0,overall=0,domain=1",
        )
        contacts = workspace / "contacts.csv"
        rows = [f"{each},{each.partition('@')[0].title()},Port Elsin" for each in readers]
        contacts.write_text("\n".join(["email,first_name,city", *rows]), "utf-8")
        for name, title in (("coast", "The Tide Table"), ("harbour", "Harbour News")):
            about = ("--title", title, "--description", "Boats, tides and the weather, on Fridays.")
            done(workspace, "lists", "add", name, "--opt-in", "double", "--welcome", *about)
            done(workspace, "import", str(contacts), "--list", name, "--consent", "form",
                 "--map", "city=city")  # fmt: skip
        for field, kind in (("boats", "number"), ("born", "date"), ("sails", "yesno")):
            done(workspace, "fields", "add", field, "--kind", kind)
            done(workspace, "fields", "open", field)
        done(workspace, "fields", "open", "first_name", "--label", "Given name")
        issues = workspace / "data/issues"
        shutil.copytree(shipped_examples() / "issues/tide-table", issues / "tide-table")
        (issues / "again").mkdir()
        (issues / "again/issue.md").write_text(AGAIN, "utf-8")
        day = f"{datetime.now(UTC) + timedelta(30):%Y-%m-%d}"
        done(workspace, "lists", "ask-again", "coast", "--until", day)
        for slug in ("tide-table", "again"):
            planned = done(workspace, "campaigns", "plan", slug, "--list", "coast")
            done(workspace, "campaigns", "send", planned["slug"], "--yes")
        with open_mailer(workspace) as opened:
            withdrawn, corrected = _past(opened.db)
            quick = dataclasses.replace(opened, clock=QuickClock())
            with serving(quick, port=port) as address:
                assert address == site
                yield Quay(site, workspace, inbox, opened.db, withdrawn, corrected)


def _past(db: Database) -> tuple[str, str]:
    """What the list Coast has sent before; one issue was taken back, one mended."""
    with db.read() as connection:
        coast = connection.exec_driver_sql("SELECT id FROM list WHERE slug = 'coast'").scalar_one()
    now = datetime.now(UTC)
    for number in range(6):
        title = f"Ferries of week {number}"
        page = builders.issue_page(title, about="What sails, and when.", body=f"<h1>{title}</h1>")
        sent = now - timedelta(20 * number + 1)
        builders.make_sent(db, coast, f"ferries-{number}", sent, pages={"en": page})
    boats = {
        "en": builders.issue_page("Boats at the quay", body="<h1>Boats</h1>"),
        "ar": builders.issue_page(
            "قوارب عند الرصيف", lang="ar", about="ما يبحر اليوم", body="<h1>قوارب</h1>"
        ),
    }
    made = builders.make_sent(db, coast, "boats", now - timedelta(hours=3), pages=boats)
    gone = builders.make_sent(db, coast, "gone", now - timedelta(2), "Gone", withdrawn_at=now)
    with db.write() as connection:
        archive.correct(connection, made.id, now, "It is Tuesday, not Monday.", {})
    return f"/w/{gone.web_key}", f"/w/{made.web_key}"

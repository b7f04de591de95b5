"""What several peers look at: the sample editions, rendered, and received with a site behind."""

from __future__ import annotations

import email
import email.policy
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
from lxml import html

from mailer.adapters.inbox import Inbox
from mailer.store.database import Database
from mailer.web.server import serving
from mailer.wiring import open_mailer
from mailer.wiring.files import shipped_examples
from tests.command_line import done, make_workspace
from tests.peers.programs import ROOT, free_port

EVERY_BLOCK = {"blocks": "every-block.md", "blocks-ar": "every-block.ar.md"}
STARTERS = ("newsroom", "letter", "announcement")
EDITIONS = {"english": "issue.md", "arabic": "issue.ar.md"}


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """For each sample edition the folder with its email.html, web.html and message.eml."""
    workspace = make_workspace(
        tmp_path_factory.mktemp("rendered"), site_url="https://news.marren.example.org"
    )
    contacts = str(shipped_examples() / "contacts.csv")
    done(workspace, "import", contacts, "--list", "coast", "--create-list", "--map", "city=city")
    folders = {}
    for name, file in EDITIONS.items():
        issue = workspace / "data/issues" / name
        shutil.copytree(shipped_examples() / "issues/tide-table", issue)
        shutil.copy(shipped_examples() / "issues/tide-table" / file, issue / "issue.md")
        (issue / "issue.ar.md").unlink()  # each language by itself
        folders[name] = workspace / name
        done(workspace, "issues", "render", str(issue), "--out", str(folders[name]))
    for name, file in EVERY_BLOCK.items():
        issue = workspace / "data/issues" / name
        shutil.copytree(shipped_examples() / "issues/tide-table", issue)
        (issue / "issue.ar.md").unlink()
        shutil.copy(ROOT / "tests/samples/editions" / file, issue / "issue.md")
        folders[name] = workspace / name
        done(workspace, "issues", "render", str(issue), "--out", str(folders[name]))
    for name in STARTERS:
        done(workspace, "issues", "new", name, "--layout", name)
        issue = workspace / "data/issues" / name
        folders[name] = workspace / name
        done(workspace, "issues", "render", str(issue), "--out", str(folders[name]))
    return folders


@dataclass(frozen=True)
class Received:
    """One mail as it came, and where it leads."""

    mail: EmailMessage

    @property
    def links(self) -> list[str]:
        """Every web address that one can follow from it, by hand or by machine."""
        page = self.mail.get_body(("html",))
        assert page is not None
        found = html.fromstring(page.get_content()).xpath("//a/@href")
        return sorted({self.leave, *(link for link in found if link.startswith("http"))})

    @property
    def leave(self) -> str:
        return str(self.mail["List-Unsubscribe"]).strip("<>")

    def link(self, kind: str) -> str:
        """The link to a page of the site: w, u or p."""
        return next(link for link in self.links if f"/{kind}/" in link and "127.0.0.1" in link)


@dataclass(frozen=True)
class Town:
    """A workspace whose readers have got both sample editions, and whose site is up."""

    site: str
    db: Database
    mails: Mapping[tuple[str, str], Received]  # edition, address


READERS = ("anna", "bruno", "chloe", "dov")


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Sends both editions to READERS, who are on two lists, and serves the site."""
    port = free_port()
    with Inbox() as inbox:
        workspace = make_workspace(
            tmp_path_factory.mktemp("town"),
            site_url=f"http://127.0.0.1:{port}",
            smtp_port=inbox.port,
        )
        contacts = workspace / "contacts.csv"
        people = (f"{name}@example.org,{name.title()},Port Elsin" for name in READERS)
        contacts.write_text("\n".join(["email,first_name,city", *people]), "utf-8")
        for name in ("coast", "harbour"):
            done(workspace, "import", str(contacts), "--list", name, "--create-list",
                 "--map", "city=city")  # fmt: skip
        mails: dict[tuple[str, str], Received] = {}
        for name, file in EDITIONS.items():
            issue = workspace / "data/issues" / name
            shutil.copytree(shipped_examples() / "issues/tide-table", issue)
            shutil.copy(shipped_examples() / "issues/tide-table" / file, issue / "issue.md")
            (issue / "issue.ar.md").unlink()  # each language by itself
            done(workspace, "campaigns", "plan", str(issue), "--list", "coast")
            done(workspace, "campaigns", "send", name, "--yes")
            for each in inbox.messages[len(mails) :]:
                mail = email.message_from_bytes(each.data, policy=email.policy.default)
                mails[name, each.recipients[0]] = Received(mail)
    with open_mailer(workspace) as opened, serving(opened, port=port) as site:
        yield Town(site, opened.db, mails)

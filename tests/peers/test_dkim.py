"""Verifiers that we did not write take the signatures of a sent edition, and miss no change."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailer.adapters.inbox import Inbox
from mailer.wiring.files import shipped_examples
from tests.command_line import done, make_workspace
from tests.message.signing import verdicts
from tests.peers.programs import HERE, program, run, run_node

DOMAIN = "marren.example.org"


@dataclass(frozen=True)
class Post:
    """Signed mails as they came, and the records that were to be published."""

    files: Sequence[Path]
    records: Mapping[str, str]

    @property
    def given(self) -> dict[str, Any]:
        return {"files": [str(file) for file in self.files], "records": self.records}


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Post:
    """Both sample editions, signed by two keys, each to two readers."""
    folder = tmp_path_factory.mktemp("signed")
    with Inbox() as inbox:
        workspace = make_workspace(
            folder / "news",
            smtp_port=inbox.port,
            dkim_domain=DOMAIN,
            dkim_selector="m1",
            cfbl_address=f"fbl@{DOMAIN}",
        )
        made = done(workspace, "keys", "new", "m1", "--ed25519")
        contacts = workspace / "contacts.csv"
        contacts.write_text(
            "email,first_name,city\nanna@example.org,Anna,Porto\nzoe@example.net,Zoë 世界,Porto\n",
            "utf-8",
        )
        words = ("--list", "coast", "--create-list", "--map", "city=city")
        done(workspace, "import", str(contacts), *words)
        for name in ("issue.md", "issue.ar.md"):
            issue = workspace / "data/issues" / name.removesuffix(".md").replace(".", "-")
            shutil.copytree(shipped_examples() / "issues/tide-table", issue)
            if name != "issue.md":
                (issue / name).replace(issue / "issue.md")
            done(workspace, "campaigns", "plan", str(issue), "--list", "coast")
            done(workspace, "campaigns", "send", issue.name, "--yes")
        files = []
        for number, mail in enumerate(inbox.messages):
            files.append(folder / f"{number}.eml")
            files[-1].write_bytes(mail.data)
    return Post(files, {key["name"]: key["value"] for key in made["keys"]})


@pytest.fixture(scope="module")
def forged(post: Post, tmp_path_factory: pytest.TempPathFactory) -> Post:
    """The same mails, each changed in one place."""
    folder = tmp_path_factory.mktemp("forged")
    changes: list[tuple[bytes, bytes]] = [
        (rb"\r\nSubject: ", b"\r\nSubject: You have won\\g<0>"),  # a second Subject above
        (rb"\r\nMIME-Version: ", b"\r\nSubject: You have won\\g<0>"),  # and one below
        (rb"\r\nList-Unsubscribe: <", b"\\g<0>https://elsewhere.example/>, <"),
        (rb"\r\nFeedback-ID: ", b"\\g<0>x"),
        (rb"\r\nCFBL-Address: ", b"\\g<0>x"),
        (rb"--\r\n\Z", b"--\r\nMore\r\n"),
        (rb"\r\nDate: ", b"\r\nReply-To: else@elsewhere.example\\g<0>"),
        (rb"\r\nDate: ", b"\r\nCc: else@elsewhere.example\\g<0>"),
    ]
    files = []
    mail = post.files[0].read_bytes()
    for number, (pattern, put) in enumerate(changes):
        changed = re.sub(pattern, put.replace(b"won\\g", b"won\\g"), mail, count=1)
        assert changed != mail
        files.append(folder / f"{number}.eml")
        files[-1].write_bytes(changed)
    return Post(files, post.records)


def test_dkimpy(post: Post, forged: Post) -> None:
    for file in post.files:
        assert verdicts(file.read_bytes(), post.records) == [True, True]
    for file in forged.files:
        assert verdicts(file.read_bytes(), post.records) == [False, False]


def test_mailauth(post: Post, forged: Post) -> None:
    good, bad = (run_node("dkim.cjs", each.given, seconds=60, needs=["mailauth"])
                 for each in (post, forged))  # fmt: skip

    expected = [("m1", "pass", True), ("m1-ed25519", "pass", True)]
    for found in good:
        assert [(e["selector"], e["result"], e["aligned"]) for e in found] == expected, found
    for found in bad:
        assert {each["result"] for each in found} <= {"fail", "neutral"}, found


def mail_dkim(post: Post) -> Any:
    perl = program("perl")
    if subprocess.run([perl, "-MMail::DKIM", "-e", "1"], capture_output=True).returncode:
        pytest.skip("Mail::DKIM is not installed: ./scripts/peers installs it")
    printed = run([perl, HERE / "dkim.pl"], stdin=json.dumps(post.given).encode(), seconds=60)
    return json.loads(printed)


def test_mail_dkim(post: Post, forged: Post) -> None:
    """It knows no Ed25519, so it passes over that one."""
    for found in mail_dkim(post):
        assert [each["result"] for each in found if each["selector"] == "m1"] == ["pass"]
    for found in mail_dkim(forged):
        assert [each["result"] for each in found if each["selector"] == "m1"] == ["fail"]

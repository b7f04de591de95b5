"""A real Postfix, as strict as it can be set, takes every octet of our mail without complaint."""

from __future__ import annotations

import email
import email.policy
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailer.adapters.smtp_transport import SmtpTransport
from mailer.model.words import Counts, DeliveryState
from mailer.ports import Observer, Outgoing, Source
from mailer.store import campaigns, maintenance
from mailer.store.database import Database
from mailer.wiring.files import shipped_examples
from tests.command_line import done, make_workspace
from tests.crowd import make_crowd
from tests.peers.mailhosts import Delivered, Mailhost, hosting
from tests.sending import plan_for, send

PEOPLE = 200
REFUSALS = {
    "p-10@example3.org": "550 5.1.1 No such user",
    "p-11@example4.org": "450 4.2.0 Greylisted, come back later",
}
CONTACTS = """\
email,first_name,city
anna@example.org,Anna,Port Elsin
zoe@example.org,Zoë 世界,Porto
émile@example.org,Émile,Porto
o'hara+news@example.org,,
"""

Complaints = Callable[[], list[str]]


class Noting:
    """Carries mail as ever, and notes what each reader was to get."""

    def __init__(self, inner: SmtpTransport) -> None:
        self.texts: dict[str, bytes] = {}
        self._inner = inner

    async def run(self, source: Source, observer: Observer) -> None:
        await self._inner.run(_Noted(source, self.texts), observer)


class _Noted:
    def __init__(self, source: Source, texts: dict[str, bytes]) -> None:
        self._source, self._texts = source, texts

    def take(self) -> Outgoing | None:
        outgoing = self._source.take()
        if outgoing is not None:
            self._texts[outgoing.recipient] = outgoing.render()
        return outgoing

    @property
    def finished(self) -> bool:
        return self._source.finished

    async def changed(self) -> None:
        await self._source.changed()


@pytest.fixture(scope="module")
def mailhost() -> Iterator[Mailhost]:
    with hosting(REFUSALS) as host:
        yield host


@pytest.fixture
def complaints(mailhost: Mailhost) -> Iterator[Complaints]:
    """Asks what Postfix complained of since the test began, but for what it was told to refuse."""
    begun = len(mailhost.log)

    def found() -> list[str]:
        lines = re.findall(r".*(?:warning|error|fatal|panic|reject).*", mailhost.log[begun:])
        return [line for line in lines if not any(who in line for who in REFUSALS)]

    yield found
    print(mailhost.log[begun:])  # for the report of a test that fails


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize("security", ["none", "starttls"])
def test_every_letter_lies_in_the_mailbox_octet_for_octet(
    db: Database, tmp_path: Path, mailhost: Mailhost, complaints: Complaints, security: str
) -> None:
    list_id, crowd = make_crowd(db, PEOPLE)
    campaign = plan_for(db, crowd, list_id)
    port = mailhost.port if security == "none" else mailhost.tls_port
    transport = Noting(
        SmtpTransport(
            "127.0.0.1",
            port,
            security=security,
            connections=4,
            ca_file=mailhost.certificate.authority,
        )
    )
    report = send(db, campaign, tmp_path, port, transport=transport)
    mails = mailhost.mailbox(PEOPLE - len(REFUSALS))

    assert report.counts == Counts(
        audience=PEOPLE, accepted=PEOPLE - len(REFUSALS), refused=1, deferred=1
    )
    with db.read() as connection:
        reasons = campaigns.reasons(connection, campaign)
    assert reasons[DeliveryState.refused] == {"no_such_user": 1}
    assert reasons[DeliveryState.deferred] == {"greylisted": 1}
    assert len(mails) == PEOPLE - len(REFUSALS)
    assert {mail.recipient: mail.data for mail in mails} == {
        who: data for who, data in transport.texts.items() if who not in REFUSALS
    }
    assert len({mail.sender for mail in mails}) == len(mails)  # a return path for each
    assert complaints() == []
    assert maintenance.faults(db) == []


def send_edition(folder: Path, file: str, **settings: object) -> Any:
    """Sends the sample edition to CONTACTS from the command line; returns what ``send`` said."""
    workspace = make_workspace(
        folder / "news", return_path="bounces+{token}@marren.example.org", **settings
    )
    (workspace / "contacts.csv").write_text(CONTACTS, "utf-8")
    issue = workspace / "data/issues/edition"
    shutil.copytree(shipped_examples() / "issues/tide-table", issue)
    (issue / file).rename(issue / "issue.md")
    contacts = str(workspace / "contacts.csv")
    done(workspace, "import", contacts, "--list", "coast", "--create-list", "--map", "city=city")
    done(workspace, "campaigns", "plan", str(issue), "--list", "coast")
    return done(workspace, "campaigns", "send", "edition", "--yes")


def plain(mail: Delivered) -> str:
    """The text part; the mail must be without a defect and addressed to its reader."""
    read = email.message_from_bytes(mail.data, policy=email.policy.default.clone(utf8=True))
    assert isinstance(read, EmailMessage)
    assert [part.defects for part in read.walk() if part.defects] == []
    assert read["To"] == mail.recipient
    body = read.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_an_edition_arrives_for_readers_of_every_kind(
    tmp_path: Path, mailhost: Mailhost, complaints: Complaints
) -> None:
    sent = send_edition(
        tmp_path,
        "issue.ar.md",
        smtp_port=mailhost.tls_port,
        smtp_security="starttls",
        smtp_ca_file=mailhost.certificate.authority,
    )
    texts = {mail.recipient: plain(mail) for mail in mailhost.mailbox(4)}

    assert (sent["state"], sent["accepted"]) == ("finished", 4)
    assert sorted(texts) == sorted(line.split(",")[0] for line in CONTACTS.splitlines()[1:])
    assert "Zoë 世界" in texts["zoe@example.org"]
    assert "Émile" in texts["émile@example.org"]
    assert complaints() == []


def test_a_server_that_takes_no_such_address_is_believed_about_this_reader_alone(
    tmp_path: Path, mailhost: Mailhost
) -> None:
    """Postfix offers SMTPUTF8 and yet refuses the header: about one reader, not about us all."""
    sent = send_edition(tmp_path, "issue.md", smtp_port=mailhost.port)
    mails = mailhost.mailbox(3)

    assert (sent["state"], sent["accepted"], sent["refused"]) == ("finished", 3, 1)
    assert "eai_unsupported" in str(sent["reasons"])
    assert sorted(mail.recipient for mail in mails) == [
        "anna@example.org",
        "o'hara+news@example.org",
        "zoe@example.org",
    ]
    assert all(plain(mail) for mail in mails)


def test_this_postfix_refuses_what_is_not_strictly_mail(mailhost: Mailhost) -> None:
    """Without this the tests above would prove little."""
    ehlo = b"EHLO [127.0.0.1]"
    opened = [ehlo, b"MAIL FROM:<a@example.org>", b"RCPT TO:<b@example.org>", b"DATA"]

    assert say(mailhost, ehlo, b"MAIL FROM: a@example.org").startswith("501")
    assert say(mailhost, ehlo, b"MAIL FROM:<a@example.org>", b"RCPT TO:<b@c>").startswith("504")
    assert "<LF>" in say(mailhost, *opened, b"Subject: x\n\nA bare line end\r\n.")
    assert say(mailhost, *opened, "Subject: ö\r\n\r\nx\r\n.".encode()).startswith("550")


def say(mailhost: Mailhost, *lines: bytes) -> str:
    """Says these lines one after the other; returns what was answered to the last."""
    with socket.create_connection(("127.0.0.1", mailhost.port), 20) as server:
        stream = server.makefile("rb")
        stream.readline()
        for line in lines:
            server.sendall(line + b"\r\n")
            answer = stream.readline()
            while answer[3:4] == b"-":
                answer = stream.readline()
    return answer.decode()

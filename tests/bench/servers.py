"""Sends one campaign to real mail servers and into a spool, and compares every octet.

Each server delivers all of it into a mailbox; there each mail is joined by its Message-ID to the
file that the spool keeps of the same campaign. What a server puts above a mail is left out, and
named::

    python -m tests.bench.servers 10000 [postfix|exim|opensmtpd]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mailer.adapters.smtp_transport import SmtpTransport
from mailer.adapters.spool import open_spool
from mailer.model.words import Counts
from mailer.ports import Transport
from mailer.smtp.pace import Pace
from mailer.store import maintenance, migrations
from mailer.store.database import Database, database_url
from mailer.usecases.send_campaign import SendReport, send_campaign
from tests.crowd import make_crowd
from tests.peers import mailhosts, otherhosts
from tests.sending import KEYS, LETTER, plan_for

CONNECTIONS = 10
Mailbox = Callable[[int, float], list[bytes]]
# What a server or a spool might touch: its own marks, blanks at ends of lines, dots, 8-bit text.
TRICKY = replace(
    LETTER,
    subject="Bänke am Kai: 世界",
    text="From the quay, for zq1.\n>From afar\n.\n..\n.hidden\n\nFrom zq1  \n\tZoë\nLeave: zq0\n",
)


class _Standing:
    """A clock that stands, so that both campaigns have one Date."""

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Comparison:
    """What one server made of a campaign."""

    counts: Counts
    delivered: int
    identical: int
    above: dict[str, int]  # headers that it put above the mails
    seconds: float  # until the last reply
    faults: list[str]


@contextmanager
def running(name: str) -> Iterator[tuple[int, Mailbox]]:
    """A server of this name; its port, and what opens its mailbox."""
    if name == "postfix":
        with mailhosts.hosting({"nobody@example.net": "550 5.1.1 No such user"}) as host:
            yield host.port, host.raw_mailbox
    else:
        with getattr(otherhosts, name)() as server:
            yield server.port, server.mails


def compare(name: str, people: int, folder: Path, *, patience: float) -> Comparison:
    """Sends to so many people through a server and into a spool; waits so long for delivery."""
    spooled = _send(folder / "spool", people, open_spool(f"maildir:{folder}/box"))
    assert spooled.counts == Counts(audience=people, accepted=people)
    files = [_parted(file.read_bytes()) for file in (folder / "box/new").iterdir()]
    expected = {_identity(text): text for _, text in files}
    assert len(expected) == people
    with running(name) as (port, mailbox):
        transport = SmtpTransport("127.0.0.1", port, security="none", connections=CONNECTIONS)
        report = _send(folder / name, people, transport)
        mails = [_parted(mail) for mail in mailbox(people, patience)]
    got = Counter(_identity(text) for _, text in mails)
    return Comparison(
        counts=report.counts,
        delivered=len(mails),
        identical=sum(expected.get(_identity(text)) == text for _, text in mails),
        above=dict(Counter(header for above, _ in mails for header in above)),
        seconds=report.seconds,
        faults=[
            *(f"{identity} came {many} times" for identity, many in got.items() if many > 1),
            *(f"{identity} did not come" for identity in expected.keys() - got.keys()),
        ][:20],
    )


def _send(folder: Path, people: int, transport: Transport) -> SendReport:
    """The same campaign each time: the same ids, keys and moment give the same mails."""
    folder.mkdir()
    with Database(database_url("sqlite:///mailer.db", folder)) as db:
        migrations.upgrade(db)
        list_id, crowd = make_crowd(db, people)
        campaign = plan_for(db, crowd, list_id, rendition=TRICKY)
        report = asyncio.run(
            send_campaign(
                campaign,
                db=db,
                transport=transport,
                keys=KEYS,
                clock=_Standing(),
                folder=folder,
                pace=Pace(connections=CONNECTIONS),
                retry_after=(120,),
                expires_after=3600,
                max_wait=0,
            )
        )
        assert maintenance.faults(db) == []
    return report


def _parted(data: bytes) -> tuple[list[str], bytes]:
    """The names of the headers above our own, which begin with Date; and the mail itself."""
    above, date, text = data.partition(b"\nDate: ")
    names = [
        line.partition(b":")[0] for line in above.split(b"\n") if line[:1] not in (b" ", b"\t")
    ]
    return [name.decode().lower() for name in names], date[1:] + text


def _identity(text: bytes) -> str:
    return text.partition(b"\nMessage-ID: ")[2].partition(b"\n")[0].decode()


def main() -> None:
    people = int(sys.argv[1])
    for name in sys.argv[2:] or ["postfix", "exim", "opensmtpd"]:
        with tempfile.TemporaryDirectory(prefix="mailer-servers-") as folder:
            begun = time.monotonic()
            found = compare(name, people, Path(folder), patience=1800)
        print(
            f"{name:10} {found.counts.accepted:,} accepted of {people:,} in {found.seconds:.1f} s,"
            f" {found.delivered:,} delivered, {found.identical:,} identical to the spool's"
            f" ({time.monotonic() - begun:.0f} s in all)\n"
            f"           above them: {', '.join(sorted(found.above))}; faults: {found.faults}",
            flush=True,
        )


if __name__ == "__main__":
    main()

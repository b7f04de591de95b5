"""Sends a campaign from the command line, kills the process again and again, and counts everybody.

Each kill comes when the *receiver* has seen a random number of messages. In the end the receiver's
own log is joined to the ledger by Message-ID. Run by itself it does it at full size::

    python -m tests.journeys.killing 5000 20
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from mailer.message.links import message_id
from mailer.model.words import Counts, DeliveryState
from mailer.store import maintenance, migrations
from mailer.store.database import Database, database_url
from tests.crowd import make_crowd
from tests.sending import KEYS, SITE, plan_for
from tests.smtpd import Smtpd, say

CONNECTIONS = 4


@dataclass(frozen=True)
class Outcome:
    """What became of everybody."""

    counts: Counts
    kills: int
    texts: int  # accepted by the receiver
    twice: list[str]  # addresses that got two copies
    forgotten: list[str]  # got none, and are not marked refused, skipped or unknown
    wrongly_accepted: list[str]  # marked accepted, and got none
    unknown_that_got_it: int
    most_unknown: int  # after one kill
    faults: list[str]
    seconds: float


def make_workspace(folder: Path, people: int, url: str, port: int) -> Database:
    """A workspace with a planned campaign for so many people."""
    (folder / ".env").write_text(
        f"MAILER_SECRET_KEY={bytes(range(32)).hex()}\nMAILER_DATABASE_URL={url}\n"
        f"MAILER_SITE_URL={SITE}\nMAILER_ORGANISATION=Tidewater\nMAILER_POSTAL_ADDRESS=3 Quay St\n"
        f"MAILER_SMTP_HOST=127.0.0.1\nMAILER_SMTP_PORT={port}\nMAILER_SMTP_SECURITY=none\n"
        f"MAILER_SMTP_CONNECTIONS={CONNECTIONS}\nMAILER_RETRY_AFTER=1s\n",
        "utf-8",
    )
    db = Database(database_url(url, folder))
    migrations.upgrade(db)
    list_id, crowd = make_crowd(db, people)
    plan_for(db, crowd, list_id, slug="crowd")
    return db


def kill_and_count(
    folder: Path, *, people: int, kills: int, url: str = "sqlite:///mailer.db", seed: int = 0
) -> Outcome:
    """Sends to ``people``, killing the sender ``kills`` times, then lets it finish."""
    chance = random.Random(seed)  # which moment, not a secret
    begun = time.monotonic()
    with Smtpd() as server:
        # Every hundredth person does not exist, every fiftieth text is turned away once.
        server.at("rcpt", say("550 5.1.1 No such user"), holding=b"00@")
        for number in range(50, people, 50):
            server.at("dot", say("451 4.3.0 Later"), nth=number)
        db = make_workspace(folder, people, url, server.port)
        done = 0
        while True:
            sender = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "mailer",
                    "-C",
                    str(folder),
                    "--quiet",
                    "campaigns",
                    "send",
                    "crowd",
                    "--yes",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=Path(__file__).parents[2],
            )
            if done < kills:
                left = people - len(server.accepted)
                target = len(server.accepted) + chance.randint(1, max(1, left // (kills - done)))
                while len(server.accepted) < target and sender.poll() is None:
                    time.sleep(0.0005)
                if sender.poll() is None:
                    sender.send_signal(signal.SIGKILL)
                    sender.communicate()
                    done += 1
                    continue
            _, said = sender.communicate(timeout=300)
            if sender.returncode in (0, 1) and done >= kills:
                break
            if sender.returncode not in (0, 1, 75):
                raise AssertionError(f"send ended with {sender.returncode}: {said.decode()}")
            if sender.returncode in (0, 1):
                break
    with db:
        return _count(db, server, done, time.monotonic() - begun)


def _count(db: Database, server: Smtpd, kills: int, seconds: float) -> Outcome:
    copies = Counter(mail.message_id for mail in server.accepted)
    with db.read() as connection:
        rows = connection.execute(
            text(
                "SELECT d.campaign_id, d.subscriber_id, d.state, p.address FROM delivery d"
                " JOIN subscriber p ON p.id = d.subscriber_id"
            )
        ).all()
        tally: Any = connection.execute(
            text(
                'SELECT audience, planned, sending, accepted, "deferred", refused, skipped, unknown'
                " FROM tally"
            )
        ).one()
        per_run = connection.execute(
            text(
                "SELECT count(*) FROM delivery WHERE state = 'unknown' GROUP BY run_id"
                " ORDER BY count(*) DESC LIMIT 1"
            )
        ).scalar()
    twice, forgotten, wrongly, unknown_got = [], [], [], 0
    for row in rows:
        identity = f"<{message_id(KEYS, row.campaign_id, row.subscriber_id, 'example.org')}>"
        got = copies.pop(identity, 0)
        if got > 1:
            twice.append(row.address)
        if row.state == DeliveryState.unknown:
            unknown_got += got
        elif row.state == DeliveryState.accepted and not got:
            wrongly.append(row.address)
        elif not got and row.state not in (DeliveryState.refused, DeliveryState.skipped):
            forgotten.append(row.address)
    faults = [*maintenance.faults(db), *(f"{mid} belongs to nobody" for mid in copies)]
    return Outcome(
        Counts(*tally),
        kills,
        len(server.accepted),
        twice,
        forgotten,
        wrongly,
        unknown_got,
        int(per_run or 0),
        faults,
        seconds,
    )


def main() -> None:
    people, kills = int(sys.argv[1]), int(sys.argv[2])
    url = sys.argv[3] if len(sys.argv) > 3 else "sqlite:///mailer.db"
    folder = Path(tempfile.mkdtemp(prefix="mailer-kills-"))
    try:
        outcome = kill_and_count(folder, people=people, kills=kills, url=url, seed=int(time.time()))
    finally:
        shutil.rmtree(folder)
    print(json.dumps({**outcome.__dict__, "counts": str(outcome.counts)}, indent=2))
    if outcome.twice or outcome.forgotten or outcome.wrongly_accepted or outcome.faults:
        sys.exit(1)


if __name__ == "__main__":
    main()

"""A campaign goes into a spool as it would go to a server, and a killed one goes on exactly."""

from __future__ import annotations

import mailbox
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.message.links import message_id
from mailer.model.words import Counts, DeliveryState
from mailer.store import maintenance
from mailer.store.database import Database
from tests import postgres
from tests.command_line import mailer
from tests.journeys.scene import make_workspace
from tests.sending import KEYS

PEOPLE = 500
NO_SERVER = 1  # no server listens there


def kept(form: str, path: Path) -> list[str]:
    box: mailbox.Mailbox[mailbox.Message]
    box = mailbox.Maildir(path) if form == "maildir" else mailbox.mbox(path)
    return sorted(str(mail["Message-ID"]) for mail in box)


def expected(db: Database) -> list[str]:
    with db.read() as connection:
        rows = connection.execute(text("SELECT campaign_id, subscriber_id FROM delivery")).all()
    return sorted(
        f"<{message_id(KEYS, row.campaign_id, row.subscriber_id, 'example.org')}>" for row in rows
    )


def send_and_kill(folder: Path, url: str, form: str, kills: int) -> None:
    db = make_workspace(folder, PEOPLE, url, NO_SERVER)
    box = folder / "out box"
    words = ["campaigns", "send", "crowd", "--yes", "--spool", f"{form}:{box}"]
    killed = 0
    for number in range(kills):
        command = [sys.executable, "-m", "mailer", "-C", str(folder), "--quiet", *words]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        before = size(box)
        while child.poll() is None and size(box) <= before:
            time.sleep(0.001)
        time.sleep(0.01 * number)
        child.send_signal(signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
    result = mailer(folder, "--json", *words)

    assert killed == kills
    assert result.status in (0, 1), result.err
    with db:
        assert kept(form, box) == expected(db)
        assert maintenance.faults(db) == []
    counts = {state: result.document[state] for state in DeliveryState}
    told = Counts(audience=PEOPLE, **counts)
    assert told == Counts(audience=PEOPLE, accepted=PEOPLE - told.unknown, unknown=told.unknown)
    assert told.unknown <= kills  # one mail at a time is between its start and its answer


def size(box: Path) -> int:
    """Grows with what is kept."""
    if box.is_dir():
        return sum(1 for _ in (box / "new").glob("*"))
    return box.stat().st_size if box.exists() else 0


@pytest.mark.parametrize(("form", "kills"), [("maildir", 1), ("mbox", 2)])
def test_kill_9_on_sqlite(form: str, kills: int, tmp_path: Path) -> None:
    send_and_kill(tmp_path, "sqlite:///mailer.db", form, kills)


def test_kill_9_on_postgresql(tmp_path: Path, postgresql: postgres.Server) -> None:
    url = postgresql.make("spool")
    try:
        send_and_kill(tmp_path, url, "maildir", 1)
    finally:
        postgresql.drop("spool")


def test_what_is_no_spool_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with make_workspace(tmp_path, 3, "sqlite:///mailer.db", NO_SERVER):
        (tmp_path / "notes.txt").write_text("precious")
        for where, why in (("notes.txt", "names no spool"), (f"mbox:{tmp_path}/notes.txt", "mbox")):
            result = mailer(tmp_path, "campaigns", "send", "crowd", "--yes", "--spool", where)

            assert result.status == 3
            assert why in result.err
        shown = mailer(tmp_path, "--json", "campaigns", "show", "crowd").document

    assert (shown["state"], shown["planned"]) == ("planned", 3)
    assert (tmp_path / "notes.txt").read_text() == "precious"


def test_a_spool_needs_no_server_and_says_where_it_is(tmp_path: Path) -> None:
    with make_workspace(tmp_path, 3, "sqlite:///mailer.db", NO_SERVER):
        env = (tmp_path / ".env").read_text().replace("MAILER_SMTP_HOST=127.0.0.1\n", "")
        (tmp_path / ".env").write_text(env)
        where = f"mbox:{tmp_path}/out.mbox"
        result = mailer(tmp_path, "campaigns", "send", "crowd", "--yes", "--spool", where)

    assert result.status == 0, result.err
    assert f"into      {where}" in result.err
    assert len(kept("mbox", tmp_path / "out.mbox")) == 3

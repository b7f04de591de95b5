"""``send --at`` and ``--hold`` from the command line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mailer.adapters.inbox import Inbox
from mailer.store import campaigns, schedule, workers
from mailer.wiring import open_mailer
from tests.cli.test_approval import planned, refused
from tests.command_line import done, mailer

SEND = ("campaigns", "send", "tide-table", "--yes")


def test_later(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port)

        refused(mailer(workspace, *SEND, "--at", "+1h"), "No worker is alive")
        refused(mailer(workspace, *SEND, "--not-after", "+1h"), "--not-after belongs to --at")
        refused(mailer(workspace, *SEND, "--at", "yesterday"), "is no time")
        refused(mailer(workspace, *SEND, "--at", "+1h", "--spool", "mbox:x"), "--at or --spool")
        refused(mailer(workspace, *SEND, "--at", "2020-01-01 08:00"), "has passed")
        early = mailer(workspace, *SEND, "--at", "+1h").err
        assert len(early.splitlines()) == 1  # nothing is shown or asked first
        with open_mailer(workspace) as opened, opened.db.write() as connection:
            workers.sign_on(connection, opened.clock.now())
        found = done(workspace, *SEND, "--at", "+1h", "--not-after", "+2h")
        assert (found["state"], found["worker_alive"]) == ("scheduled", True)
        assert "It is to be sent at" in mailer(workspace, "campaigns", "show", "tide-table").out
        assert len(inbox.messages) == 0

        assert done(workspace, *SEND, "--hold", "1")["state"] == "finished"
        assert len(inbox.messages) == 2


def test_a_schedule_that_nobody_kept_is_told_so(tmp_path: Path) -> None:
    workspace = planned(tmp_path / "w", 1)
    with open_mailer(workspace) as opened, opened.db.write() as connection:
        workers.sign_on(connection, opened.clock.now())
    done(workspace, *SEND, "--at", "+1h")
    with open_mailer(workspace) as opened, opened.db.write() as connection:
        long_ago = opened.clock.now() - timedelta(hours=2)
        schedule.write(connection, 1, start_at=long_ago, not_after=long_ago + timedelta(hours=1))
    said = mailer(workspace, "campaigns", "show", "tide-table").out

    assert "It was to be sent at" in said
    assert "and no worker did." in said
    assert "Next: mailer campaigns send tide-table" in said


def test_a_plan_freezes_what_becomes_of_lost_answers(tmp_path: Path) -> None:
    workspace = planned(tmp_path / "w", 1, on_unknown="resend")
    issue = str(workspace / "data/issues/tide-table")
    words = ("campaigns", "plan", issue, "--list", "coast", "--blank-ok")
    done(workspace, *words, "--on-unknown", "skip")

    with open_mailer(workspace) as opened, opened.db.read() as connection:
        frozen = [campaigns.find(connection, n).frozen["on_unknown"] for n in (1, 2)]
    assert frozen == ["resend", "skip"]

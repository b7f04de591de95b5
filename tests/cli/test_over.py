"""A campaign that is over is refused by its slug, before anything is shown or asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailer.adapters.inbox import Inbox
from tests.cli.test_approval import planned
from tests.command_line import done, mailer
from tests.smtpd import Smtpd, stall


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port)
        done(workspace, "campaigns", "send", "tide-table", "--yes")
    return workspace


@pytest.mark.parametrize("verb", ["resume", "send"])
def test_a_finished_campaign_is_refused_before_its_headlines(finished: Path, verb: str) -> None:
    said = mailer(finished, "campaigns", verb, "1", "--yes")

    assert (said.status, said.out) == (3, "")
    assert said.err.splitlines() == [
        "The campaign “tide-table” is finished; there is nothing to send."
        " `mailer campaigns show tide-table` tells more."
    ]


def test_a_cancelled_campaign_is_refused_before_its_headlines(tmp_path: Path) -> None:
    workspace = planned(tmp_path / "w", 2525)
    assert "Cancelled: “tide-table”. 2 people are skipped." in (
        mailer(workspace, "campaigns", "cancel", "1", "--yes").out
    )
    said = mailer(workspace, "campaigns", "resume", "1", "--yes")

    assert (said.status, "is cancelled; there is nothing to send" in said.err) == (3, True)
    assert "subject" not in said.err


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_what_is_finished_is_not_stopped_and_has_its_slug(finished: Path, verb: str) -> None:
    said = mailer(finished, "campaigns", verb, "1")  # not even asked

    assert (said.status, said.out) == (3, "")
    assert said.err.splitlines() == [
        "The campaign “tide-table” is finished already."
        " `mailer campaigns show tide-table` tells what became of everybody."
    ]


def test_what_is_stopped_has_its_slug(tmp_path: Path) -> None:
    workspace = planned(tmp_path / "w", 2525)
    paused = mailer(workspace, "campaigns", "pause", "1").out
    cancelled = done(workspace, "campaigns", "cancel", "1", "--yes")

    assert "Paused: “tide-table”." in paused
    assert "Next: mailer campaigns resume tide-table" in paused
    assert (cancelled["campaign"], cancelled["slug"]) == (1, "tide-table")


def test_a_cancel_of_a_running_send_says_that_more_are_skipped_by_it(tmp_path: Path) -> None:
    with Smtpd() as server:
        server.at("mail", stall())
        workspace = planned(tmp_path / "w", server.port)
        words = ["-C", str(workspace), "campaigns", "send", "tide-table", "--yes"]
        environment = {name: v for name, v in os.environ.items() if not name.startswith("MAILER_")}
        command = [sys.executable, "-m", "mailer", *words]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as sending:
            try:
                until = time.monotonic() + 60
                while not server.lines("MAIL") and time.monotonic() < until:
                    time.sleep(0.05)
                said = mailer(workspace, "campaigns", "cancel", "tide-table", "--yes").out
            finally:
                sending.kill()

    assert said.splitlines()[:2] == [
        "Cancelled: “tide-table”. 0 people are skipped.",
        "The process that is sending it stops within a second, and skips what it had taken"
        " and not begun.",
    ]

"""Where there is nobody to list or to send to, the terminal says so, and proposes nothing."""

from __future__ import annotations

from pathlib import Path

from mailer.adapters.inbox import Inbox
from tests.cli.test_approval import planned
from tests.command_line import done, mailer


def test_nobody_is_unknown_and_nobody_is_left_for_a_second_plan(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port)
        done(workspace, "campaigns", "send", "tide-table", "--yes")
        unknown = mailer(workspace, "campaigns", "unknown", "tide-table")
        again = mailer(workspace, "campaigns", "plan", "tide-table", "--list", "coast")

    assert (unknown.status, "Nobody is unknown" in unknown.out) == (0, True)
    assert done(workspace, "campaigns", "unknown", "tide-table") == []
    assert "Nobody is in the audience" in again.out
    assert "Next:" not in again.out

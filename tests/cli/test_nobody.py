"""Where there is nobody to list or to send to, the terminal says so, and proposes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.adapters.inbox import Inbox
from tests.cli.test_approval import planned
from tests.command_line import done, mailer
from tests.smtpd import Act, Smtpd, drop, say


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
    resent = mailer(workspace, "campaigns", "unknown", "tide-table", "--resend")
    assert (resent.status, "Nobody is unknown" in resent.out) == (0, True)
    assert "0 people" not in resent.out


GONE = say("550 5.1.1 No such user")
FULL = say("552 5.2.2 Mailbox full")


@pytest.mark.parametrize(
    ("act", "why", "then"),
    [
        (
            [("rcpt", GONE)],
            "Nobody was put back: 1 person is refused, which trying again does not cure"
            " (no_such_user 1).",
            "recipients tide-table --state refused",
        ),
        (
            [("dot", drop(takes=False))],
            "Nobody was put back, because nobody is refused. 1 person is unknown, and retry leaves"
            " them alone.",
            "unknown tide-table",
        ),
        ([], "Nobody was put back, because nobody is refused.", "show tide-table"),
    ],
)
def test_nobody_is_put_back_and_it_says_why(
    tmp_path: Path, act: list[tuple[str, Act]], why: str, then: str
) -> None:
    with Smtpd() as server:
        workspace = planned(tmp_path / "w", server.port)
        for where, what in act:
            server.at(where, what, nth=1)
        mailer(workspace, "campaigns", "send", "tide-table", "--yes")
    said = mailer(workspace, "campaigns", "retry", "tide-table")
    found = done(workspace, "campaigns", "retry", "tide-table")

    assert said.out.splitlines() == [why, f"Next: mailer campaigns {then}"]
    expected = {"moved": 0, "why_nobody": why, "next": f"mailer campaigns {then}"}
    assert {name: found[name] for name in expected} == expected


def test_before_a_send_nobody_is_put_back_and_the_send_is_named(tmp_path: Path) -> None:
    workspace = planned(tmp_path / "w", 2525)
    said = mailer(workspace, "campaigns", "retry", "tide-table").out

    assert "because nobody is refused. 2 people wait for a send." in said
    assert "Next: mailer campaigns send tide-table" in said


def test_who_is_put_back_is_counted(tmp_path: Path) -> None:
    with Smtpd() as server:
        workspace = planned(tmp_path / "w", server.port)
        server.at("dot", FULL, nth=1)
        mailer(workspace, "campaigns", "send", "tide-table", "--yes")
    found = done(workspace, "campaigns", "retry", "tide-table")

    assert (found["moved"], found["planned"], found["why_nobody"]) == (1, 1, None)

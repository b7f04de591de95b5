"""``send --to-missing`` from the command line: as the plan chose, and bound to the approval."""

from __future__ import annotations

from pathlib import Path

from mailer.adapters.inbox import Inbox
from mailer.store import workers
from mailer.wiring import open_mailer
from tests.cli.test_approval import planned, refused
from tests.command_line import done, mailer, make_workspace
from tests.usecases.test_plan_sizes import workspace_with

SEND = ("campaigns", "send", "tide-table", "--yes")
MISSING = (*SEND, "--to-missing")


def add(workspace: Path, address: str, city: str = "Bern") -> None:
    file = workspace / "more.csv"
    file.write_text(f"email,first_name,city\n{address},Carla,{city}\n", "utf-8")
    done(workspace, "import", str(file), "--list", "coast", "--keep-columns")


def test_newcomers_get_it_and_the_report_counts_them(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port)
        done(workspace, *SEND)
        add(workspace, "carla@example.org")
        found = done(workspace, *MISSING)
        again = done(workspace, *MISSING)
        shown = mailer(workspace, "campaigns", "show", "tide-table").out

        told = [mail.recipients[0] for mail in inbox.messages]
    assert sorted(told) == ["anna@example.org", "bruno@example.net", "carla@example.org"]
    assert b"Carla" in inbox.messages[-1].data
    assert (found["audience"], found["accepted"], found["added"]) == (3, 3, 1)
    assert again == found
    assert [line.split() for line in shown.splitlines() if "added" in line] == [
        ["added", "since", "the", "plan", "1"]
    ]
    assert mailer(workspace, *MISSING).err.count("Nobody is missing") == 1
    refused(mailer(workspace, *MISSING, "--dry-run"), "Leave --dry-run out")


def test_who_is_added_is_approved_first(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port, require_approval="true")
        approve = ("campaigns", "approve", "tide-table", "--by", "Ruth", "--yes")
        done(workspace, *approve)
        done(workspace, *SEND)
        add(workspace, "carla@example.org")

        stopped = mailer(workspace, *MISSING)
        assert (stopped.status, "1 person was added" in stopped.err) == (75, True)
        refused(mailer(workspace, *SEND), "approval that Ruth gave is void")
        assert len(inbox.messages) == 2
        done(workspace, *approve)
        assert done(workspace, *SEND)["accepted"] == 3


def test_they_are_added_now_and_sent_at_a_time(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port)
        done(workspace, *SEND)
        add(workspace, "carla@example.org")
        later = (*MISSING, "--at", "+2h")
        refused(mailer(workspace, *later), "No worker is alive")
        assert done(workspace, "campaigns", "show", "tide-table")["audience"] == 2  # nobody came in
        with open_mailer(workspace) as opened, opened.db.write() as connection:
            workers.sign_on(connection, opened.clock.now())
        found = done(workspace, *later)
        assert len(inbox.messages) == 2

    assert (found["state"], found["audience"], found["planned"]) == ("scheduled", 3, 1)


def test_a_newcomer_whose_mail_would_be_cut_is_refused(tmp_path: Path) -> None:
    """As a plan refuses it: before anybody is added, unless the author silenced the rule."""
    with Inbox() as inbox:
        for number, silence in enumerate(("", "silence:\n  html-size: All use Thunderbird.\n")):
            place = tmp_path / str(number)
            workspace, issue = workspace_with(place, octets=100, silence=silence, port=inbox.port)
            done(workspace, "campaigns", "plan", issue, "--list", "coast")
            done(workspace, "campaigns", "send", "notes", "--yes", "--no-site-check")
            file = workspace / "more.csv"
            words = ("import", str(file), "--list", "coast", "--keep-columns")
            send = ("campaigns", "send", "notes", "--yes", "--no-site-check", "--to-missing")
            file.write_text(f"email,note\nclose@example.org,{'n' * 350}\n", "utf-8")
            done(workspace, *words)
            close = mailer(workspace, *send)
            assert close.status == 0
            assert ("Beware: The HTML part has" in close.err) == (not silence)
            file.write_text(f"email,note\nlong@example.org,{'n' * 600}\n", "utf-8")
            done(workspace, *words)
            found = mailer(workspace, *send)
            if silence:
                assert found.status == 0
            else:
                refused(found, "kB for l")
                assert "long@" not in found.err
            shown = done(workspace, "campaigns", "show", "notes")
            assert (shown["audience"], shown["planned"]) == (4 if silence else 3, 0)


def test_the_segment_is_that_of_the_plan(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = make_workspace(tmp_path / "w", smtp_port=inbox.port)
        file = workspace / "c.csv"
        file.write_text("email,first_name,city\nanna@example.org,Anna,Bern\n", "utf-8")
        words = ("--list", "coast", "--create-list", "--keep-columns")
        done(workspace, "import", str(file), *words)
        done(workspace, "segments", "add", "bernese", 'city == "Bern"')
        issue = workspace / "data/issues/short"
        issue.mkdir(parents=True)
        text = "---\nsubject: Boats\npreheader: Soon\ncontact: d@example.org\n---\nHello.\n"
        (issue / "issue.md").write_text(text, "utf-8")
        plan = ("campaigns", "plan", str(issue), "--list", "coast", "--segment", "bernese")
        done(workspace, *plan)
        done(workspace, "campaigns", "send", "short", "--yes")
        done(workspace, "segments", "edit", "bernese", 'city == "Oslo"')
        add(workspace, "olga@example.org", "Oslo")
        add(workspace, "bea@example.org", "Bern")

        done(workspace, "campaigns", "send", "short", "--yes", "--to-missing")
        told = [mail.recipients[0] for mail in inbox.messages]
    assert told == ["anna@example.org", "bea@example.org"]

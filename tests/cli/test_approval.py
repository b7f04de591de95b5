"""An approval is bound to what was looked at: an edit or a new plan voids it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.adapters.inbox import Inbox
from mailer.adapters.officer import login_name
from mailer.wiring import open_mailer
from mailer.wiring.files import shipped_examples
from tests.command_line import Result, done, mailer, make_workspace
from tests.postgres import Server

SEND = ("campaigns", "send", "tide-table", "--yes")


def planned(folder: Path, port: int, **settings: object) -> Path:
    workspace = make_workspace(folder, smtp_port=port, **settings)
    (workspace / "c.csv").write_text(
        "email,first_name,city\nanna@example.org,Anna,Bern\nbruno@example.net,,\n", "utf-8"
    )
    done(
        workspace,
        "import",
        str(workspace / "c.csv"),
        "--list",
        "coast",
        "--create-list",
        "--keep-columns",
    )
    issue = workspace / "data/issues/tide-table"
    shutil.copytree(shipped_examples() / "issues/tide-table", issue)
    plan(workspace)
    return workspace


def plan(workspace: Path) -> str:
    issue = str(workspace / "data/issues/tide-table")
    result = mailer(workspace, "campaigns", "plan", issue, "--list", "coast", "--blank-ok")
    assert result.status == 0, result.err
    return result.out


def edit(workspace: Path) -> None:
    with (workspace / "data/issues/tide-table/issue.md").open("a", encoding="utf-8") as file:
        file.write("\nOne more line.\n")


def refused(result: Result, words: str) -> None:
    assert (result.status, words in result.err) == (3, True), result.err


def test_without_the_setting_nobody_is_asked(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port)

        assert mailer(workspace, *SEND).status == 0


@pytest.mark.parametrize("asked", [True, False])
def test_what_comes_next_is_the_approval_where_one_is_asked(tmp_path: Path, asked: bool) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port, require_approval=asked)

        said = plan(workspace)
        rehearsed = mailer(workspace, *SEND, "--dry-run").out

    assert ("mailer campaigns approve tide-table" in said) is asked
    step = "approve" if asked else "send"
    assert f"Next: mailer campaigns {step} tide-table" in rehearsed


def test_an_edit_and_a_new_plan_void_an_approval(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port, require_approval="true")

        refused(mailer(workspace, *SEND), "Nobody has approved “tide-table”")

        given = done(workspace, "campaigns", "approve", "tide-table", "--by", "Ruth", "--yes")
        assert given["by"] == "Ruth"
        assert done(workspace, "campaigns", "show", "tide-table")["approved"]["by"] == "Ruth"

        edit(workspace)
        refused(mailer(workspace, *SEND), "The approval that Ruth gave is void")
        refused(mailer(workspace, *SEND, "--frozen"), "the issue has been edited since")
        again = mailer(workspace, "campaigns", "approve", "tide-table", "--yes")
        refused(again, "One more line.")

        done(workspace, "campaigns", "approve", "tide-table", "--by", "Noor", "--frozen", "--yes")
        plan(workspace)
        second = ("campaigns", "send", "tide-table-2", "--yes")
        refused(mailer(workspace, *second), "Nobody has approved “tide-table-2”")
        assert len(inbox.messages) == 0

        assert mailer(workspace, *SEND, "--frozen").status == 0
        assert len(inbox.messages) == 2

    with open_mailer(workspace) as opened, opened.db.read() as connection:
        events = connection.execute(
            text("SELECT actor, detail FROM event WHERE kind = 'approved' ORDER BY id")
        ).all()
    assert [(actor, detail.partition(",")[0]) for actor, detail in events] == [
        (f"operator {login_name()}", "by Ruth"),
        (f"operator {login_name()}", "by Noor"),
    ]


def test_what_was_frozen_is_compared_to_the_last_byte(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", inbox.port, require_approval="yes")
        done(workspace, "campaigns", "approve", "tide-table", "--yes")
        with open_mailer(workspace) as opened, opened.db.write() as connection:
            connection.execute(text("UPDATE variant SET compiled = compiled || ' '"))

        refused(mailer(workspace, *SEND), "the campaign is not what it was then")


def test_nobody_is_there_to_answer(tmp_path: Path) -> None:
    workspace = planned(tmp_path / "w", 1)

    refused(mailer(workspace, "campaigns", "approve", "tide-table"), "Nobody is here to confirm")


@pytest.mark.usefixtures("postgresql")
def test_on_postgresql(tmp_path: Path, postgresql: Server) -> None:
    url = postgresql.make("approval")
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / ".env").write_text(
        f"MAILER_DATABASE_URL={url}\nMAILER_SECRET_KEY={bytes(range(32)).hex()}\n"
    )
    try:
        with Inbox() as inbox:
            workspace = planned(folder, inbox.port, require_approval="true")
            refused(mailer(workspace, *SEND), "Nobody has approved")
            done(workspace, "campaigns", "approve", "tide-table", "--yes")

            assert mailer(workspace, *SEND).status == 0
    finally:
        postgresql.drop("approval")

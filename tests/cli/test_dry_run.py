"""A dry run makes and checks every letter, opens no connection and leaves every row as it was."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.adapters.inbox import Inbox
from mailer.wiring import open_mailer
from mailer.wiring.files import shipped_examples
from tests.builders import dump
from tests.command_line import done, mailer, make_workspace
from tests.postgres import Server

CONTACTS = """\
email;first_name;city;status
anna@example.org;Anna;Geneva;
bruno@example.net;Bruno;Porto;
émile@example.org;Émile;;
carla@example.org;Carla;Porto;
"""


def planned(folder: Path, **settings: object) -> Path:
    workspace = make_workspace(folder, **settings)
    (workspace / "contacts.csv").write_text(CONTACTS, "utf-8")
    words = ("import", str(workspace / "contacts.csv"), "--list", "coast", "--create-list")
    done(workspace, *words, "--keep-columns")
    issue = workspace / "data/issues/tide-table"
    shutil.copytree(shipped_examples() / "issues/tide-table", issue)
    done(workspace, "campaigns", "plan", str(issue), "--list", "coast", "--blank-ok")
    return workspace


def tables(workspace: Path) -> Any:
    with open_mailer(workspace) as opened:
        return dump(opened.db)


def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def test_nothing_is_written_down_and_no_connection_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", smtp_port=inbox.port)
        done(workspace, "subscribers", "unsubscribe", "carla@example.org", "--list", "coast")
        before = tables(workspace)
        with monkeypatch.context() as patched:
            no_sockets(patched)
            file = tmp_path / "report.json"
            found = done(
                workspace, "campaigns", "send", "tide-table", "--dry-run", "--report", str(file)
            )
            with pytest.raises(AssertionError):
                mailer(workspace, "campaigns", "test", "tide-table", "--to", "me@example.org")

        assert tables(workspace) == before
        assert json.loads(file.read_text("utf-8")) == found
        assert (found["to_try"], found["letters"], found["unsendable"]) == (4, 3, 0)
        assert found["skipped"] == {"unsubscribed": 1}
        assert found["beyond_ascii"] == 1
        assert found["longest_line"] <= 998
        assert len(inbox.messages) == 0

        done(workspace, "campaigns", "send", "tide-table", "--yes")

        assert tables(workspace) != before
        sizes = [len(mail.data) for mail in inbox.messages]
        (size,) = found["sizes"]
        assert (size["smallest"], size["largest"]) == (min(sizes), max(sizes))
        assert found["octets"] == sum(sizes)


def test_a_letter_that_cannot_be_sent_is_told_with_its_people(tmp_path: Path) -> None:
    workspace = planned(tmp_path / "w")
    with open_mailer(workspace) as opened, opened.db.write() as connection:
        connection.execute(
            text("UPDATE snapshot SET address = 'bru no@example.net' WHERE address LIKE 'bruno%'")
        )

    result = mailer(workspace, "--json", "campaigns", "send", "tide-table", "--dry-run")

    assert result.status == 1
    (trouble,) = result.document["troubles"]
    assert (trouble["people"], trouble["examples"]) == (1, ["b…@e….net"])
    assert "“…” is not an address" in trouble["what"]
    assert (result.document["letters"], result.document["unsendable"]) == (3, 1)

    told = mailer(workspace, "campaigns", "send", "tide-table", "--dry-run")
    assert "nothing was sent" in told.out
    assert "b…@e….net" in told.out


def test_a_finished_campaign_has_nothing_to_rehearse(tmp_path: Path) -> None:
    with Inbox() as inbox:
        workspace = planned(tmp_path / "w", smtp_port=inbox.port)
        done(workspace, "campaigns", "send", "tide-table", "--yes")

    assert mailer(workspace, "campaigns", "send", "tide-table", "--dry-run").status == 3


@pytest.mark.usefixtures("postgresql")
def test_on_postgresql(tmp_path: Path, postgresql: Server) -> None:
    url = postgresql.make("dry_run")
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / ".env").write_text(
        f"MAILER_DATABASE_URL={url}\nMAILER_SECRET_KEY={bytes(range(32)).hex()}\n"
    )
    try:
        workspace = planned(folder)
        before = tables(workspace)
        found = done(workspace, "campaigns", "send", "tide-table", "--dry-run")

        assert tables(workspace) == before
        assert found["letters"] == 4
    finally:
        postgresql.drop("dry_run")

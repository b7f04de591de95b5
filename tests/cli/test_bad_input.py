"""Bad input gets one readable paragraph and the right exit status; nothing is left behind."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from mailer.wiring import open_mailer
from mailer.wiring.files import shipped_examples
from tests.builders import dump
from tests.command_line import Result, mailer, make_workspace


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the sample's people and its edition, and a mail server that is not there."""
    workspace = make_workspace(tmp_path_factory.mktemp("bad") / "news", smtp_port=1)
    examples = shipped_examples()
    shutil.copytree(examples / "issues/tide-table", workspace / "data/issues/tide-table")
    contacts = str(examples / "contacts.csv")
    words = ("import", contacts, "--list", "coast", "--create-list", "--keep-columns")
    assert mailer(workspace, *words).status == 0
    return workspace


@pytest.fixture
def workspace(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "news"))


def rows(workspace: Path) -> object:
    with open_mailer(workspace) as opened:
        return dump(opened.db)


def refused(result: Result, *parts: str, status: int = 3) -> None:
    """One paragraph on standard error, no traceback, nothing on standard output."""
    assert result.status == status, result.out + result.err
    assert "Traceback" not in result.err
    assert result.out == ""
    for part in parts:
        assert part in result.err


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, ["nowhere.csv"]),
        (b"first name;city\nAnna;Geneva\n", ["first name", "city"]),
        (b"", ["empty"]),
        (b"\x00\x01\x02\xff\xfe" * 400, []),
        (b'email,name\na@example.org,"Anna\nb@example.org,Bruno\n', ["nowhere.csv:2: "]),
        (b"email,email\na@example.org,b@example.org\n", ["email"]),
    ],
    ids=["missing", "no address column", "empty", "binary", "open quote", "two alike"],
)
def test_contact_files(workspace: Path, content: bytes | None, parts: list[str]) -> None:
    file = workspace / "nowhere.csv"
    if content is not None:
        file.write_bytes(content)
    before = rows(workspace)

    refused(mailer(workspace, "import", str(file), "--list", "coast"), *parts)

    assert rows(workspace) == before
    assert (
        not (workspace / "data/rejects").exists()
        or len(list((workspace / "data/rejects").iterdir())) == 1
    )


def edit(workspace: Path, old: str, new: str) -> str:
    file = workspace / "data/issues/tide-table/issue.md"
    content = file.read_text("utf-8")
    assert old in content
    file.write_text(content.replace(old, new, 1), "utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("subject: Low", "subject: [Low", ["issue.md:"]),
        ("::: story", "::: storry", ["issue.md:20: ", "story"]),
        ("picture=harbour.jpg", "picture=harbor.jpg", ["issue.md:20: ", "harbour.jpg"]),
        ("layout: newsroom", "layout: newsrom", ["newsroom"]),
        ("{{ first_name |", "{{ frist_name |", ["issue.md:14: ", "first_name"]),
        ("first_name | default", "first_name | evil", ["issue.md:14: "]),
        ('| default("reader")', "", ["issue.md:14: "]),
    ],
    ids=["yaml", "block", "picture", "layout", "field", "filter", "no default"],
)
def test_issues(workspace: Path, old: str, new: str, parts: list[str]) -> None:
    file = edit(workspace, old, new)
    before = rows(workspace)

    refused(mailer(workspace, "campaigns", "plan", file, "--list", "coast"), *parts)

    assert rows(workspace) == before
    checked = mailer(workspace, "issues", "check", file)
    assert checked.status == 1
    assert "Traceback" not in checked.err


def test_a_layout_that_renders_invalid_mjml_names_its_block_and_line(workspace: Path) -> None:
    own = workspace / "layouts/newsroom"
    shutil.copytree(shipped_examples().parents[1] / "layouts/newsroom", own)
    block = own / "blocks/divider.mjml"
    lines = block.read_text("utf-8").splitlines()
    number = next(n for n, line in enumerate(lines) if "<mj-column" in line)
    lines[number] = lines[number].replace("<mj-column", "<mj-colunm", 1)
    block.write_text("\n".join(lines), "utf-8")
    file = edit(workspace, "::: story", "::: divider\n:::\n\n::: story")

    result = mailer(workspace, "campaigns", "plan", file, "--list", "coast")

    refused(result, f"divider.mjml:{number + 1}: ", "mj-colunm")


def test_names_that_nobody_has(workspace: Path) -> None:
    issue = str(workspace / "data/issues/tide-table")

    refused(mailer(workspace, "campaigns", "plan", issue, "--list", "cost"), "cost", status=4)
    refused(mailer(workspace, "campaigns", "send", "spring", "--yes"), "spring", status=4)
    refused(mailer(workspace, "subscribers", "show", "nobody@example.org"), "nobody", status=4)


def test_a_server_that_is_not_there_marks_nobody_and_says_how_to_go_on(workspace: Path) -> None:
    issue = str(workspace / "data/issues/tide-table")
    assert mailer(workspace, "campaigns", "plan", issue, "--list", "coast").status == 0

    result = mailer(workspace, "campaigns", "send", "tide-table", "--yes")

    assert result.status == 75
    assert "127.0.0.1" in result.out
    assert "mailer campaigns send tide-table" in result.out
    assert "accepted  0" in " ".join(result.out.split()).replace("accepted 0", "accepted  0")


def test_a_send_without_a_terminal_asks_for_yes(workspace: Path) -> None:
    issue = str(workspace / "data/issues/tide-table")
    assert mailer(workspace, "campaigns", "plan", issue, "--list", "coast").status == 0

    result = mailer(workspace, "campaigns", "send", "tide-table")

    assert result.status == 3
    assert "--yes" in result.err


def setting(workspace: Path, name: str, value: str | None) -> None:
    lines = [
        line
        for line in (workspace / ".env").read_text("utf-8").splitlines()
        if not line.startswith(f"{name}=")
    ]
    if value is not None:
        lines.append(f"{name}={value}")
    (workspace / ".env").write_text("\n".join(lines) + "\n", "utf-8")


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("MAILER_SECRET_KEY", None, ["MAILER_SECRET_KEY is not set", "mailer init"]),
        ("MAILER_SECRET_KEY", "short", ["MAILER_SECRET_KEY can't be used"]),
        ("MAILER_SMTP_PORT", "99999", ["MAILER_SMTP_PORT", "99999"]),
        ("MAILER_SITE_URL", "ftp://x", ["MAILER_SITE_URL", "https://"]),
        ("MAILER_SITE", "https://x", ["MAILER_SITE is not a setting", "MAILER_SITE_URL"]),
        ("MAILER_DKIM_DOMAIN", "example.org", ["must both be set"]),
        ("MAILER_DATABASE_URL", "mysql://x/y", ["mysql", "postgresql://"]),
        ("MAILER_FROM", "nobody", ["From"]),
    ],
)
def test_settings(workspace: Path, name: str, value: str | None, parts: list[str]) -> None:
    setting(workspace, name, value)
    if name == "MAILER_FROM":
        edit(workspace, "from: The Tide Table <news@marren.example.org>\n", "")
    issue = str(workspace / "data/issues/tide-table")

    result = mailer(workspace, "campaigns", "plan", issue, "--list", "coast")

    refused(result, *parts)
    assert "short" not in result.err


def test_what_a_real_send_needs(workspace: Path) -> None:
    issue = str(workspace / "data/issues/tide-table")
    assert mailer(workspace, "campaigns", "plan", issue, "--list", "coast").status == 0
    setting(workspace, "MAILER_POSTAL_ADDRESS", None)
    setting(workspace, "MAILER_SMTP_HOST", "smtp.example.org")

    result = mailer(workspace, "campaigns", "send", "tide-table", "--yes")

    refused(result, "MAILER_POSTAL_ADDRESS", "MAILER_SITE_URL", "https")


def test_a_database_that_is_missing_newer_locked_or_none(workspace: Path) -> None:
    database = workspace / "data/mailer.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    refused(mailer(workspace, "lists", "show"), "newer than this program")
    database.write_bytes(b"not a database at all " * 300)
    for extra in ("-wal", "-shm"):
        database.with_name(database.name + extra).unlink(missing_ok=True)
    refused(mailer(workspace, "lists", "show"), "not a database")
    database.unlink()
    refused(mailer(workspace, "lists", "show"), "mailer init")
    assert not database.exists()


def test_a_locked_database_is_to_be_tried_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.store.database.BUSY_TIMEOUT_MS", 50)
    with sqlite3.connect(workspace / "data/mailer.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")

        refused(mailer(workspace, "lists", "add", "new"), "locked", status=75)

        other.execute("ROLLBACK")


def test_a_full_disk_stops_and_loses_nothing(workspace: Path) -> None:
    """SQLite is told that the file may not grow; to it that is a full disk."""
    with open_mailer(workspace) as opened, opened.db.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    crowd = workspace / "crowd.csv"
    crowd.write_text("email\n" + "".join(f"p{n}@example.org\n" for n in range(20_000)), "utf-8")
    before = rows(workspace)

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 20}")

    event.listen(Engine, "connect", limit)
    try:
        result = mailer(workspace, "import", str(crowd), "--list", "coast")
    finally:
        event.remove(Engine, "connect", limit)

    refused(result, "full", status=75)
    after = mailer(workspace, "db", "check")
    assert after.status == 0, after.out
    assert mailer(workspace, "import", str(crowd), "--list", "coast").status == 0
    assert rows(workspace) != before


def test_wrong_usage_is_2() -> None:
    assert mailer(Path(), "campaigns", "send").status == 2
    assert mailer(Path(), "nonsense").status == 2
    assert mailer(Path(), "import", "x.csv", "--list", "a", "--status", "nope").status == 2

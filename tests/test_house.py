"""The house keeps its rules: arrows point down, start-up is light, everything is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mailer.settings import Settings
from tests.cli_pages import command_paths, render_cli_page

ROOT = Path(__file__).parents[1]
PURE = ("contacts", "compose", "message", "model.words", "smtp.protocol")
HEAVY = ("sqlalchemy", "sqlmodel", "pydantic", "jinja2", "lxml", "starlette", "asyncio")


def _loaded(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    script = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_arrows_point_down() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_help_pulls_in_nothing_heavy() -> None:
    loaded = _loaded("import mailer.cli.main")

    assert loaded & set(HEAVY) == set()


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_know_no_database(room: str) -> None:
    folder = ROOT / "mailer" / room.replace(".", "/")
    names = [f"mailer.{room}"]
    if folder.is_dir():
        names = [f"mailer.{room}.{file.stem}" for file in folder.glob("[!_]*.py")]
    loaded = _loaded("; ".join(f"import {name}" for name in names))

    assert loaded & {"sqlalchemy", "sqlmodel", "socketserver", "mailer.store"} == set()


def _files(*folders: str) -> list[Path]:
    return [file for folder in folders for file in (ROOT / folder).rglob("*.py")]


def test_only_settings_reads_the_environment() -> None:
    readers = {
        str(file.relative_to(ROOT))
        for file in _files("mailer")
        if re.search(r"os\.environ|os\.getenv|environ\[", file.read_text("utf-8"))
    }

    assert readers == {"mailer/settings/__init__.py"}


def test_sql_lives_in_the_store() -> None:
    statement = re.compile(r"\b(SELECT .+ FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b")
    writers = {
        file.relative_to(ROOT).parts[1]
        for file in _files("mailer")
        if statement.search(file.read_text("utf-8"))
    }

    assert writers == {"store"}


def test_files_can_be_read_in_a_sitting() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for file in _files("mailer")
        if (lines := len(file.read_text("utf-8").splitlines())) > 500
        and "versions" not in file.parts
    }

    assert long == {}


def test_every_setting_is_documented() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    documented = set(re.findall(r"^(MAILER_\w+)=", text, re.MULTILINE))
    known = {
        "MAILER_FROM" if name == "mail_from" else f"MAILER_{name.upper()}"
        for name in Settings.model_fields
    }

    assert documented == known


def test_the_page_of_commands_is_what_help_says() -> None:
    page = (ROOT / "docs/cli.md").read_text("utf-8")

    assert page == render_cli_page(), "run: python -m tests.cli_pages"


def test_every_command_of_the_readme_exists() -> None:
    known = command_paths()
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", readme, re.DOTALL))
    named = [
        line.split("#")[0].split() for line in blocks.splitlines() if line.startswith("mailer ")
    ]

    assert named
    for words in named:
        assert tuple(words[1:2]) in known or tuple(words[1:3]) in known, words


def test_no_lock_file_names_an_address() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text("utf-8")


def test_migrations_stand_in_one_row() -> None:
    """Two that were written side by side may both have taken the next number."""
    files = sorted((ROOT / "mailer/store/migrations/versions").glob("[0-9]*.py"))
    told = [
        re.findall(r'^(?:down_)?revision = (?:"(\d+)"|None)', file.read_text("utf-8"), re.MULTILINE)
        for file in files
    ]

    numbers = [file.name[:4] for file in files]
    assert told == [[own, before] for before, own in zip(["", *numbers], numbers, strict=False)]

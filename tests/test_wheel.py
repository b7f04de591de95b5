"""The built wheel runs the demo from an empty folder, in an environment that holds nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command ``mailer`` of a fresh environment: the locked libraries, and the built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    built = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel"]
    subprocess.run(
        [*built, "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)],
        check=True,
        cwd=folder,
    )
    (wheel,) = folder.glob("mailer-*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    pip = [str(environment / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    lock = str(ROOT / "requirements.lock")
    subprocess.run([*pip, "install", "--require-hashes", "-r", lock], check=True)
    subprocess.run([*pip, "install", "--no-deps", str(wheel)], check=True)
    subprocess.run([*pip, "check"], check=True, stdout=subprocess.DEVNULL)
    return environment / "bin" / "mailer"


def _run(command: Path, *words: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, *words],
        capture_output=True,
        text=True,
        cwd=home,
        env={"HOME": str(home), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        check=False,
        timeout=180,
    )


def test_the_wheel_runs_the_demo_from_an_empty_folder(command: Path, tmp_path: Path) -> None:
    where = _run(command, "--version", home=tmp_path)
    assert where.returncode == 0, where.stderr

    done = _run(command, "demo", home=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "The database is sound." in done.stdout
    assert len(list((tmp_path / "data/demo/inbox").glob("*.eml"))) > 90


def test_the_program_comes_from_the_wheel(command: Path) -> None:
    python = command.parent / "python"
    found = subprocess.run(
        [python, "-c", "import mailer; print(mailer.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )

    assert str(command.parent.parent) in found.stdout

"""Pictures of every view for a review, taken with the Chromium of this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from mailer.wiring.files import shipped_examples
from tests.command_line import done, mailer, make_workspace
from tests.peers.programs import program

ISSUE = """\
---
subject: Boats at the quay
preheader: They came home before the wind did
contact: desk@example.org
---
::: banner picture=net.jpg
alt: Two people mend a net
:::
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = make_workspace(tmp_path / "news", site_url="https://news.example.org")
    folder = made / "data/issues/boats"
    folder.mkdir(parents=True)
    (folder / "issue.md").write_text(ISSUE, "utf-8")
    shutil.copy(shipped_examples() / "issues/tide-table/net.jpg", folder)
    return made


def colours(file: Path) -> int:
    """How many colours the upper part of a picture has: a photograph has thousands."""
    with Image.open(file) as opened:
        upper = opened.convert("RGB").crop((0, 0, opened.width, 700))
        return len(upper.getcolors(1 << 24) or [])


def mean(file: Path) -> float:
    with Image.open(file) as opened:
        grey = opened.convert("L").resize((1, 1))
        return float(grey.getpixel((0, 0)))  # type: ignore[arg-type]  # grey has one number


def test_every_view_becomes_a_picture(workspace: Path) -> None:
    program("chromium")
    issue, out = str(workspace / "data/issues/boats"), str(workspace / "look")
    told = done(workspace, "issues", "render", issue, "--png", out)
    names = {Path(file).stem: Path(file) for file in told["files"]}

    looks = ("", "-dark", "-images-off", "-inverted", "-no-styles")
    mails = {f"mail-{width}{look}" for width in (320, 600) for look in looks}
    assert set(names) == mails | {"web-320", "web-1280", "text"}
    with Image.open(names["mail-320"]) as small, Image.open(names["mail-600-dark"]) as large:
        assert (small.width, large.width) == (320, 600)
        assert small.height > 300
    assert colours(names["mail-600"]) > 2000 > colours(names["mail-600-images-off"])
    assert mean(names["mail-600-dark"]) < 110 < 150 < mean(names["mail-600"])
    assert mean(names["mail-600-inverted"]) < 110


def test_without_chromium_it_says_what_to_install(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    issue = str(workspace / "data/issues/boats")
    answer = mailer(workspace, "issues", "render", issue, "--png", str(tmp_path / "look"))
    nowhere = mailer(workspace, "issues", "render", issue)

    assert answer.status == 3
    assert "There is no Chromium or Chrome on this machine" in answer.err
    assert not (tmp_path / "look").exists()
    assert (nowhere.status, "Give --out DIR, --png DIR, or both" in nowhere.err) == (2, True)

"""What a workspace's own layout does stays in a process of its own, within bounds."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from mjml import mjml2html

from mailer.adapters.apart import run_apart
from mailer.adapters.folders import open_folder
from mailer.adapters.workspace import layout_folder
from mailer.compose.reading import Brand
from mailer.errors import Fault, InputError
from mailer.usecases.compose_issue import IssueFolder, compose_from_folder

BRAND = Brand("Trust", "1 Quay", "https://news.example.org", "news@example.org")
TINY = Path(__file__).parent.parent / "samples" / "layouts" / "tiny"
ENDLESS = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
    "{% endfor %}{% endfor %}{% endfor %}"
)


def message_of(call: Callable[[], object], seconds: float = 20, megabytes: int = 1024) -> str:
    with pytest.raises(InputError) as caught:
        run_apart(call, where="layouts/x", seconds=seconds, megabytes=megabytes)
    (fault,) = caught.value.faults
    assert fault.file == "layouts/x"
    return fault.message


def test_a_result_comes_back_whole_from_another_process() -> None:
    there, large = run_apart(lambda: (os.getpid(), "é" * 5_000_000), where="x")

    assert there != os.getpid()
    assert large == "é" * 5_000_000


def test_its_exceptions_are_raised_here() -> None:
    faults = [Fault("One.", "a", 1), Fault("Two.", "b", 2, "Hint.")]

    def refuse() -> None:
        raise InputError(faults)

    with pytest.raises(InputError) as caught:
        run_apart(refuse, where="x")
    assert list(caught.value.faults) == faults
    with pytest.raises(ZeroDivisionError):
        run_apart(lambda: 1 // 0, where="x")


def test_one_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[int] = []
    fork = os.fork

    def noted() -> int:
        children.append(fork())
        return children[-1]

    monkeypatch.setattr(os, "fork", noted)
    started = time.monotonic()

    message = message_of(lambda: time.sleep(60), seconds=0.3)

    assert message == "The layout takes longer than 0.3 seconds."
    assert time.monotonic() - started < 10
    (child,) = children
    with pytest.raises(ChildProcessError):  # nothing is left behind
        os.waitpid(child, os.WNOHANG)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not bound memory")
def test_one_that_fills_the_memory_is_ended() -> None:
    message = message_of(lambda: [bytearray(1 << 20) for _ in range(10_000)], megabytes=64)

    assert message == "The layout needs more than 64 MB of memory."


def test_one_that_dies_is_told() -> None:
    message = message_of(lambda: os.kill(os.getpid(), signal.SIGSEGV))

    assert message == "The MJML engine died of this layout (SIGSEGV)."


def test_the_engine_does_die_of_nesting_and_this_process_lives() -> None:
    deep = f"<mjml><mj-body>{'<mj-wrapper>' * 20_000}{'</mj-wrapper>' * 20_000}</mj-body></mjml>"

    assert "The MJML engine died" in message_of(partial(mjml2html, deep))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    issue = tmp_path / "issue"
    issue.mkdir()
    (issue / "issue.md").write_text(
        "---\nsubject: s\npreheader: p\nlayout: mine\nlang: en\n---\nHello\n"
    )
    shutil.copytree(TINY, tmp_path / "layouts" / "mine")
    return tmp_path


def compose(workspace: Path) -> str:
    issue = IssueFolder("issue", open_folder(workspace / "issue"), str(workspace / "issue"))
    (composed,) = compose_from_folder(issue, layouts=partial(layout_folder, workspace), brand=BRAND)
    return composed.rendition.html


def test_an_own_layout_is_composed_elsewhere_and_gives_the_same(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = compose(workspace)
    seen: list[str] = []

    def here(call: Callable[[], object], *, where: str) -> object:
        seen.append(where)
        return call()

    monkeypatch.setattr("mailer.adapters.folders.run_apart", here)

    assert compose(workspace) == apart
    assert seen == [str(workspace / "layouts" / "mine")]


def test_a_shipped_layout_is_composed_here(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.adapters.folders.run_apart", None)
    issue = workspace / "issue" / "issue.md"
    issue.write_text(issue.read_text().replace("layout: mine", "layout: newsroom"))

    assert "Hello" in compose(workspace)


def test_an_endless_layout_is_a_fault_of_its_folder(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.adapters.folders.run_apart", partial(run_apart, seconds=1))
    block = workspace / "layouts" / "mine" / "blocks" / "text.mjml"
    block.write_text(block.read_text().replace("{# text #}", f"{ENDLESS}\n{{# text #}}"))

    with pytest.raises(InputError) as caught:
        compose(workspace)

    (fault,) = caught.value.faults
    assert "takes longer than 1 seconds" in fault.message
    assert fault.file == str(workspace / "layouts" / "mine")


def test_a_fault_in_an_own_layout_still_names_its_line(workspace: Path) -> None:
    block = workspace / "layouts" / "mine" / "blocks" / "text.mjml"
    block.write_text(block.read_text().replace("{# text #}", "{{ nothing }}\n{# text #}"))

    with pytest.raises(InputError) as caught:
        compose(workspace)

    (fault,) = caught.value.faults
    assert fault.line == block.read_text()[: block.read_text().index("{{ nothing")].count("\n") + 1

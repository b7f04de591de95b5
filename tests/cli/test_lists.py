"""A list's own sender, layout and language are used wherever an issue is silent."""

from __future__ import annotations

import email
import email.policy
import shutil
from pathlib import Path

import pytest

from mailer.adapters.shipped import shipped
from mailer.usecases.compare_issue import compare_issue
from mailer.wiring import open_mailer
from tests.command_line import done, mailer, make_workspace

ISSUE = """\
---
subject: The boats
contact: Ask the harbour
---
Good morning.
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = make_workspace(tmp_path / "news")
    shutil.copytree(shipped("layouts") / "newsroom", folder / "layouts" / "quay")
    (folder / "data/issues/boats").mkdir(parents=True)
    (folder / "data/issues/boats/issue.md").write_text(ISSUE, "utf-8")
    return folder


def rendered(workspace: Path, *words: str) -> email.message.EmailMessage:
    out = workspace / "out"
    done(workspace, "issues", "render", "data/issues/boats", "--out", str(out), *words)
    return email.message_from_bytes((out / "message.eml").read_bytes(), policy=email.policy.default)


def test_an_issue_takes_what_it_does_not_say_from_the_list(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    own = ("--from", "Quay <quay@x.org>", "--reply-to", "desk@x.org", "--language", "ar")
    done(workspace, "lists", "add", "harbour", *own, "--layout", "quay")
    done(workspace, "lists", "add", "plain")
    done(workspace, "subscribers", "add", "anna@x.org", "--list", "harbour")

    silent = rendered(workspace)
    ours = rendered(workspace, "--list", "harbour")
    page = (workspace / "out/email.html").read_text("utf-8")
    planned = done(workspace, "campaigns", "plan", "data/issues/boats", "--list", "harbour")
    shown = done(workspace, "campaigns", "show", str(planned["campaign"]))

    assert (silent["From"], ours["From"]) == (
        "The Tide Table <news@marren.example.org>",
        "Quay <quay@x.org>",
    )
    assert 'lang="ar"' in page
    assert 'dir="rtl"' in page
    assert shown["audience"] == 1
    # The plan froze the list's layout: a change of that one is what a send would ask about.
    with open_mailer(workspace) as opened:

        def changes() -> list[str]:
            return list(
                compare_issue(
                    planned["campaign"],
                    db=opened.db,
                    issue_at=opened.issue,
                    layouts=opened.layout,
                )
            )

        assert changes() == []
        with (workspace / "layouts/quay/theme.yaml").open("a", encoding="utf-8") as file:
            file.write("# new\n")
        assert changes() == ["layouts/quay/theme.yaml has changed"]


def test_what_the_issue_says_wins(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    done(workspace, "lists", "add", "harbour", "--from", "quay@x.org", "--language", "ar")
    file = workspace / "data/issues/boats/issue.md"
    said = "from: Captain <c@x.org>\nlang: en\nsubject:"
    file.write_text(ISSUE.replace("subject:", said), "utf-8")

    mail = rendered(workspace, "--list", "harbour")

    assert mail["From"] == "Captain <c@x.org>"
    assert 'lang="en"' in (workspace / "out/email.html").read_text("utf-8")


def test_settings_are_shown_changed_and_taken_away(workspace: Path) -> None:
    done(workspace, "lists", "add", "harbour", "--private", "--opt-in", "double")
    words = ("--public", "--description", "Boats", "--language", "pt_br", "--from", "q@x.org")
    done(workspace, "lists", "edit", "harbour", *words)
    shown = done(workspace, "lists", "show", "harbour")
    assert {key: shown[key] for key in ("public", "opt_in", "description", "language")} == {
        "public": True,
        "opt_in": "double",
        "description": "Boats",
        "language": "pt-BR",
    }
    assert "From" in mailer(workspace, "lists", "show").out

    done(workspace, "lists", "edit", "harbour", "--from", "", "--language", "")

    shown = done(workspace, "lists", "show", "harbour")
    assert (shown["sender"], shown["language"]) == (None, None)


def test_wrong_settings_are_refused_together(workspace: Path) -> None:
    result = mailer(
        workspace, "lists", "add", "x", "--from", "nobody", "--language", "?", "--layout", "newsrom"
    )

    assert result.status == 3
    assert "--from" in result.err
    assert "no language tag" in result.err
    assert "Did you mean “newsroom”?" in result.err
    assert mailer(workspace, "lists", "show", "x").status == 4


def test_a_plan_says_its_warnings_in_json(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that plans hears of what a person would see on the screen."""
    monkeypatch.chdir(workspace)
    done(workspace, "lists", "add", "plain")
    done(workspace, "subscribers", "add", "anna@x.org", "--list", "plain")
    checked = done(workspace, "issues", "check", "data/issues/boats")
    planned = done(workspace, "campaigns", "plan", "data/issues/boats", "--list", "plain")

    assert {each["rule"] for each in planned["warnings"]} >= {"preheader-missing"}
    assert {each["rule"] for each in checked["warnings"]} >= {"preheader-missing"}

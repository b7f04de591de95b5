"""``mailer issues check`` in all its forms, and ``issues rules``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.compose.check import RULES
from mailer.model.words import Trail
from mailer.wiring import Mailer
from tests.command_line import done, mailer, make_workspace
from tests.fakes import FakeLinkFollower

GONE, WALKED, FINE = "https://a.example/gone", "https://b.example/far", "https://c.example/"
ISSUE = f"""\
---
subject: The tide table
preheader: What changes on Monday
contact: desk@example.org
layout: newsroom
---
Read [the first notice]({GONE}), [the second notice]({WALKED}) and [the third notice]({FINE}).

A  double space stands here, 50%: really.
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_workspace(tmp_path_factory.mktemp("news"), site_url="https://news.example.org")
    folder = made / "data/issues/tide"
    folder.mkdir(parents=True)
    (folder / "issue.md").write_text(ISSUE, "utf-8")
    return made


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> FakeLinkFollower:
    fake = FakeLinkFollower(
        {GONE: Trail(404, 0, GONE), WALKED: Trail(200, 4, "https://b.example/near")}
    )
    monkeypatch.setattr(Mailer, "link_follower", fake)
    return fake


def issue_of(workspace: Path) -> str:
    return str(workspace / "data/issues/tide")


def test_links_are_followed_only_when_it_is_asked_for(
    workspace: Path, follower: FakeLinkFollower
) -> None:
    plain = done(workspace, "issues", "check", issue_of(workspace))

    assert (follower.asked, plain["links_followed"]) == ([], 0)

    result = mailer(workspace, "--json", "issues", "check", issue_of(workspace), "--links")
    report = result.document

    assert result.status == 1
    assert {GONE, WALKED, FINE} <= set(follower.asked)
    assert report["links_followed"] == len(follower.asked)
    assert [(each["rule"], each["line"]) for each in report["errors"]] == [("link-dead", 7)]
    assert "404" in report["errors"][0]["message"]
    (walked,) = [each for each in report["warnings"] if each["rule"] == "link-redirects"]
    assert "https://b.example/near" in walked["message"]


def test_the_report_as_json_has_the_contract_s_shape(workspace: Path) -> None:
    report = done(workspace, "issues", "check", issue_of(workspace))

    assert (report["ok"], report["errors"]) == (True, [])
    assert report["warnings"]
    for each in report["warnings"]:
        assert {"rule", "message", "file", "line"} <= set(each)
        assert each["rule"] in RULES
        assert each["severity"] == "warning"
        assert each["why"]


def test_an_issue_of_the_workspace_goes_by_its_name(workspace: Path) -> None:
    assert done(workspace, "issues", "check", "tide") == done(
        workspace, "issues", "check", issue_of(workspace)
    )


def test_annotations_are_workflow_commands_one_a_line(workspace: Path) -> None:
    report = done(workspace, "issues", "check", issue_of(workspace))
    lines = mailer(workspace, "issues", "check", issue_of(workspace), "--format", "github").out

    commands = [line for line in lines.splitlines() if line]
    assert len(commands) == len(report["warnings"])
    assert all(line.startswith("::warning file=") for line in commands)
    assert any(",line=9,title=double-space" in line for line in commands)


def test_the_audience_weighs_what_programs_can_t_show(workspace: Path) -> None:
    def lacking(*words: str) -> dict[str, float]:
        report = done(workspace, "issues", "check", issue_of(workspace), *words)
        return {each["feature"]: each["without"] for each in report["programs"]["features"]}

    offices, all_outlook = (
        lacking("--audience", "offices"),
        lacking("--audience", "outlook.windows=100"),
    )

    assert offices != all_outlook
    assert max(all_outlook.values()) == 1.0
    refused = mailer(workspace, "issues", "check", issue_of(workspace), "--audience", "martians")
    assert refused.status == 3
    assert "martians" in refused.err


def test_an_unknown_format_is_refused(workspace: Path) -> None:
    refused = mailer(workspace, "issues", "check", issue_of(workspace), "--format", "xml")

    assert refused.status == 2
    assert "human, github" in refused.err


def test_every_rule_is_listed_with_its_why(workspace: Path) -> None:
    listed = done(workspace, "issues", "rules")

    assert {each["rule"] for each in listed} == set(RULES)
    assert all(each["why"] and each["severity"] and each["family"] for each in listed)


def test_one_rule_is_explained_and_a_wrong_name_is_no_rule(workspace: Path) -> None:
    explained = mailer(workspace, "issues", "rules", "html-size").out

    assert "102 kB" in explained
    assert "silence:" in explained
    unknown = mailer(workspace, "issues", "rules", "html-sise")
    assert unknown.status == 4
    assert "html-size" in unknown.err

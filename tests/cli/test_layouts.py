"""``mailer layouts`` shows what there is, tries a layout out, and begins one that passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import done, mailer, make_workspace

BLOCK = """{#
what: Something that people say.
body: markdown
options:
  title: {type: inline, required: true, what: "What they say."}
example: |
  ::: rumour title="The ferry gets a piano"
  So we asked the captain.
  :::
#}
<mj-section css-class="paper inset" padding="24px {{ t.gutter }}px">
  <mj-column><mj-text css-class="ink"><h2>{{ title }}</h2>{{ body }}</mj-text></mj-column>
</mj-section>
{# text #}
{{ title }}


{{ body }}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path)


@pytest.mark.parametrize("name", ["newsroom", "letter", "announcement", "service"])
def test_every_shipped_layout_passes_its_own_check(workspace: Path, name: str) -> None:
    report = done(workspace, "layouts", "check", name)

    assert (report["ok"], report["errors"], report["warnings"]) == (True, [], [])
    assert {pair["scheme"] for pair in report["contrast"]} == {"light", "dark"}
    assert min(pair["ratio"] for pair in report["contrast"]) >= 4.5


def test_the_list_and_one_block_are_told(workspace: Path) -> None:
    listed = done(workspace, "layouts", "show")["layouts"]
    event = mailer(workspace, "layouts", "show", "newsroom", "event").out

    assert {"letter", "newsroom"} <= {each["name"] for each in listed}
    assert {each["extends"] for each in listed if each["name"] == "letter"} == {"newsroom"}
    assert "zone" in event
    assert "Europe/Zurich" in event
    assert mailer(workspace, "layouts", "show", "newsroom", "evnt").status == 4


@pytest.mark.parametrize(
    ("base", "whole"),
    [("newsroom", []), ("letter", ["--whole"]), ("announcement", []), ("service", [])],
)
def test_a_new_layout_passes_the_check_as_it_is(
    workspace: Path, base: str, whole: list[str]
) -> None:
    done(workspace, "layouts", "new", "ourpaper", "--from", base, *whole)
    report = done(workspace, "layouts", "check", "ourpaper")

    assert (report["ok"], report["errors"]) == (True, [])


def test_a_block_is_added_by_adding_one_file(workspace: Path) -> None:
    done(workspace, "layouts", "new", "ourpaper")
    (workspace / "layouts/ourpaper/blocks").mkdir()
    (workspace / "layouts/ourpaper/blocks/rumour.mjml").write_text(BLOCK, "utf-8")
    done(workspace, "issues", "new", "spring", "--layout", "ourpaper")
    issue = workspace / "data/issues/spring/issue.md"
    issue.write_text(
        issue.read_text("utf-8")
        + '\n::: rumour title="The ferry gets a piano"\nSo we asked the captain.\n:::\n',
        "utf-8",
    )
    done(workspace, "issues", "check", str(issue))
    done(workspace, "issues", "render", str(issue), "--out", str(workspace / "look"))

    assert "layout: ourpaper" in issue.read_text("utf-8")
    assert "The ferry gets a piano" in (workspace / "look/email.html").read_text("utf-8")
    assert "The ferry gets a piano\n" in (workspace / "look/email.txt").read_text("utf-8")
    assert "rumour" in mailer(workspace, "layouts", "show", "ourpaper").out


def test_a_colour_that_can_not_be_read_is_told_with_file_and_line(workspace: Path) -> None:
    done(workspace, "layouts", "new", "ourpaper")
    theme = workspace / "layouts/ourpaper/theme.yaml"
    text = theme.read_text("utf-8")
    theme.write_text(text.replace('quiet: "#51585e"', 'quiet: "#a1a8ae"'), "utf-8")
    line = 1 + text[: text.index('quiet: "#51585e"')].count("\n")
    result = mailer(workspace, "layouts", "check", "ourpaper")

    assert result.status == 1
    assert f"layouts/ourpaper/theme.yaml:{line}: In the light scheme, `quiet` on `" in result.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["new", "../x"], 3, "can't be a layout's name"),
        (["new", "newsroom"], 3, "can't extend itself"),
        (["new", "ours", "--from", "nothing"], 3, "There is no layout"),
        (["check", "letr"], 3, "Did you mean “letter”?"),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(
    workspace: Path, arguments: list[str], status: int, said: str
) -> None:
    result = mailer(workspace, "layouts", *arguments)

    assert result.status == status
    assert said in result.err

"""A plan measures the longest letter of the people who really get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import done, mailer, make_workspace

ISSUE = """\
---
subject: The tide table
preheader: What the harbour master wrote
contact: desk@example.org
{silence}---
{notes}
"""


def workspace_with(
    folder: Path, *, octets: int, silence: str = "", port: int = 25
) -> tuple[Path, str]:
    """An issue that shows a note two hundred times, and one reader with a long one."""
    workspace = make_workspace(folder, site_url="https://news.example.org", smtp_port=port)
    issue = workspace / "data/issues/notes"
    issue.mkdir(parents=True)
    notes = '{{ note | default("None.") }}\n\n' * 200
    (issue / "issue.md").write_text(ISSUE.format(silence=silence, notes=notes), "utf-8")
    rows = f"anna@example.org,short\nbilal@example.org,{'n' * octets}\n"
    (workspace / "people.csv").write_text(f"email,note\n{rows}", "utf-8")
    people = str(workspace / "people.csv")
    done(workspace, "import", people, "--list", "coast", "--create-list", "--keep-columns")
    return workspace, str(issue)


def test_a_real_reader_whose_mail_would_be_cut_stops_the_plan(tmp_path: Path) -> None:
    workspace, issue = workspace_with(tmp_path, octets=600)
    checked = done(workspace, "issues", "check", issue)
    refused = mailer(workspace, "campaigns", "plan", issue, "--list", "coast")

    assert [each["rule"] for each in checked["errors"]] == []
    assert refused.status == 3
    assert "kB for b" in refused.err
    assert "bilal" not in refused.err


@pytest.mark.parametrize(
    ("octets", "silence", "warned"),
    [
        (350, "", True),
        (100, "", False),
        (600, "silence:\n  html-size: Our readers all use Thunderbird.\n", False),
    ],
)
def test_a_plan_warns_by_the_real_size(
    tmp_path: Path, octets: int, silence: str, warned: bool
) -> None:
    workspace, issue = workspace_with(tmp_path, octets=octets, silence=silence)
    planned = mailer(workspace, "campaigns", "plan", issue, "--list", "coast")

    assert planned.status == 0
    assert ("Gmail hides" in planned.out + planned.err) == warned

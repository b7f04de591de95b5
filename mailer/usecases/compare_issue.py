"""Compares a planned campaign with the folder that it came from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from mailer.errors import InputError
from mailer.model.shown import counted
from mailer.ports import Folder
from mailer.store import campaigns
from mailer.store.database import Database
from mailer.usecases.compose_issue import ISSUE_FILE, SNIPPETS, IssueFolder, file_hashes, sources

_MOST = 30  # lines shown


def compare_issue(
    name: str | int,
    *,
    db: Database,
    issue_at: Callable[[Path], IssueFolder],
    layouts: Callable[[str], Folder],
) -> Sequence[str]:
    """What has changed since the plan, as lines for people; empty when nothing has.

    Only for a campaign that nobody has been sent yet. A folder that is gone is no change:
    the campaign does not need it. Raises NotFoundError.
    """
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
    if campaign.started_at is not None or not Path(campaign.folder).is_dir():
        return ()
    issue = issue_at(Path(campaign.folder))
    try:
        now = files_now(campaign, issue, layouts=layouts)
        texts = sources(issue)
    except InputError as error:
        return (str(error),)
    frozen = campaign.frozen
    before = frozen.get("sources") or {ISSUE_FILE: frozen["source"]}  # of an earlier version
    lines = [
        line
        for name in sorted({*before, *texts})
        for line in _diff(name, before.get(name, ""), texts.get(name, ""))
    ]
    more = [f"… and {counted(len(lines) - _MOST, 'line')} more"] if len(lines) > _MOST else []
    return [*lines[:_MOST], *more, *_files(frozen["files"], now, told={*before, *texts})]


def files_now(
    campaign: Row[Any], issue: IssueFolder, *, layouts: Callable[[str], Folder]
) -> Mapping[str, str]:
    """A hash of each file that would go into the campaign's mail today. Raises InputError."""
    return file_hashes(
        issue,
        layouts=layouts,
        default_layout=campaign.frozen.get("default_layout", ""),
        borrowed=[name.removeprefix(SNIPPETS) for name in campaign.frozen["files"]],
    )


def _diff(name: str, before: str, after: str) -> list[str]:
    return [
        f"{name}: {line}"
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
        if not line.startswith(("---", "+++"))
    ]


def _files(before: Mapping[str, str], after: Mapping[str, str], *, told: set[str]) -> list[str]:
    lines = []
    for name in sorted((before.keys() | after.keys()) - told):
        if name not in before:
            lines.append(f"{name} is new")
        elif before[name] != after.get(name):
            lines.append(f"{name} {'has changed' if name in after else 'is gone'}")
    return lines

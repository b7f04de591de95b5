"""Compares a planned campaign with the folder that it came from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mailer.errors import InputError
from mailer.ports import Folder
from mailer.store import campaigns
from mailer.store.database import Database
from mailer.usecases.compose_issue import ISSUE_FILE, IssueFolder, file_hashes

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
        default = campaign.frozen.get("default_layout", "")
        now = file_hashes(issue, layouts=layouts, default_layout=default)
        text = issue.files.text(ISSUE_FILE)
    except InputError as error:
        return (str(error),)
    return [*_diff(campaign.frozen["source"], text), *_files(campaign.frozen["files"], now)]


def _diff(before: str, after: str) -> list[str]:
    lines = [
        line
        for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
        if not line.startswith(("---", "+++"))
    ]
    more = [f"… and {len(lines) - _MOST} lines more"] if len(lines) > _MOST else []
    return [*(f"{ISSUE_FILE}: {line}" for line in lines[:_MOST]), *more]


def _files(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return [f"{name} has changed" for name in sorted(changed - {ISSUE_FILE})]

"""Compares two issues, or two states of one: what changed in words, in every language."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mailer.compose.comparing import Change, compare_texts
from mailer.usecases.compose_issue import IssueFolder, sources


@dataclass(frozen=True, slots=True)
class FileChange:
    """What changed in one file; for one that is no text, only that it did."""

    file: str
    how: str  # changed, added or removed
    changes: tuple[Change, ...] = ()


def diff_issues(before: IssueFolder, after: IssueFolder) -> list[FileChange]:
    """Tells the changes file by file, texts first. Raises InputError for unreadable ones."""
    old, new = sources(before), sources(after)
    found = []
    for name in dict.fromkeys([*new, *old]):
        if name not in old or name not in new:
            found.append(FileChange(name, "added" if name in new else "removed"))
            continue
        changes = compare_texts(
            old[name],
            new[name],
            where=before.files.where(name),
            where_after=after.files.where(name),
        )
        if changes:
            found.append(FileChange(name, "changed", tuple(changes)))
    rest = {
        side: {name: _hash(issue, name) for name in issue.files.names() if name not in known}
        for side, issue, known in (("old", before, old), ("new", after, new))
    }
    for name in sorted({*rest["old"], *rest["new"]}):
        was, now = rest["old"].get(name), rest["new"].get(name)
        if was != now:
            how = "changed" if was and now else ("added" if now else "removed")
            found.append(FileChange(name, how))
    return found


def _hash(issue: IssueFolder, name: str) -> bytes:
    return hashlib.sha256(issue.files.data(name)).digest()

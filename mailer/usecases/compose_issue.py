"""Composes the issue that lies in a folder, with the layout that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from mailer import __version__
from mailer.compose.compose import Composed, compose_issue
from mailer.compose.layout import load_layout
from mailer.compose.reading import Brand, read_layout_name
from mailer.ports import Folder

ISSUE_FILE = "issue.md"


@dataclass(frozen=True, slots=True)
class IssueFolder:
    """An issue: its name and its files."""

    name: str
    files: Folder
    path: str


def compose_from_folder(
    issue: IssueFolder,
    *,
    layouts: Callable[[str], Folder],
    brand: Brand,
) -> Composed:
    """Reads and renders the issue once, for everybody.

    Raises InputError with every fault that was found, each with file and line.
    """
    return compose_issue(
        issue.files.text(ISSUE_FILE),
        where=issue.files.where(ISSUE_FILE),
        read_picture=issue.files.data,
        layout=lambda name: load_layout(layouts(name), name=name),
        picture_url=lambda name: f"{brand.site_url}/i/{name}",
        brand=brand,
    )


def content_hash(issue: IssueFolder, *, layouts: Callable[[str], Folder]) -> str:
    """A hash of all that goes into the mail: the issue's files, the layout's, our version."""
    text = issue.files.text(ISSUE_FILE)
    layout = layouts(read_layout_name(text, where=issue.files.where(ISSUE_FILE)))
    digest = hashlib.sha256(__version__.encode())
    for folder in (issue.files, layout):
        for name in folder.names():
            data = folder.data(name)
            digest.update(f"\0{name}\0{len(data)}\0".encode())
            digest.update(data)
    return digest.hexdigest()

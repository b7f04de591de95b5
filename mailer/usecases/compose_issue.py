"""Composes the issue that lies in a folder, with the layout that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
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


def file_hashes(
    issue: IssueFolder, *, layouts: Callable[[str], Folder], default_layout: str = ""
) -> dict[str, str]:
    """A hash of each file that goes into the mail: the issue's own, and the layout's."""
    text = issue.files.text(ISSUE_FILE)
    where = issue.files.where(ISSUE_FILE)
    layout = read_layout_name(text, where=where, default=default_layout)
    folders = {"": issue.files, f"layouts/{layout}/": layouts(layout)}
    return {
        prefix + name: hashlib.sha256(folder.data(name)).hexdigest()[:32]
        for prefix, folder in folders.items()
        for name in folder.names()
    }


def content_hash(files: Mapping[str, str]) -> str:
    """One hash of all of them, and of the program's version."""
    parts = [__version__, *(f"{name}\0{files[name]}" for name in sorted(files))]
    return hashlib.sha256("\0\0".join(parts).encode()).hexdigest()

"""Makes the folder of a new issue, with an edition that passes the check as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from mailer.compose.frame import PLACEHOLDER, carry_over, next_date
from mailer.compose.layout import LayoutFiles, load_layout, stack
from mailer.compose.reading import NOBODY
from mailer.errors import Fault, InputError
from mailer.ports import Clock, Folder, NewFolder
from mailer.usecases.compose_issue import IssueFolder, read_sheets

STARTER = "starter"  # the folder in a layout that holds its first edition
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


@dataclass(frozen=True, slots=True)
class NewIssue:
    """Where the new issue lies."""

    name: str
    path: str


def new_issue(
    name: str,
    *,
    layout: str,
    layouts: Callable[[str], Folder],
    target: NewFolder,
    clock: Clock,
) -> NewIssue:
    """Copies the layout's starter edition into a new folder, dated today.

    Raises InputError when the name can't be one, or the folder exists.
    """
    _require_name(name)
    files = stack(layout, layouts)
    starter = [file for file in files.names() if file.startswith(f"{STARTER}/")]
    if not starter:
        raise InputError(f"The layout “{layout}” brings no starter edition.")
    contents = {file.removeprefix(f"{STARTER}/"): files.data(file) for file in starter}
    today = clock.now().date().isoformat()
    issue = contents["issue.md"].decode("utf-8").replace("{today}", today)
    contents["issue.md"] = issue.encode("utf-8")
    return NewIssue(name, target.create(name, contents))


def new_issue_from(
    name: str,
    previous: IssueFolder,
    *,
    layouts: Callable[[str], Folder],
    target: NewFolder,
    clock: Clock,
) -> NewIssue:
    """Carries the frame of an earlier edition over into a new folder, in all its languages.

    Blocks, contacts and sponsors stay, texts become hints, pictures a placeholder. It is dated the
    same weekday as before, today or later, and events move as many days.

    Raises InputError when the name can't be one, the folder exists, or the edition can't be read.
    """
    _require_name(name)
    faults: list[Fault] = []
    sheets = read_sheets(previous, NOBODY, faults)
    if faults:
        raise InputError(faults)
    today = clock.now().date()
    before = sheets[0].front.date
    day = next_date(before, today)
    contents: dict[str, bytes] = {}
    files: set[str] = set()
    for sheet in sheets:
        own = stack(sheet.front.layout, layouts)
        kinds = load_layout(own, name=sheet.front.layout, whole=False).blocks
        moved = day - before if before else timedelta()
        frame = carry_over(sheet.text, sheet.where, kinds, day=day, moved=moved)
        contents[sheet.file] = frame.text.encode("utf-8")
        files |= frame.files
        if frame.placeholder and PLACEHOLDER not in contents:
            contents[PLACEHOLDER] = _placeholder(own, layouts)
    there = previous.files.names()
    snippets = [each for each in there if each.endswith(".md") and each not in contents]
    shown = "\n".join(previous.files.text(each) for each in snippets)
    files |= {each for each in there if each in shown}
    for each in (*snippets, *sorted(files.intersection(there))):
        contents.setdefault(each, previous.files.data(each))
    return NewIssue(name, target.create(name, contents))


def _placeholder(own: LayoutFiles, layouts: Callable[[str], Folder]) -> bytes:
    """A picture that stands where one is to be chosen: the layout's own, else newsroom's."""
    wanted = f"{STARTER}/picture.jpg"
    return (own if wanted in own.names() else stack("newsroom", layouts)).data(wanted)


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"“{name}” can't be an issue's name.",
            hint="Use small letters, digits and hyphens, such as spring-2026.",
        )

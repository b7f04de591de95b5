"""Makes the folder of a new issue, with an edition that passes the check as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mailer.compose.layout import stack
from mailer.errors import InputError
from mailer.ports import Clock, Folder, NewFolder

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
    if not _NAME.fullmatch(name):
        raise InputError(
            f"“{name}” can't be an issue's name.",
            hint="Use small letters, digits and hyphens, such as spring-2026.",
        )
    files = stack(layout, layouts)
    starter = [file for file in files.names() if file.startswith(f"{STARTER}/")]
    if not starter:
        raise InputError(f"The layout “{layout}” brings no starter edition.")
    contents = {file.removeprefix(f"{STARTER}/"): files.data(file) for file in starter}
    today = clock.now().date().isoformat()
    issue = contents["issue.md"].decode("utf-8").replace("{today}", today)
    contents["issue.md"] = issue.encode("utf-8")
    return NewIssue(name, target.create(name, contents))

"""Begins a layout of one's own: a small folder that extends another, or a whole copy of one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mailer.compose.layout import stack
from mailer.compose.layout_files import STARTER, THEME
from mailer.errors import InputError
from mailer.ports import Folder, NewFolder

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_LAYOUT_LINE = re.compile(r"^layout:.*$", re.MULTILINE)
_EXTENDS = re.compile(r"^extends:.*\n+", re.MULTILINE)
_HEAD = (
    "# The layout `{name}`\n\nIt extends `{base}`: what is not in this folder comes from there.\n"
)


@dataclass(frozen=True, slots=True)
class NewLayout:
    """Where the new layout lies, and the file to begin with."""

    name: str
    path: str
    theme: str


def new_layout(
    name: str,
    *,
    base: str,
    whole: bool,
    layouts: Callable[[str], Folder],
    target: NewFolder,
) -> NewLayout:
    """Makes the folder with the base's colours and fonts to change, and its starter edition.

    With ``whole`` every file of the base is copied, and later versions of it change nothing.
    Raises InputError when the name can't be one, there is no such base, or the folder exists.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"“{name}” can't be a layout's name.",
            hint="Use small letters, digits and hyphens, such as ourpaper.",
        )
    if name == base:
        raise InputError(
            f"A layout can't extend itself: “{name}” is what it begins with.",
            hint="Give it a name of its own.",
        )
    files = stack(base, layouts)
    if whole:
        own = files.folders[0].names()
        contents = {each: files.data(each) for each in own}
    else:
        contents = {each: files.data(each) for each in files.names(STARTER)}
        contents |= {each: files.data(each) for each in files.names("mails/")}
        theme = files.text(THEME) if THEME in files.names() else ""
        theme = f"extends: {base}\n\n{_EXTENDS.sub('', theme)}"
        contents[THEME] = theme.encode()
        contents["README.md"] = _HEAD.format(name=name, base=base).encode()
    for file in contents:
        if file.endswith(".md") and not file.endswith("README.md"):
            text = contents[file].decode("utf-8")
            contents[file] = _LAYOUT_LINE.sub(f"layout: {name}", text, count=1).encode()
    path = target.create(name, contents)
    return NewLayout(name, path, f"{path}/{THEME}")

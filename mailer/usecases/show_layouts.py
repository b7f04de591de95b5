"""Tells which layouts there are, and what the blocks of one take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailer.compose import describing
from mailer.compose.layout import load_layout, stack
from mailer.compose.layout_files import base_of
from mailer.ports import Folder


@dataclass(frozen=True, slots=True)
class LayoutLine:
    """One layout in the list of all."""

    name: str
    own: bool  # it lies in the workspace
    extends: str
    path: str


@dataclass(frozen=True, slots=True)
class ShownOption:
    """One option of a block, in words."""

    name: str
    needed: bool
    takes: str
    what: str


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """One block of a layout, in words."""

    name: str
    what: str
    holds: str
    options: tuple[ShownOption, ...]
    example: str


@dataclass(frozen=True, slots=True)
class ShownLayout:
    """One layout: its blocks, the languages that it speaks, and what it extends."""

    name: str
    path: str
    extends: tuple[str, ...]
    languages: Sequence[str]
    blocks: tuple[ShownBlock, ...]


def show_layouts(
    names: Sequence[tuple[str, bool]], *, layouts: Callable[[str], Folder]
) -> Sequence[LayoutLine]:
    """Lists layouts; ``names`` says of each whether it is the workspace's own."""
    found = []
    for name, own in names:
        folder = layouts(name)
        base = base_of(folder)
        found.append(LayoutLine(name, own, base[1] if base else "", folder.where("")))
    return found


def show_layout(name: str, *, layouts: Callable[[str], Folder]) -> ShownLayout:
    """Describes one layout. Raises InputError when there is none, or it can't be read."""
    files = stack(name, layouts)
    layout = load_layout(files, name=name)
    blocks = tuple(
        ShownBlock(
            kind.name,
            kind.what,
            describing.holds(kind, layout.blocks),
            tuple(
                ShownOption(each.name, each.required, describing.takes(each), each.what)
                for each in kind.options.values()
            ),
            kind.example.strip(),
        )
        for kind in layout.blocks.values()
    )
    extends = tuple(base[1] for folder in files.folders if (base := base_of(folder)))
    where = files.folders[0].where("")
    return ShownLayout(name, where, extends, layout.languages, blocks)

"""Reads a block's file: what the block takes, its MJML, its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mailer.compose.names import did_you_mean
from mailer.compose.source import yaml_pairs
from mailer.compose.templates import MARKUP, TEXT, Source
from mailer.errors import Fault, InputError

BODIES = ("markdown", "items", "table", "blocks", "none")
TYPES = (
    "text", "inline", "picture", "links", "words", "choice", "flag", "url", "moment", "zone",
)  # fmt: skip
# Names that templates know already.
SPOKEN_FOR = (
    "when", "body", "first", "references", "blocks", "t", "w", "issue", "art", "calendar",
    "position", "count", "outer",
)  # fmt: skip
_TEXT_PART = re.compile(r"^\{#[ \t]*text[ \t]*#\}[ \t]*$", re.MULTILINE)
_OPTION_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class OptionKind:
    """What one option of a block takes."""

    name: str
    type: str
    required: bool = False
    default: str | None = None
    among: tuple[str, ...] = ()
    what: str = ""
    width: int = 600  # the width at which a picture is shown, in CSS pixels
    fixed: bool = False  # it can't hold personal text
    mark: str = ""  # `play`: a picture that gets a play mark


@dataclass(frozen=True, slots=True)
class BlockKind:
    """One block of a layout, as its file describes it."""

    name: str
    what: str
    body: str
    options: Mapping[str, OptionKind]
    example: str
    markup: Source
    text: Source
    file: str
    inside: tuple[str, ...] = ()  # the blocks in which it stands; none: it stands in the issue
    least: int = 1  # of a body of blocks: how few and how many it holds
    most: int = 50

    def alt_of(self, picture: str) -> str | None:
        """Returns the option that describes a picture in words, if the block has one."""
        if picture == "picture" and "alt" in self.options:
            return "alt"
        for name in (f"{picture}_alt", f"{picture}alt"):
            if name in self.options:
                return name
        pictures = [each for each in self.options.values() if each.type == "picture"]
        return "alt" if len(pictures) == 1 and "alt" in self.options else None


class Blocks(Mapping[str, BlockKind]):
    """The blocks of a layout by name: each is read and compiled when it is asked for.

    That raises InputError with the faults of its file. An issue uses a few of them, and half of
    its time would go into the others.
    """

    def __init__(
        self, sources: Mapping[str, Source], compile_: Callable[[Source, str], Any]
    ) -> None:
        self._sources = sources
        self._compile = compile_
        self._read: dict[str, BlockKind] = {}

    def __getitem__(self, name: str) -> BlockKind:
        if name not in self._read:
            faults: list[Fault] = []
            kind = read_block(name, self._sources[name], faults)
            if kind is None or faults:
                raise InputError(faults)
            for source, how in ((kind.markup, MARKUP), (kind.text, TEXT)):
                try:
                    self._compile(source, how)
                except InputError as error:
                    faults += error.faults
            if faults:
                raise InputError(faults)
            self._read[name] = kind
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


def read_block(name: str, source: Source, faults: list[Fault]) -> BlockKind | None:
    """Cuts a block's file into its description, its MJML and its text."""
    text, file = source.text, source.file
    start = text.find("{#")
    end = text.find("#}", start)
    if start < 0 or end < 0 or text[:start].strip():
        faults.append(
            Fault(
                "A block's file begins with a comment that says what the block takes.",
                file,
                1,
                "Write `{#`, `what: …`, `body: markdown`, `options: …`, `#}`.",
                rule="layout",
            )
        )
        return None
    cut = _TEXT_PART.search(text, end)
    if cut is None:
        faults.append(
            Fault(
                "The block has no text part.",
                file,
                text.count("\n") + 1,
                "Write a line `{# text #}`, then the block as plain text.",
                rule="layout",
            )
        )
        return None
    first = text.count("\n", 0, start + 2) + 1
    about = text[start + 2 : end]
    numbers = tuple(range(first, first + about.count("\n") + 1))
    described = _describe(about, numbers, file, faults)
    rest = end + 2
    return BlockKind(
        name=name,
        markup=Source(source.name, file, text[rest : cut.start()], _line(text, rest)),
        text=Source(
            f"{source.name}#text",
            file,
            text[cut.end() :].removeprefix("\n"),
            _line(text, cut.end()) + 1,
        ),
        file=file,
        **described,
    )


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _describe(
    about: str, numbers: tuple[int, ...], file: str, faults: list[Fault]
) -> dict[str, Any]:
    found: dict[str, Any] = {"what": "", "body": "none", "options": {}, "example": ""}
    found |= {"inside": (), "least": 1, "most": 50}
    for key, node, line in yaml_pairs(about, numbers, file, faults):
        if key not in found:
            faults.append(_fault(f"`{key}` says nothing about a block.", file, line, key, found))
        elif key == "options":
            if isinstance(node, MappingNode):
                found["options"] = _options(node, numbers, file, faults)
            elif not (isinstance(node, ScalarNode) and not node.value):
                faults.append(Fault("`options` is a list of options.", file, line, rule="layout"))
        elif key == "inside":
            found["inside"] = _words(node)
        elif not isinstance(node, ScalarNode):
            faults.append(Fault(f"`{key}` is a text.", file, line, rule="layout"))
        elif key in ("least", "most"):
            if node.value.isdecimal():
                found[key] = int(node.value)
            else:
                faults.append(Fault(f"`{key}` is a number.", file, line, rule="layout"))
        elif key == "body" and node.value not in BODIES:
            faults.append(
                _fault(f"`{node.value}` is no body of a block.", file, line, node.value, BODIES)
            )
        else:
            found[key] = node.value
    return found


def _options(
    node: MappingNode, numbers: tuple[int, ...], file: str, faults: list[Fault]
) -> dict[str, OptionKind]:
    options: dict[str, OptionKind] = {}
    for key_node, value in node.value:
        line = numbers[min(key_node.start_mark.line, len(numbers) - 1)]
        name = str(key_node.value)
        if not _OPTION_NAME.match(name) or name in SPOKEN_FOR or name in options:
            faults.append(Fault(f"`{name}` can't name an option.", file, line, rule="layout"))
        elif not isinstance(value, MappingNode):
            faults.append(Fault(f"`{name}` wants `{{type: …}}`.", file, line, rule="layout"))
        else:
            options[name] = _option(name, value, line, file, faults)
    return options


def _option(name: str, node: MappingNode, line: int, file: str, faults: list[Fault]) -> OptionKind:
    said: dict[str, Any] = {"name": name, "type": "text"}
    keys = ("type", "required", "default", "among", "what", "width", "fixed", "mark")
    for key_node, value in node.value:
        key = str(key_node.value)
        if key not in keys:
            faults.append(_fault(f"`{key}` says nothing about an option.", file, line, key, keys))
        elif key == "among":
            said["among"] = _words(value)
        elif not isinstance(value, ScalarNode):
            faults.append(Fault(f"`{key}` of `{name}` is one word.", file, line, rule="layout"))
        elif key in ("required", "fixed"):
            said[key] = value.value == "true"
        elif key == "width":
            said["width"] = int(value.value) if value.value.isdecimal() else 600
        else:
            said[key] = value.value
    kind = OptionKind(**said)
    if kind.type not in TYPES:
        faults.append(_fault(f"`{kind.type}` is no type.", file, line, kind.type, TYPES))
    if kind.mark not in ("", "play"):
        faults.append(_fault(f"`{kind.mark}` is no mark.", file, line, kind.mark, ("play",)))
    if kind.type == "choice" and not kind.among:
        faults.append(
            Fault(f"The choice `{name}` wants `among: [ … ]`.", file, line, rule="layout")
        )
    return kind


def _words(node: Node) -> tuple[str, ...]:
    if isinstance(node, SequenceNode):
        return tuple(str(each.value) for each in node.value)
    return tuple(str(node.value).split())


def _fault(message: str, file: str, line: int, name: str, known: Any) -> Fault:
    return Fault(message, file, line, did_you_mean(str(name), known, kind="words"), rule="layout")

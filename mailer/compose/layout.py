"""Loads a layout: its blocks and what each takes, its templates, brand tokens and rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mailer.compose.names import did_you_mean
from mailer.compose.source import clean, yaml_pairs
from mailer.compose.templates import MARKUP, TEXT, Source, Templates
from mailer.errors import Fault, InputError

BODIES = ("markdown", "items", "none")
TYPES = ("text", "inline", "picture", "links", "words", "choice", "flag", "url")
SPOKEN_FOR = ("when", "body", "first", "references", "blocks", "t", "issue")
_TEXT_PART = re.compile(r"^\{#[ \t]*text[ \t]*#\}[ \t]*$", re.MULTILINE)
_OPTION_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class LayoutFiles(Protocol):
    """The files of one layout."""

    def text(self, name: str) -> str: ...

    def names(self, under: str = "") -> Sequence[str]: ...

    def where(self, name: str) -> str: ...


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

    def alt_of(self, picture: str) -> str | None:
        """Returns the option that describes a picture in words, if the block has one."""
        if picture == "picture" and "alt" in self.options:
            return "alt"
        for name in (f"{picture}_alt", f"{picture}alt"):
            if name in self.options:
                return name
        pictures = [each for each in self.options.values() if each.type == "picture"]
        return "alt" if len(pictures) == 1 and "alt" in self.options else None


@dataclass(frozen=True, slots=True)
class Layout:
    """A loaded layout; it can compose any number of issues."""

    name: str
    blocks: Mapping[str, BlockKind]
    document: Source
    text_document: Source
    theme: Mapping[str, Any]
    style_css: Source
    media_css: Source
    templates: Templates
    words: tuple[str, ...]  # every text of the layout, so that no sentinel occurs in it


class _Blocks(Mapping[str, BlockKind]):
    """Describes and compiles a block when it is asked for: an issue uses a few of them."""

    def __init__(self, files: Mapping[str, Source], compile_: Callable[[BlockKind], None]) -> None:
        self._files = files
        self._compile = compile_
        self._known: dict[str, BlockKind] = {}

    def __getitem__(self, name: str) -> BlockKind:
        """Returns a block; raises KeyError, or InputError with every fault of its file."""
        if name not in self._known:
            faults: list[Fault] = []
            kind = _block(name, self._files[name], faults)
            if faults or kind is None:
                raise InputError(faults)
            self._compile(kind)
            self._known[name] = kind
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._files  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def load_layout(files: LayoutFiles, *, name: str, whole: bool = True) -> Layout:
    """Loads a layout; raises InputError with every fault, each with its file and line.

    Unless it is read as a ``whole``, each block is read when it is first asked for, and tells its
    faults then: half of the time that an issue takes would go into blocks that it does not use.
    """
    faults: list[Fault] = []
    known = set(files.names())
    words: list[str] = []

    def read(path: str, *, needed: bool = True) -> Source:
        where = files.where(path)
        if path not in known:
            if needed:
                faults.append(Fault(f"The layout has no `{path}`.", where, rule="layout"))
            return Source(path, where, "")
        text = clean(files.text(path), where, faults)
        words.append(text)
        return Source(path, where, text)

    document = read("layout.mjml")
    text_document = read("layout.txt")
    theme = _theme(read("theme.yaml", needed=False), faults)
    style, media = read("style.css", needed=False), read("media.css", needed=False)
    found: dict[str, Source] = {}
    partials: dict[str, Source] = {}
    for path in sorted(known):
        folder, _, leaf = path.rpartition("/")
        if leaf.startswith("_") and leaf.endswith((".mjml", ".txt")):
            partials[path] = read(path)  # what others include
        elif folder == "blocks" and leaf.endswith(".mjml"):
            found[leaf.removesuffix(".mjml")] = read(path)
    if "text" not in found or not found["text"].text.strip():
        faults.append(
            Fault(
                "The layout has no block `text`, which shows plain Markdown.",
                files.where("blocks/text.mjml"),
                rule="layout",
            )
        )
    templates = Templates(partials)

    def compile_block(kind: BlockKind) -> None:
        _compile(templates, [(kind.markup, MARKUP), (kind.text, TEXT)])

    blocks = _Blocks(found, compile_block)
    for block in blocks if whole else ():
        _gather(faults, blocks.__getitem__, block)
    frame = [(document, MARKUP), (text_document, TEXT), (style, TEXT), (media, TEXT)]
    _gather(faults, _compile, templates, frame)
    if faults:
        raise InputError(faults)
    return Layout(
        name, blocks, document, text_document, theme, style, media, templates, tuple(words)
    )


def _gather(faults: list[Fault], act: Callable[..., object], *values: object) -> None:
    try:
        act(*values)
    except InputError as error:
        faults += error.faults


def _compile(templates: Templates, sources: Sequence[tuple[Source, str]]) -> None:
    """Compiles templates now, so that all their faults are told together."""
    faults: list[Fault] = []
    for source, how in sources:
        _gather(faults, templates.compile, source, how)
    if faults:
        raise InputError(faults)


def _block(name: str, source: Source, faults: list[Fault]) -> BlockKind | None:
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
    for key, node, line in yaml_pairs(about, numbers, file, faults):
        if key not in found:
            faults.append(_fault(f"`{key}` says nothing about a block.", file, line, key, found))
        elif key == "options":
            if isinstance(node, MappingNode):
                found["options"] = _options(node, numbers, file, faults)
            elif not (isinstance(node, ScalarNode) and not node.value):
                faults.append(Fault("`options` is a list of options.", file, line, rule="layout"))
        elif not isinstance(node, ScalarNode):
            faults.append(Fault(f"`{key}` is a text.", file, line, rule="layout"))
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
    keys = ("type", "required", "default", "among", "what", "width")
    for key_node, value in node.value:
        key = str(key_node.value)
        if key not in keys:
            faults.append(_fault(f"`{key}` says nothing about an option.", file, line, key, keys))
        elif key == "among":
            said["among"] = _words(value)
        elif not isinstance(value, ScalarNode):
            faults.append(Fault(f"`{key}` of `{name}` is one word.", file, line, rule="layout"))
        elif key == "required":
            said["required"] = value.value == "true"
        elif key == "width":
            said["width"] = int(value.value) if value.value.isdecimal() else 600
        else:
            said[key] = value.value
    kind = OptionKind(**said)
    if kind.type not in TYPES:
        faults.append(_fault(f"`{kind.type}` is no type.", file, line, kind.type, TYPES))
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


def _theme(source: Source, faults: list[Fault]) -> dict[str, Any]:
    """Reads brand tokens; they may be grouped one level deep."""
    numbers = tuple(range(1, source.text.count("\n") + 2))
    theme: dict[str, Any] = {}
    for key, node, line in yaml_pairs(source.text, numbers, source.file, faults):
        if isinstance(node, ScalarNode):
            theme[key] = _token(node)
        elif isinstance(node, MappingNode) and all(
            isinstance(value, ScalarNode) for _, value in node.value
        ):
            theme[key] = {str(name.value): _token(value) for name, value in node.value}
        else:
            faults.append(
                Fault(
                    f"`{key}` is a token, or a group of tokens.", source.file, line, rule="layout"
                )
            )
    return theme


def _token(node: ScalarNode) -> str | int | bool:
    """Returns a whole number as a number, so that templates can count; all else as spelled."""
    value = str(node.value)
    if str(node.tag).endswith(":int") and value.isdecimal():
        return int(value)
    if str(node.tag).endswith(":bool"):
        return value.lower() == "true"
    return value

"""Loads a layout: its blocks and what each takes, its templates, brand tokens and rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.nodes import ScalarNode

from mailer.compose.block_kinds import BlockKind, Blocks, OptionKind
from mailer.compose.layout_files import THEME, LayoutFiles, Stack, stack
from mailer.compose.source import clean, yaml_pairs
from mailer.compose.templates import MARKUP, TEXT, Source, Templates
from mailer.compose.theme import Theme, read_theme
from mailer.errors import Fault, InputError

__all__ = [
    "BlockKind",
    "Layout",
    "LayoutFiles",
    "OptionKind",
    "Stack",
    "load_layout",
    "stack",
]

FALLBACK = "en"  # the language whose words stand in for those of another


@dataclass(frozen=True, slots=True)
class Layout:
    """A loaded layout; it can compose any number of issues."""

    name: str
    blocks: Mapping[str, BlockKind]
    document: Source
    text_document: Source
    brand: Theme
    style_css: tuple[Source, ...]  # of the layouts that it extends first, its own last
    media_css: tuple[Source, ...]
    templates: Templates
    texts: tuple[str, ...]  # every text of the layout, so that no sentinel occurs in it
    picture: Callable[[str], bytes]  # a picture of the layout's own, by its file's name
    word_sources: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    _said: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def theme(self) -> Mapping[str, Any]:
        """Its brand tokens, as templates see them."""
        return self.brand.tokens

    @property
    def languages(self) -> Sequence[str]:
        """The languages in which it can say its own words."""
        return sorted(self.word_sources)

    def words(self, language: str) -> Mapping[str, str]:
        """Returns what the layout itself says in a language; raises InputError.

        ``pt-BR`` is looked for, then ``pt``; what is missing there is said in English.
        """
        tag = language.lower()
        if tag not in self._said:
            said: dict[str, str] = {}
            faults: list[Fault] = []
            for each in dict.fromkeys((FALLBACK, tag.split("-")[0], tag)):
                for source in self.word_sources.get(each, ()):
                    said |= _read_words(source, faults)
            if faults:
                raise InputError(faults)
            self._said[tag] = said
        return self._said[tag]


def load_layout(files: LayoutFiles | Stack[Any], *, name: str, whole: bool = True) -> Layout:
    """Loads a layout; raises InputError with every fault, each with its file and line.

    ``whole`` reads and compiles every block and word now, so that all faults are told together;
    otherwise each is read when an issue uses it. Brand tokens are always held to their contrast.
    """
    faults: list[Fault] = []
    folders = files.folders if isinstance(files, Stack) else (files,)
    holds = [frozenset(each.names()) for each in folders]  # asked once: the folder is walked
    known = frozenset().union(*holds)
    texts: list[str] = []

    def read(path: str, folder: LayoutFiles = files) -> Source:
        text = clean(folder.text(path), folder.where(path), faults)
        texts.append(text)
        return Source(path, folder.where(path), text)

    def needed(path: str) -> Source:
        if path in known:
            return read(path)
        faults.append(Fault(f"The layout has no `{path}`.", files.where(path), rule="layout"))
        return Source(path, files.where(path), "")

    def every(path: str) -> tuple[Source, ...]:
        """The file of each layout in the stack, under a name of its own."""
        found = [
            read(path, each)
            for each, names in zip(reversed(folders), reversed(holds), strict=True)
            if path in names
        ]
        return tuple(
            Source(f"{path}#{number}", each.file, each.text) for number, each in enumerate(found)
        )

    document, text_document = needed("layout.mjml"), needed("layout.txt")
    brand = read_theme(every(THEME), faults)
    style, media = every("style.css"), every("media.css")
    blocks: dict[str, Source] = {}
    partials: dict[str, Source] = {}
    words: dict[str, tuple[Source, ...]] = {}
    for path in sorted(known):
        folder, _, leaf = path.rpartition("/")
        if leaf.startswith("_") and leaf.endswith((".mjml", ".txt")):
            partials[path] = read(path)  # what others include
        elif folder == "blocks" and leaf.endswith(".mjml"):
            blocks[leaf.removesuffix(".mjml")] = read(path)
        elif folder == "words" and leaf.endswith(".yaml"):
            words[leaf.removesuffix(".yaml").lower()] = every(path)
    if "text" not in blocks or not blocks["text"].text.strip():
        message = "The layout has no block `text`, which shows plain Markdown."
        faults.append(Fault(message, files.where("blocks/text.mjml"), rule="layout"))
    templates = Templates(partials)
    layout = Layout(
        name,
        Blocks(blocks, templates.compile),
        document,
        text_document,
        brand,
        style,
        media,
        templates,
        tuple(texts),
        files.data,
        words,
    )
    if whole:
        faults += _unreadable(layout)
    faults += _torn(layout)
    if faults:
        raise InputError(faults)
    return layout


def _unreadable(layout: Layout) -> list[Fault]:
    """Reads every block and every word; returns their faults."""
    faults: list[Fault] = []
    for name in layout.blocks:
        try:
            layout.blocks[name]
        except InputError as error:
            faults += error.faults
    for sources in layout.word_sources.values():
        for source in sources:
            _read_words(source, faults)
    return faults


def _torn(layout: Layout) -> list[Fault]:
    """Compiles the frame; returns its faults."""
    faults: list[Fault] = []
    sources = [(layout.document, MARKUP), (layout.text_document, TEXT)]
    sources += [(each, TEXT) for each in (*layout.style_css, *layout.media_css)]
    for source, how in sources:
        try:
            layout.templates.compile(source, how)
        except InputError as error:
            faults += error.faults
    return faults


def _read_words(source: Source, faults: list[Fault]) -> dict[str, str]:
    """Reads one language's words: a flat list of ``key: value``."""
    numbers = tuple(range(1, source.text.count("\n") + 2))
    said: dict[str, str] = {}
    for key, node, line in yaml_pairs(source.text, numbers, source.file, faults):
        if isinstance(node, ScalarNode):
            said[key] = str(node.value)
        else:
            faults.append(Fault(f"`{key}` is one line of words.", source.file, line, rule="layout"))
    return said

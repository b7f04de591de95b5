"""Writes the plain-text part from the tokens that also make the HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from mailer.compose.footnotes import NOTE, raised
from mailer.compose.joining import SLOT_TAGS
from mailer.compose.markdown import Parsed
from mailer.compose.wrapping import WIDTH, columns, wrapped

_GAP = "  "  # between the columns of a table


@dataclass(slots=True)
class References:
    """Numbers the links of an issue: each has one number, and is written out once."""

    numbers: dict[str, int] = field(default_factory=dict)
    fresh: list[str] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)

    def number(self, url: str) -> int:
        """Returns a link's number."""
        number = self.numbers.setdefault(url, len(self.numbers) + 1)
        if url not in self.listed and url not in self.fresh:
            self.fresh.append(url)
        return number

    def take(self, *, for_all: bool = True) -> list[str]:
        """Returns the lines ``[1] https://…`` that a block adds.

        A block that not everybody gets (``for_all`` is false) lists its links for those who do;
        a later block lists them again for the others.
        """
        lines = [f"[{self.numbers[url]}] {url}" for url in self.fresh]
        if for_all:
            self.listed.update(self.fresh)
        self.fresh = []
        return lines


def text_of(parsed: Parsed, references: References, *, width: int = WIDTH) -> str:
    """Returns a parsed body as plain text with LF line ends."""
    return "\n".join(_blocks(SyntaxTreeNode(parsed.tokens).children, references, width))


def text_of_nodes(nodes: Sequence[SyntaxTreeNode], references: References) -> str:
    """Returns some blocks of a parsed body as plain text, not wrapped."""
    return "\n".join(_blocks(nodes, references, 10_000))


def inline_text(tokens: Iterable[Token], references: References) -> str:
    """Returns inline tokens as one line of plain text."""
    return _inline(SyntaxTreeNode(list(tokens)).children, references).replace("\n", " ")


def heading(text: str, width: int = WIDTH, *, sign: str = "-") -> list[str]:
    """Returns a heading: its lines, and a line of signs as wide as the widest of them."""
    lines = wrapped(text, width)
    return [*lines, sign * max(1, *map(columns, lines))]


def tidy(text: str) -> str:
    """Takes off blanks at line ends and all but one of several blank lines."""
    lines: list[str] = []
    for line in text.split("\n"):
        line = line.rstrip(" \t")
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip("\n") + "\n"


def _blocks(nodes: Sequence[SyntaxTreeNode], references: References, width: int) -> list[str]:
    """Joins blocks by blank lines, but none behind a tag: its line goes, and one must be left."""
    lines: list[str] = []
    after_tag = True
    for node in nodes:
        piece = _block(node, references, width)
        if not piece:
            continue
        if not after_tag:
            lines.append("")
        lines += piece
        after_tag = node.type == SLOT_TAGS
    return lines


def _block(node: SyntaxTreeNode, references: References, width: int) -> list[str]:
    if node.type == SLOT_TAGS:
        return [slot.sentinel for slot in node.meta["slots"]]
    if node.type == "heading":
        return heading(_inline(node.children[0].children, references), width)
    if node.type in ("paragraph", "inline"):
        inner = node.children[0].children if node.type != "inline" else node.children
        return wrapped(_inline(inner, references), width)
    if node.type in ("bullet_list", "ordered_list"):
        return _list(node, references, width)
    if node.type == "blockquote":
        inside = _blocks(node.children, references, width - 2)
        return [f"> {line}".rstrip() for line in inside]
    if node.type == "hr":
        return ["* * *"]
    if node.type in ("fence", "code_block"):
        return [f"    {line}".rstrip() for line in node.content.rstrip("\n").split("\n")]
    if node.type == "table":
        return _table(node, references, width)
    return _blocks(node.children, references, width)


def _list(node: SyntaxTreeNode, references: References, width: int) -> list[str]:
    lines: list[str] = []
    number = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else 0
    for item in node.children:
        if item.type == SLOT_TAGS:
            lines += _block(item, references, width)
            continue
        mark = f"{number}. " if node.type == "ordered_list" else "- "
        indent = " " * len(mark)
        inside = _blocks(item.children, references, width - len(mark)) or [""]
        loose = any(child.type == "paragraph" and not child.hidden for child in item.children)
        if lines and loose:
            lines.append("")
        lines.append(mark + inside[0])
        lines += [(indent + line).rstrip() for line in inside[1:]]
        number += 1
    return lines


def _table(node: SyntaxTreeNode, references: References, width: int) -> list[str]:
    """Lines a table up when it fits; else writes each row as ``Heading: value`` lines."""
    rows = [
        [_inline(cell.children[0].children, references).replace("\n", " ") for cell in row.children]
        for part in node.children
        for row in part.children
        if row.type == "tr"
    ]
    heads, values = rows[0], rows[1:]
    widths = [max(columns(row[column]) for row in rows) for column in range(len(heads))]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
        ruler = ["-" * each for each in widths]
        return [
            _GAP.join(_padded(cell, each) for cell, each in zip(row, widths, strict=True)).rstrip()
            for row in [heads, ruler, *values]
        ]
    lines: list[str] = []
    for row in values:
        if lines:
            lines.append("")
        for head, value in zip(heads, row, strict=True):
            lines += wrapped(f"{head}: {value}" if head else value, width, later="  ")
    return lines


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - columns(cell))


def _inline(nodes: Iterable[SyntaxTreeNode], references: References) -> str:
    return "".join(_inline_one(node, references) for node in nodes)


def _inline_one(node: SyntaxTreeNode, references: References) -> str:
    if node.type in ("text", "code_inline"):
        return node.content
    if node.type == NOTE:
        return raised(node.meta)
    if node.type == "softbreak":
        return " "
    if node.type == "hardbreak":
        return "\n"
    if node.type == "link":
        return _link(node, references)
    return _inline(node.children, references)


def _link(node: SyntaxTreeNode, references: References) -> str:
    label = _inline(node.children, references)
    url = str(node.attrs.get("href", ""))
    address = url.removeprefix("mailto:").split("?", 1)[0]
    if label in (url, address):
        return label
    if url.startswith("mailto:"):
        return f"{label} ({address})"
    return f"{label} [{references.number(url)}]"

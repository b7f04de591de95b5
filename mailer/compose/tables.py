"""Reads a body that is one table, so that a layout can write its headings as headings."""

from __future__ import annotations

from dataclasses import dataclass

from markdown_it.tree import SyntaxTreeNode
from markupsafe import Markup

from mailer.compose.items import NotAList
from mailer.compose.markdown import Markdown, Parsed
from mailer.compose.text import References, text_of


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; ``align`` is left, center or right when the author said so, else empty."""

    html: str  # Markup
    align: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its headings, its rows, and the whole as plain text."""

    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    text: str


def table_of(parsed: Parsed, markdown: Markdown, references: References) -> Table:
    """Returns the table; raises NotAList when the body holds anything else."""
    nodes = SyntaxTreeNode(parsed.tokens).children
    for node in nodes[1:] if nodes and nodes[0].type == "table" else nodes:
        raise NotAList(node.map[0] if node.map else 0)
    if not nodes:
        raise NotAList(0)
    rows = []
    for part in nodes[0].children:
        for row in part.children:
            if row.type != "tr":
                raise NotAList(row.map[0] if row.map else 0)
            rows.append(tuple(_cell(cell, markdown) for cell in row.children))
    return Table(rows[0], tuple(rows[1:]), text_of(parsed, references))


def _cell(cell: SyntaxTreeNode, markdown: Markdown) -> Cell:
    tokens = [token for child in cell.children for token in child.to_tokens()]
    html = Markup(markdown.html_of(tokens))  # noqa: S704  # our own HTML
    align = str(cell.attrs.get("style", "")).removeprefix("text-align:")
    return Cell(html, align)

"""Reads a body that is one list, such as a digest: each item by itself."""

from __future__ import annotations

from dataclasses import dataclass

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from markupsafe import Markup

from mailer.compose.markdown import Markdown, Parsed
from mailer.compose.text import References, text_of_nodes


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list."""

    html: str  # Markup
    text: str


class NotAList(ValueError):  # noqa: N818  # it is about the author's text
    """The body holds something else; ``offset`` is its line, counted from zero."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def items_of(parsed: Parsed, markdown: Markdown, references: References) -> list[Item]:
    """Returns the items of a body; raises NotAList when it is not one list and nothing else."""
    tree = SyntaxTreeNode(parsed.tokens)
    lists = tree.children
    for node in lists[1:] if lists and lists[0].type in _LISTS else lists:
        raise NotAList(node.map[0] if node.map else 0)
    if not lists:
        raise NotAList(0)
    return [_item(node, markdown, references) for node in lists[0].children]


_LISTS = ("bullet_list", "ordered_list")


def _item(node: SyntaxTreeNode, markdown: Markdown, references: References) -> Item:
    if node.type != "list_item":
        raise NotAList(node.map[0] if node.map else 0)
    tokens: list[Token] = [token for child in node.children for token in child.to_tokens()]
    html = Markup(markdown.html_of(tokens))  # noqa: S704  # our own HTML
    return Item(html, text_of_nodes(node.children, references))

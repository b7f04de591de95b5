"""Gives every block of an issue the values that its templates take."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from mailer.compose.directives import Block, Body
from mailer.compose.items import NotAList, items_of
from mailer.compose.layout import BlockKind
from mailer.compose.markdown import Markdown
from mailer.compose.names import did_you_mean
from mailer.compose.options import Gallery, OptionReader, Values
from mailer.compose.reading import Issue
from mailer.compose.text import References, text_of
from mailer.errors import Fault, InputError
from mailer.model.words import Slot, SlotKind


@dataclass(frozen=True, slots=True)
class Filled:
    """One block with its values, ready for its two templates."""

    kind: BlockKind
    values: Values
    when: tuple[Slot, Slot] | None


class Filler:
    """Walks the parts of an issue once and gathers faults."""

    def __init__(self, issue: Issue, gallery: Gallery, faults: list[Fault]) -> None:
        self.issue = issue
        self.layout = issue.layout
        self.lifter = issue.lifter
        self.faults = faults
        self.markdown = Markdown(issue.front.lang, self.lifter, faults)
        self.references = References()
        self.options = OptionReader(self.markdown, self.lifter, self.references, gallery, faults)

    def fill(self) -> list[Filled]:
        """Turns every part of the body into a block with values, and gathers faults."""
        filled = [
            one
            for part in self.issue.parts
            if (one := self._block(part) if isinstance(part, Block) else self._plain(part))
        ]
        for number, one in enumerate(filled):
            one.values.both("first", number == 0)
        return filled

    def _kind(self, name: str) -> BlockKind | None:
        """Returns a block of the layout, or gathers what is wrong with its file."""
        try:
            return self.layout.blocks[name]
        except InputError as error:
            self.faults += (fault for fault in error.faults if fault not in self.faults)
            return None

    def _plain(self, body: Body) -> Filled | None:
        kind = self._kind("text")
        if kind is None:
            return None
        values = self.options.read(Block("text", body.line(0), 3, body=body), kind)
        self._markdown(values, body, "Give each block its condition: `::: story when='…'`.")
        values.text["references"] = self.references.take()
        return Filled(kind, values, None)

    def _block(self, block: Block) -> Filled | None:
        if block.name not in self.layout.blocks:
            hint = did_you_mean(block.name, self.layout.blocks, kind="blocks")
            self._fault(f"There is no block `{block.name}`.", block.line, hint)
            return None
        kind = self._kind(block.name)
        if kind is None:
            return None
        values = self.options.read(block, kind)
        for child in block.children:
            self._fault(
                f"`{block.name}` holds text, not blocks.", child.line, "Close it before this line."
            )
        if kind.body == "markdown":
            self._markdown(values, block.body, "")
        elif kind.body == "items":
            self._items(values, block)
        elif not block.body.empty:
            first = next(n for n, row in enumerate(block.body.text.split("\n")) if row.strip())
            self._fault(
                f"`{block.name}` takes options and no text.",
                block.body.line(first),
                "Put the text outside of it, into a block of its own.",
            )
        values.text["references"] = self.references.take()
        return Filled(kind, values, self._when(block))

    def _markdown(self, values: Values, body: Body, remedy: str) -> None:
        parsed = self.markdown.parse(body, on_open=remedy)
        values.markup["body"] = Markup(self.markdown.html(parsed))  # noqa: S704  # our own HTML
        values.text["body"] = text_of(parsed, self.references)

    def _items(self, values: Values, block: Block) -> None:
        parsed = self.markdown.parse(block.body)
        try:
            items = items_of(parsed, self.markdown, self.references)
        except NotAList as error:
            self._fault(
                f"`{block.name}` holds one list and nothing else.",
                block.body.line(error.offset),
                "Begin each item with `- `.",
            )
            return
        values.both("body", items)

    def _when(self, block: Block) -> tuple[Slot, Slot] | None:
        option = block.options.get("when")
        if option is None:
            return None
        condition = (option.value or "").strip()
        if not condition or self.lifter.found(condition) or "%}" in condition:
            self._fault(
                "`when` is a condition without braces.",
                option.line,
                "Write `when='city == \"Geneva\"'`.",
            )
            return None
        opens = self.lifter.take(SlotKind.tag, f"if {condition}", option.line)
        closes = self.lifter.take(SlotKind.tag, "endif", option.line)
        return self.lifter.slots[opens], self.lifter.slots[closes]

    def _fault(self, message: str, line: int, hint: str) -> None:
        self.faults.append(Fault(message, self.lifter.where, line, hint, rule="blocks"))

"""Gives every block of an issue the values that its templates take."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from mailer.compose.block_kinds import BlockKind
from mailer.compose.directives import Block, Body
from mailer.compose.items import NotAList, items_of
from mailer.compose.languages import WELL_FORMED, direction
from mailer.compose.markdown import Markdown
from mailer.compose.names import did_you_mean
from mailer.compose.options import Gallery, OptionReader, Values
from mailer.compose.reading import Issue
from mailer.compose.speech import Speech
from mailer.compose.tables import table_of
from mailer.compose.text import References, text_of
from mailer.errors import Fault, InputError
from mailer.model.words import Slot, SlotKind


@dataclass(frozen=True, slots=True)
class Filled:
    """One block with its values, ready for its two templates."""

    kind: BlockKind
    values: Values
    when: tuple[Slot, Slot] | None
    children: tuple[Filled, ...] = ()
    line: int = 0  # where the author wrote it
    speech: Speech | None = None  # its own language and direction, if not the issue's


class Filler:
    """Walks the parts of an issue once and gathers faults."""

    def __init__(self, issue: Issue, gallery: Gallery, faults: list[Fault]) -> None:
        self.issue = issue
        self.layout = issue.layout
        self.lifter = issue.lifter
        self.faults = faults
        front = issue.front
        self.markdown = Markdown(front.lang, self.lifter, faults, direction=front.dir)
        self.speech: Speech | None = None  # of the block that is being filled
        self.references = References()
        self.options = OptionReader(
            self.markdown, self.lifter, self.references, gallery, faults, issue.front.lang
        )

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

    def _plain(self, body: Body) -> Filled | None:
        kind = self._kind("text", body.line(0))
        if kind is None:
            return None
        values = self.options.read(Block("text", body.line(0), 3, body=body), kind)
        self._markdown(values, body, "Give each block its condition: `::: story when='…'`.")
        values.text["references"] = self.references.take()
        return Filled(kind, values, None)

    def _block(self, block: Block, outer: BlockKind | None = None) -> Filled | None:
        kind = self._kind(block.name, block.line)
        if kind is None or not self._placed(block, kind, outer):
            return None
        if outer is not None:
            return self._filled(block, kind, outer)
        front = self.issue.front
        self.speech = self._speech(block)
        spoken = self.speech or Speech(front.lang, front.dir)
        self.options.language = spoken.lang
        with self.markdown.speaking(spoken.lang, spoken.dir):
            done = self._filled(block, kind, None)
        self.speech, self.options.language = None, front.lang
        return done

    def _filled(self, block: Block, kind: BlockKind, outer: BlockKind | None) -> Filled:
        values = self.options.read(block, kind)
        children: tuple[Filled, ...] = ()
        if kind.body == "blocks":
            children = self._children(block, kind)
        else:
            for child in block.children:
                message = f"`{block.name}` holds text, not blocks."
                self._fault(message, child.line, "Close it before this line.")
        if kind.body == "markdown":
            self._markdown(values, block.body, "")
        elif kind.body in ("items", "table"):
            self._list_or_table(values, block, kind)
        elif not block.body.empty:
            first = next(n for n, row in enumerate(block.body.text.split("\n")) if row.strip())
            holds = "blocks" if kind.body == "blocks" else "options"
            self._fault(
                f"`{block.name}` takes {holds} and no text.",
                block.body.line(first),
                "Put the text outside of it, into a block of its own.",
            )
        values.text["references"] = self.references.take(for_all=block.options.get("when") is None)
        return Filled(kind, values, self._when(block, outer), children, block.line, self.speech)

    def _kind(self, name: str, line: int) -> BlockKind | None:
        if name not in self.layout.blocks:
            hint = did_you_mean(name, self.layout.blocks, kind="blocks")
            self._fault(f"There is no block `{name}`.", line, hint)
            return None
        try:
            return self.layout.blocks[name]
        except InputError as error:  # the block's own file is wrong
            self.faults += [each for each in error.faults if each not in self.faults]
            return None

    def _placed(self, block: Block, kind: BlockKind, outer: BlockKind | None) -> bool:
        """Holds that a block stands where it can."""
        if outer is None and kind.inside:
            inside = "` or `".join(kind.inside)
            message = f"`{block.name}` stands inside of `{inside}`."
            hint = f"Put `:::: {kind.inside[0]}` before it and `::::` behind the last one."
            self._fault(message, block.line, hint)
        elif outer is not None and outer.name not in kind.inside:
            self._fault(
                f"`{outer.name}` can't hold `{block.name}`.",
                block.line,
                f"It holds {self._held(outer)}.",
            )
        else:
            return True
        return False

    def _held(self, outer: BlockKind) -> str:
        names = [
            f"`{name}`" for name, kind in self.layout.blocks.items() if outer.name in kind.inside
        ]
        return " and ".join(names) or "nothing"

    def _children(self, block: Block, kind: BlockKind) -> tuple[Filled, ...]:
        if not kind.least <= len(block.children) <= kind.most:
            many = f"{kind.least} to {kind.most}" if kind.least < kind.most else str(kind.most)
            self._fault(
                f"`{block.name}` holds {many} blocks, not {len(block.children)}.",
                block.line,
                f"It holds {self._held(kind)}.",
            )
        return tuple(one for child in block.children if (one := self._block(child, kind)))

    def _markdown(self, values: Values, body: Body, remedy: str) -> None:
        parsed = self.markdown.parse(body, on_open=remedy)
        values.markup["body"] = Markup(self.markdown.html(parsed))  # noqa: S704  # our own HTML
        values.text["body"] = text_of(parsed, self.references)

    def _list_or_table(self, values: Values, block: Block, kind: BlockKind) -> None:
        parsed = self.markdown.parse(block.body)
        try:
            if kind.body == "table":
                values.both("body", table_of(parsed, self.markdown, self.references))
            else:
                values.both("body", items_of(parsed, self.markdown, self.references))
        except NotAList as error:
            one = "table" if kind.body == "table" else "list"
            self._fault(
                f"`{block.name}` holds one {one} and nothing else.",
                block.body.line(error.offset),
                "Begin each item with `- `." if one == "list" else "Write `| one | two |` rows.",
            )

    def _when(self, block: Block, outer: BlockKind | None) -> tuple[Slot, Slot] | None:
        option = block.options.get("when")
        if option is None:
            return None
        if outer is not None:  # half a row would be left
            self._fault(
                f"`{block.name}` stands in `{outer.name}` and can't have a `when`.",
                option.line,
                f"Give `{outer.name}` the condition.",
            )
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

    def _speech(self, block: Block) -> Speech | None:
        """Reads `lang` and `dir` of a block; None when it speaks as the issue does."""
        front = self.issue.front
        said = {name: block.options[name] for name in ("lang", "dir") if name in block.options}
        lang = (said["lang"].value or "") if "lang" in said else front.lang
        if not WELL_FORMED.match(lang):
            hint = "Write a tag such as `en`, `fr` or `pt-BR`."
            self._fault(f"`{lang[:40]}` is no language.", said["lang"].line, hint)
            return None
        side = direction(lang) if "lang" in said else front.dir
        if "dir" in said:
            side = said["dir"].value or ""
            if side not in ("ltr", "rtl"):
                message = f"`dir` is `ltr` or `rtl`, not `{side[:40]}`."
                self._fault(message, said["dir"].line, "")
                return None
        return Speech(lang, side) if (lang, side) != (front.lang, front.dir) else None

    def _fault(self, message: str, line: int, hint: str) -> None:
        self.faults.append(Fault(message, self.lifter.where, line, hint, rule="blocks"))

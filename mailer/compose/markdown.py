"""Turns Markdown into tokens, and the tokens into the HTML of a mail.

CommonMark with tables, strikethrough and footnotes. HTML in the source is text, not markup, and
the output is well-formed XML, because MJML's parser takes nothing less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.normalize_url import normalizeLink
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

from mailer.compose import typography
from mailer.compose.directives import Body
from mailer.compose.footnotes import MISSING_NOTE, add_note_rules, number_notes
from mailer.compose.isolating import isolated
from mailer.compose.joining import SLOT_TAGS, join_lists
from mailer.compose.lifting import Lifter, check_nesting
from mailer.compose.links import trouble_with
from mailer.errors import Fault
from mailer.model.words import Slot, SlotKind

_PLAIN_ADDRESS = re.compile(r"https://[a-z0-9.-]+(?:/[A-Za-z0-9/._~-]*)?\Z")
_DEEPEST = 19  # blocks; from 20 on the parser drops what is inside. A list's item counts, too
_DEEPEST_INLINE = 50  # emphasis and links; what reads their HTML again recurses


@dataclass(frozen=True, slots=True)
class Parsed:
    """Markdown as tokens, from which both parts of the mail are written."""

    tokens: tuple[Token, ...]
    body: Body


class Markdown:
    """The Markdown of one issue: its language, and its lifted expressions."""

    def __init__(
        self, language: str, lifter: Lifter, faults: list[Fault], *, direction: str = "ltr"
    ) -> None:
        self.lifter = lifter
        self.faults = faults
        self.left_open: list[Slot] = []  # by the plain Markdown so far
        self.notes = 0  # footnotes so far: they are numbered through the issue
        self.language = language
        self._engine = _engine(language.lower(), direction)

    @contextmanager
    def speaking(self, language: str, direction: str) -> Iterator[None]:
        """Sets one block in a language and direction of its own."""
        before = self.language, self._engine
        self.language, self._engine = language, _engine(language.lower(), direction)
        try:
            yield
        finally:
            self.language, self._engine = before

    def line(self, text: str) -> str:
        """Sets a line of plain text, such as a caption's credit."""
        return typography.typeset(text, self.language, self.lifter)

    def parse(self, body: Body, *, on_open: str = "") -> Parsed:
        """Parses blocks, and reports links and tags that can't stand where they stand.

        ``on_open`` is the remedy for a tag that stands between blocks and does not close.
        """
        env: dict[str, Any] = {"lifter": self.lifter}
        tokens = self._engine.parse(body.text, env)
        deep = _too_deep(tokens)
        if deep is not None:
            self._refuse_depth(body.line(deep))
            return Parsed((), body)
        join_lists(tokens)
        self._unused_notes(env, body)
        self.notes += number_notes(tokens, self.notes)
        parsed = Parsed(tuple(tokens), body)
        _Judge(self, body, on_open).blocks(tokens)
        return parsed

    def parse_inline(self, text: str, line: int, *, place: str) -> Parsed:
        """Parses one line of inline Markdown, such as a headline."""
        body = Body(text, (line,))
        tokens = self._engine.parseInline(text, {"lifter": self.lifter})
        if _too_deep(tokens) is not None:
            self._refuse_depth(line)
            tokens = self._engine.parseInline("", {})
        _Judge(self, body, "").inline(tokens[0].children or [], place)
        return Parsed(tuple(tokens), body)

    def _unused_notes(self, env: Mapping[str, Any], body: Body) -> None:
        """Reports each footnote that nothing in the text leads to."""
        for label, number in env.get("footnotes", {}).get("refs", {}).items():
            if number >= 0:
                continue
            start = f"[^{label[1:]}]:"
            rows = body.text.split("\n")
            offset = next((n for n, row in enumerate(rows) if row.lstrip().startswith(start)), 0)
            message = f"Nothing in the text leads to the footnote `{label[1:41]}`."
            hint = f"Write `[^{label[1:41]}]` where it belongs, in the same block."
            self.faults.append(
                Fault(message, self.lifter.where, body.line(offset), hint, rule="footnotes")
            )

    def _refuse_depth(self, line: int) -> None:
        self.faults.append(
            Fault(
                "Too much stands inside one another here: lists, quotations, emphasis or links.",
                self.lifter.where,
                line,
                f"At most {_DEEPEST // 2} lists or quotations can, and {_DEEPEST_INLINE} others.",
                rule="blocks",
            )
        )

    def html(self, parsed: Parsed) -> str:
        """Returns well-formed HTML."""
        return str(
            self._engine.renderer.render(
                list(parsed.tokens), self._engine.options, {"lifter": self.lifter}
            )
        ).strip()

    def html_of(self, tokens: Sequence[Token]) -> str:
        """Returns the HTML of some tokens of a parsed body."""
        return str(
            self._engine.renderer.render(
                list(tokens), self._engine.options, {"lifter": self.lifter}
            )
        ).strip()


@lru_cache(maxsize=32)
def _engine(language: str, direction: str) -> MarkdownIt:
    engine = MarkdownIt("commonmark", {"html": False, "xhtmlOut": True})
    engine.enable(["table", "strikethrough"])
    footnote_plugin(engine, inline=False)
    if typography.speaks(language):
        engine.core.ruler.before("text_join", "typography", typography.rule(language))
    add_note_rules(engine)

    def render_text(
        renderer: object, tokens: Sequence[Token], index: int, options: object, env: Any
    ) -> str:
        return isolated(tokens[index].content, direction, env.get("lifter"))

    engine.add_render_rule("text", render_text)
    # Every address becomes a link token, so that a bad one is reported and not left as text.
    engine.validateLink = lambda url: True  # type: ignore[method-assign]  # its documented hook
    engine.normalizeLink = _normal_link  # type: ignore[method-assign]  # likewise
    engine.block.ruler.before(
        "fence",
        SLOT_TAGS,
        _slot_tags,
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )
    engine.add_render_rule(SLOT_TAGS, _render_slot_tags)
    # The MJML engine drops white space that begins with a newline between two elements.
    engine.add_render_rule("softbreak", _render_soft_break)
    return engine


def _normal_link(url: str) -> str:
    """Percent-encodes an address; most are plain, and are left as they are without a look."""
    return url if _PLAIN_ADDRESS.match(url) else normalizeLink(url)


def _render_soft_break(*_: object) -> str:
    return " "


def _slot_tags(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Takes a line of nothing but lifted tags as a block of its own."""
    if state.is_code_block(start):
        return False
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    lifter = state.env.get("lifter")
    tags = lifter.only_tags(line) if lifter is not None else []
    if not tags:
        return False
    if silent:
        return True
    token = state.push(SLOT_TAGS, "", 0)
    token.map = [start, start + 1]
    token.block = True
    token.meta = {"slots": tags}
    state.line = start + 1
    return True


def _render_slot_tags(
    renderer: object, tokens: Sequence[Token], index: int, options: object, env: object
) -> str:
    return "".join(f"<!--{slot.sentinel}-->" for slot in tokens[index].meta["slots"]) + "\n"


def _too_deep(tokens: Sequence[Token]) -> int | None:
    """The line, counted from zero, of the first thing that stands too deep; None when all is well.

    Told before anything walks the tokens again: what comes after recurses, level by level.
    """
    line = depth = 0
    for token in tokens:
        line = token.map[0] if token.map else line
        if token.type == "inline":
            inside = _deep_inline(token.children or [])
            if inside is not None:
                return line + inside
        depth += token.nesting
        if depth > _DEEPEST:
            return line
    return None


def _deep_inline(tokens: Sequence[Token]) -> int | None:
    line = depth = 0
    for token in tokens:
        line += token.type in ("softbreak", "hardbreak")
        depth += token.nesting
        if depth > _DEEPEST_INLINE:
            return line
    return None


class _Judge:
    """Walks tokens once and reports what can't stand where it stands."""

    def __init__(self, markdown: Markdown, body: Body, on_open: str) -> None:
        self.lifter = markdown.lifter
        self.faults = markdown.faults
        self.markdown = markdown
        self.body = body
        self.remedy = on_open

    def blocks(self, tokens: Sequence[Token]) -> None:
        """Checks that the tags between blocks close where they opened, level by level."""
        levels: list[list[Slot]] = [[]]
        for token in tokens:
            if token.type == SLOT_TAGS:
                levels[-1].extend(token.meta["slots"])
            elif token.type == "inline":
                self.inline(token.children or [], "the paragraph or heading", token)
            elif token.nesting == 1:
                levels.append([])
            elif token.nesting == -1:
                check_nesting(levels.pop(), self.faults, place="the list item or quotation")
            elif token.content:
                self._closed(token.content, "the code block")
        if self.remedy:
            self.markdown.left_open = check_nesting(
                levels[0],
                self.faults,
                place="the text",
                remedy=self.remedy,
                told=self.markdown.left_open,
            )
        else:
            check_nesting(levels[0], self.faults, place="the block")

    def inline(self, tokens: Sequence[Token], place: str, parent: Token | None = None) -> None:
        """Checks one paragraph, heading, cell or headline."""
        line = parent.map[0] if parent is not None and parent.map else 0
        levels: list[list[Slot]] = [[]]
        for token in tokens:
            if token.type in ("softbreak", "hardbreak"):
                line += 1
            elif token.type == "image":
                self._fault(
                    "A picture can't stand in the text.",
                    line,
                    'Give it to a block that takes one: `::: story picture=… alt="…"`.',
                )
            elif token.nesting == 1:
                self._link(token, line)
                levels.append([])
            elif token.nesting == -1:
                check_nesting(levels.pop(), self.faults, place="the link or emphasis")
            elif token.content:
                levels[-1].extend(self.lifter.tags(token.content))
                missing = MISSING_NOTE.search(token.content) if token.type == "text" else None
                if missing and (parent is None or _unescaped(missing[0], parent.content)):
                    self._fault(
                        f"The footnote `{missing[1][:40]}` has no text.",
                        line,
                        f"Write a line `[^{missing[1][:40]}]: …` in the same block.",
                    )
        check_nesting(levels[0], self.faults, place=place)

    def _link(self, token: Token, line: int) -> None:
        if token.type != "link_open":
            return
        self._closed(str(token.attrGet("title") or ""), "the link's title")
        trouble = self.address(str(token.attrGet("href") or ""))
        if trouble:
            self._fault(trouble, line, "Write the whole address, with https:// in front.")

    def address(self, url: str) -> str | None:
        """Says why an address can't be used; one that begins with a personal value may be any."""
        self._closed(url, "the address")
        return trouble_with_lifted(url, self.lifter)

    def _closed(self, text: str, place: str) -> None:
        check_nesting(self.lifter.tags(text), self.faults, place=place)

    def _fault(self, message: str, offset: int, hint: str) -> None:
        line = self.body.line(offset)
        self.faults.append(Fault(message, self.lifter.where, line, hint, rule="links"))


def _unescaped(text: str, source: str) -> bool:
    """Whether a text stands in a source as it is, with no backslash before it."""
    return re.search(r"(?<!\\)" + re.escape(text), source) is not None


def trouble_with_lifted(url: str, lifter: Lifter) -> str | None:
    """Judges an address that may hold personal expressions."""
    slots = lifter.found(url)
    values = [slot for slot in slots if slot.kind is SlotKind.value]
    without_tags = url
    for slot in slots:
        if slot.kind is SlotKind.tag:
            without_tags = without_tags.replace(slot.sentinel, "")
    if values and without_tags.startswith(values[0].sentinel):
        return None  # known only per person; the message checks its scheme then
    return trouble_with(without_tags)

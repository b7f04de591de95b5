"""Reads the body of an issue as plain Markdown and blocks: ``::: name`` … ``:::``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mailer.compose.lifting import Lifted
from mailer.errors import Fault

_BLANKS = " \t"  # other white space, such as a no-break space, is content
DEEPEST = 8  # blocks inside of blocks; a mail has one or two levels
_OPEN = re.compile(r" {0,3}(:{3,})[ \t]*([A-Za-z][\w-]*)[ \t]*(.*)\Z")
_CLOSE = re.compile(r" {0,3}(:{3,})[ \t]*\Z")
_FENCED_CODE = re.compile(r" {0,3}(`{3,}|~{3,})")
_OPTION_LINE = re.compile(r"([a-z][a-z0-9_-]*):(?:[ \t]+(.*))?\Z")
_QUOTED = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')\Z""", re.DOTALL)
_INLINE_OPTION = re.compile(
    r"""[ \t]*([A-Za-z][\w-]*)"""
    r"""(?:=("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^ \t"'][^ \t]*|))?(?=[ \t]|\Z)"""
)


@dataclass(frozen=True, slots=True)
class Option:
    """One option as the author wrote it; ``value`` is None for a bare word."""

    value: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Body:
    """Markdown text with the author's line for each of its lines."""

    text: str
    numbers: tuple[int, ...]

    def line(self, offset: int) -> int:
        """Returns the author's line for a line of this text, counted from zero."""
        if not self.numbers:
            return 1
        return self.numbers[min(offset, len(self.numbers) - 1)]

    @property
    def empty(self) -> bool:
        return not self.text.strip()


@dataclass(slots=True)
class Block:
    """A directive block: its name, its options, its body, and the blocks inside it."""

    name: str
    line: int
    colons: int
    options: dict[str, Option] = field(default_factory=dict)
    body: Body = Body("", ())
    children: list[Block] = field(default_factory=list)


Part = Body | Block


def read_blocks(lifted: Lifted, where: str, faults: list[Fault]) -> list[Part]:
    """Returns the parts of a body in order: plain Markdown as Body, directives as Block."""
    return _Reader(lifted, where, faults).run()


@dataclass(slots=True)
class _Open:
    block: Block
    lines: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    in_options: bool = True
    last_option: str | None = None


class _Reader:
    def __init__(self, lifted: Lifted, where: str, faults: list[Fault]) -> None:
        self.lines = lifted.text.split("\n")
        self.numbers = lifted.numbers
        self.where = where
        self.faults = faults
        self.parts: list[Part] = []
        self.stack: list[_Open] = []
        self.plain: list[str] = []
        self.plain_numbers: list[int] = []
        self.code = ""
        self.too_deep = False

    def run(self) -> list[Part]:
        for text, number in zip(self.lines, self.numbers, strict=True):
            self._line(text, number)
        for left in self.stack:
            if not self.too_deep:
                self._fault(
                    f"The block `{left.block.name}` never closes.",
                    left.block.line,
                    f"Close it with a line of `{':' * left.block.colons}`.",
                )
        while self.stack:
            self._close()
        self._flush()
        return self.parts

    def _line(self, text: str, number: int) -> None:
        if self._in_code(text):
            self._text(text, number)
        elif closing := _CLOSE.match(text):
            self._closing(len(closing.group(1)), number)
        elif opening := _OPEN.match(text):
            self._opening(opening, number)
        else:
            self._text(text, number)

    def _in_code(self, text: str) -> bool:
        """Keeps track of fenced code, in which colons are only text."""
        found = _FENCED_CODE.match(text)
        if self.code:
            if found and found.group(1).startswith(self.code) and not text.strip().strip("`~"):
                self.code = ""
            return True
        top = self.stack[-1] if self.stack else None
        if found and not (top and top.in_options and top.last_option):
            self.code = found.group(1)
            return True
        return False

    def _opening(self, opening: re.Match[str], number: int) -> None:
        colons, name, rest = opening.groups()
        while self.stack and self.stack[-1].block.colons <= len(colons):
            left = self.stack[-1].block
            self._fault(
                f"The block `{left.name}` never closes; `{name}` opens on line {number}.",
                left.line,
                "Close it before, or give the outer block one colon more.",
            )
            self._close()
        if len(self.stack) >= DEEPEST and not self.too_deep:
            self.too_deep = True
            self._fault(f"Blocks are nested deeper than {DEEPEST} levels.", number, "Flatten them.")
        if not self.stack:
            self._flush()
        block = Block(name, number, len(colons))
        self._inline_options(block, rest, number)
        if self.too_deep:
            return
        self.stack.append(_Open(block))

    def _closing(self, colons: int, number: int) -> None:
        if not any(each.block.colons == colons for each in self.stack):
            if not self.too_deep:
                self._fault(
                    f"`{':' * colons}` closes nothing.",
                    number,
                    "Delete it, or give it as many colons as the line that opens the block.",
                )
            return
        while self.stack[-1].block.colons != colons:
            left = self.stack[-1].block
            self._fault(
                f"The block `{left.name}` never closes.",
                left.line,
                f"Close it with a line of `{':' * left.colons}`.",
            )
            self._close()
        self._close()

    def _close(self) -> None:
        done = self.stack.pop()
        done.block.body = Body("\n".join(done.lines), tuple(done.numbers))
        if self.stack:
            self.stack[-1].block.children.append(done.block)
        else:
            self.parts.append(done.block)

    def _text(self, text: str, number: int) -> None:
        if not self.stack:
            self.plain.append(text)
            self.plain_numbers.append(number)
            return
        top = self.stack[-1]
        if top.in_options and self._option_line(top, text, number):
            return
        top.lines.append(text)
        top.numbers.append(number)

    def _option_line(self, top: _Open, text: str, number: int) -> bool:
        """Takes a line as an option; False when the body begins with it."""
        if not text.strip():
            top.in_options = False
            return True
        if top.last_option and text[0] in _BLANKS:
            known = top.block.options[top.last_option]
            joined = f"{known.value or ''} {text.strip(_BLANKS)}".strip(_BLANKS)
            top.block.options[top.last_option] = Option(joined, known.line)
            return True
        found = _OPTION_LINE.match(text.rstrip(_BLANKS)) if text[0] not in _BLANKS else None
        if found is None:
            if top.last_option:
                self._fault(
                    "An option is `key: value`; this line is neither that nor a blank line.",
                    number,
                    "Leave a blank line between the options and the text.",
                )
            top.in_options = False
            return False
        self._set(top.block, found.group(1), unquote((found.group(2) or "").strip(_BLANKS)), number)
        top.last_option = found.group(1)
        return True

    def _inline_options(self, block: Block, rest: str, number: int) -> None:
        at = 0
        rest = rest.rstrip(_BLANKS)
        while at < len(rest):
            found = _INLINE_OPTION.match(rest, at)
            if found is None or found.end() == at:
                self._fault(
                    f"`{rest[at:].strip()[:40]}` is no option of the form `key=value`.",
                    number,
                    "Put a value that holds blanks or quotes between quotes.",
                )
                return
            value = found.group(2)
            self._set(block, found.group(1), None if value is None else unquote(value), number)
            at = found.end()

    def _set(self, block: Block, key: str, value: str | None, number: int) -> None:
        if key in block.options:
            first = block.options[key].line
            self._fault(f"`{key}` stands twice; first on line {first}.", number, "Keep one.")
            return
        block.options[key] = Option(value, number)

    def _flush(self) -> None:
        body = Body("\n".join(self.plain), tuple(self.plain_numbers))
        if not body.empty:
            self.parts.append(body)
        self.plain, self.plain_numbers = [], []

    def _fault(self, message: str, line: int, hint: str) -> None:
        self.faults.append(Fault(message, self.where, line, hint, rule="blocks"))


def unquote(value: str) -> str:
    """Takes one pair of quotes off a value; a backslash inside keeps a quote or a backslash."""
    if _QUOTED.match(value):
        return re.sub(r"\\([\"'\\])", r"\1", value[1:-1])
    return value

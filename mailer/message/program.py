"""Turns constants and holes into one compiled Jinja2 template, and renders it for one person.

The template is built as a syntax tree, never as text: so constants may hold anything, and Jinja2
neither normalises their line ends nor drops their last newline. Each value passes through its
expression, then the escape of its context, then the transfer encoding: always in this order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jinja2 import Environment, Template, nodes
from jinja2.utils import pass_context

from mailer.errors import Fault
from mailer.message import values
from mailer.message.contexts import (
    ESCAPES,
    HEADER_CONTROL,
    UNCHANGED,
    Context,
    Hole,
    Segment,
    cleaned,
    without_surrogates,
)
from mailer.message.expressions import Parsed, names_in, parse, tag_word
from mailer.message.formats import months_of
from mailer.message.quoted import SOFT_BREAK, quote_value
from mailer.message.retarget import MARK_NAME, MARK_QUOTED
from mailer.message.values import MergeError, Reader, Terms, Value, printable
from mailer.model.words import FieldKind, Slot, SlotKind

RULE = "merge"
DEEPEST = 20  # conditions inside of conditions
Output = Callable[[Reader, Value, int], str]


def unbalanced(holes: Sequence[Hole]) -> Iterator[Fault]:
    """Yields a fault for every tag that closes nothing, never closes, or closes elsewhere."""
    opened: list[tuple[str, Hole]] = []
    for hole in holes:
        if hole.slot.kind is SlotKind.value:
            continue
        word = tag_word(hole.slot)
        if not word:
            continue  # no tag of ours: reported where expressions are checked
        if word in ("if", "for"):
            opened.append((word, hole))
            if len(opened) > DEEPEST:
                yield _tag_fault(hole.slot, f"More than {DEEPEST} tags stand inside of each other.")
            continue
        wanted = "for" if word == "endfor" else "if"
        if not opened or opened[-1][0].removesuffix(" else") != wanted:
            yield _tag_fault(hole.slot, f"`{{% {word} %}}` closes nothing.")
            continue
        if word in ("elif", "else") and opened[-1][0] == "if else":
            yield _tag_fault(hole.slot, f"`{{% {word} %}}` comes after `{{% else %}}`.")
        if hole.home != opened[-1][1].home:
            yield _tag_fault(
                opened[-1][1].slot,
                f"`{{% {opened[-1][1].slot.source.strip()} %}}` closes in "
                "another place than where it opened.",
            )
        if word == "else":
            opened[-1] = ("if else", opened[-1][1])
        elif word != "elif":
            opened.pop()
    for _, hole in opened:
        yield _tag_fault(hole.slot, f"`{{% {hole.slot.source.strip()} %}}` never closes.")


def _tag_fault(slot: Slot, message: str) -> Fault:
    return Fault(message, slot.file, slot.line, None, RULE)


class _Bare(NamedTuple):
    """A hole that holds a name and nothing else, but perhaps a default."""

    at: int  # among the segments
    name: str
    number: int  # among the holes
    unchanged: Callable[[str], object]
    output: Output


@dataclass(slots=True)
class Program:
    """Compiled constants and holes. ``quoted`` says that constants are quoted-printable already."""

    segments: Sequence[Segment]
    quoted: bool
    kinds: Mapping[str, FieldKind]
    language: str = "en"
    web: bool = False
    blank_ok: bool = False
    terms: Terms = field(init=False)
    _root: Callable[[Any], Iterator[str]] = field(init=False)
    _constants: frozenset[str] = field(init=False)
    _plain: bool = field(init=False)  # every constant is
    _bare: list[_Bare] | None = field(init=False)

    def __post_init__(self) -> None:
        holes = [piece for piece in self.segments if isinstance(piece, Hole)]
        names = tuple(names_in(hole.slot) for hole in holes)
        first_use: dict[str, int] = {}
        for index, each in enumerate(names):
            for name in each:
                first_use.setdefault(name, index)
        self.terms = Terms(
            slots=tuple(hole.slot for hole in holes),
            names=names,
            kinds={n: k for n, k in self.kinds.items() if k is not FieldKind.text},
            first_use=first_use,
            months=months_of(self.language),
            web=self.web,
            blank_ok=self.blank_ok,
        )
        environment = _QUOTED if self.quoted else _PLAIN
        tree = _Tree(self.segments, MARK_QUOTED if self.quoted else MARK_NAME)
        template = nodes.Template(tree.body(), lineno=1)
        template.set_environment(environment)
        code = environment.compile(template)
        self._root = Template.from_code(environment, code, {}).root_render_func
        self._constants = frozenset(piece for piece in self.segments if isinstance(piece, str))
        self._plain = all(map(_plain_constant, self._constants))
        self._bare = self._bare_holes() if self.quoted else None

    def _bare_holes(self) -> list[_Bare] | None:
        """The holes, when nothing but names are in them; None when there is more.

        A default of a constant does not count: it is for the reader who has no value.
        """
        found: list[_Bare] = []
        for at, piece in enumerate(self.segments):
            if isinstance(piece, str):
                continue
            number = len(found)
            if piece.slot.source == MARK_NAME:
                found.append(_Bare(at, MARK_QUOTED, number, _NEVER, _as_it_is))
                continue
            parsed = parse(piece.slot)
            name = parsed.expression if parsed.word == "value" else None
            match name:
                case nodes.Filter(name="default", node=nodes.Name() as inner, args=[nodes.Const()]):
                    name = inner
            if not isinstance(name, nodes.Name) or name.name in self.terms.kinds:
                return None
            output = _QUOTED.filters[str(piece.context)]
            found.append(_Bare(at, name.name, number, UNCHANGED[piece.context], output))
        return found

    def encode(self, person: Mapping[str, Value]) -> tuple[bytes, str, bool]:
        """Renders quoted-printable for one person: the bytes, what is theirs in it, if it is plain.

        Plain is a text of which nobody need look at each byte again: ASCII lines that end in
        CRLF, no NUL, and wherever it is put, no dot comes to begin a line. The constants are looked
        at once; a value passes when it is printable but for the soft break at its end.
        """
        pieces, own, plain = self._filled(person) or self._rendered(person)
        return "".join(pieces).encode("ascii"), own, plain

    def _rendered(self, person: Mapping[str, Value]) -> tuple[list[str], str, bool]:
        """All pieces, those that are the person's own, joined, and whether all is plain."""
        pieces = list(self._root(Reader(person, self.terms, None)))
        constants = self._constants
        own = " ".join([piece for piece in pieces if piece not in constants])
        return pieces, own, self._plain and _plain_values(own)

    def _filled(self, person: Mapping[str, Value]) -> tuple[list[str], str, bool] | None:
        """The same without the template, which takes twice as long; None where it is needed.

        It is where a hole holds more than a name, and for readers who lack a value.
        """
        if self._bare is None:
            return None
        pieces: list[Any] = list(self.segments)
        own = []
        unlike = False
        for at, name, number, unchanged, output in self._bare:
            value = person.get(name)
            if type(value) is str and unchanged(value) and not value.isspace():
                piece = value + SOFT_BREAK  # it is plain, too
            elif type(value) is not str or not value or value.isspace():
                return None
            else:
                piece = output(Reader(person, self.terms, None), value, number)
                unlike = True
            pieces[at] = piece
            own.append(piece)
        if not self._constants.isdisjoint(own):  # the template's way leaves it out of what is own
            return None
        joined = " ".join(own)
        return pieces, joined, self._plain and (not unlike or _plain_values(joined))

    def render(self, person: Mapping[str, Value], sink: list[MergeError] | None = None) -> str:
        """Renders for one person. Raises MergeError, or gathers all of them in ``sink``."""
        return "".join(self._root(Reader(person, self.terms, sink)))


def _plain_values(joined: str) -> bool:
    return (
        joined[:1] != "."
        and " ." not in joined
        and "\n." not in joined
        and joined.replace(SOFT_BREAK, "").isprintable()
    )


def _plain_constant(piece: str) -> bool:
    rest = piece.replace("\r\n", "\n")
    return not (
        "\r" in rest
        or "\0" in rest
        or "\n." in rest
        or piece.startswith((".", "\n"))
        or rest.count("\n") != piece.count("\r\n")
    )


class _Tree:
    """Builds Jinja2's syntax tree out of segments that are known to be balanced."""

    def __init__(self, segments: Sequence[Segment], mark: str) -> None:
        self._segments = segments
        self._mark = mark
        self._at = 0
        self._index = -1

    def body(self) -> list[nodes.Node]:
        """Takes nodes up to the tag that ends this body; leaves that tag to be read."""
        found: list[nodes.Node] = []
        while self._at < len(self._segments):
            segment = self._segments[self._at]
            if isinstance(segment, str):
                self._at += 1
                found.append(nodes.Output([nodes.TemplateData(segment)]))
                continue
            if segment.slot.source == MARK_NAME:  # ours, and behind every link: no filter is needed
                self._take()
                found.append(nodes.Output([nodes.Name(self._mark, "load")]))
                continue
            parsed = parse(segment.slot)
            if parsed.word in ("elif", "else", "endif", "endfor"):
                break
            self._take()
            if parsed.word == "value":
                output = self._filter(self._expression(parsed.expression), segment.context)
                found.append(nodes.Output([output]))
            elif parsed.word == "if":
                found.append(self._branch(parsed.expression))
            else:
                found.append(self._loop(parsed.expression, parsed.variable))
        return found

    def _take(self) -> Parsed:
        """Steps over the hole at hand and returns what it says."""
        hole = self._segments[self._at]
        self._at += 1
        self._index += 1
        return parse(hole.slot) if isinstance(hole, Hole) else Parsed("")

    def _branch(self, test: nodes.Expr) -> nodes.If:
        first = nodes.If(self._expression(test), self.body(), [], [])
        while (tag := self._take()).word == "elif":
            condition = self._expression(tag.expression)
            first.elif_.append(nodes.If(condition, self.body(), [], []))
        if tag.word == "else":
            first.else_ = self.body()
            self._take()
        return first

    def _loop(self, over: nodes.Expr, variable: str) -> nodes.For:
        words = self._filter(self._expression(over), "items")
        body = self.body()
        self._take()
        return nodes.For(nodes.Name(variable, "store"), words, body, [], None, False)

    def _filter(self, node: nodes.Expr, name: str, *arguments: nodes.Expr) -> nodes.Expr:
        """Every filter takes the number of its slot last."""
        return nodes.Filter(node, str(name), [*arguments, nodes.Const(self._index)], [], None, None)

    def _expression(self, node: nodes.Expr) -> nodes.Expr:
        """Rebuilds an expression out of filters of ours, which never fail on an empty value."""
        match node:
            case nodes.Name():
                return nodes.Name(node.name, "load")
            case nodes.Neg(node=nodes.Const(value=value)):
                return nodes.Const(-value)
            case nodes.Not():
                return nodes.Not(self._expression(node.node))
            case nodes.And():
                return nodes.And(self._expression(node.left), self._expression(node.right))
            case nodes.Or():
                return nodes.Or(self._expression(node.left), self._expression(node.right))
            case nodes.Compare():
                return self._comparison(node)
            case nodes.Filter(
                name="default", node=nodes.Expr() as inner, args=[nodes.Const(value="")]
            ):
                return self._filter(self._expression(inner), "blank")
            case nodes.Filter(node=nodes.Expr() as inner):
                arguments = [self._expression(each) for each in node.args]
                if node.name == "number" and not arguments:
                    arguments = [nodes.Const("")]
                return self._filter(self._expression(inner), node.name, *arguments)
            case nodes.List() | nodes.Tuple():
                return nodes.List([self._expression(item) for item in node.items])
            case _:
                return nodes.Const(node.as_const())

    def _comparison(self, node: nodes.Compare) -> nodes.Expr:
        left = node.expr
        parts = []
        for operand in node.ops:
            parts.append(self._compared(left, operand.op, operand.expr))
            left = operand.expr
        whole = parts[0]
        for part in parts[1:]:
            whole = nodes.And(whole, part)
        return whole

    def _compared(self, left: nodes.Expr, sign: str, right: nodes.Expr) -> nodes.Expr:
        one, other = self._expression(left), self._expression(right)
        if sign in ("eq", "ne"):
            return nodes.Compare(one, [nodes.Operand(sign, other)])
        if sign in ("in", "notin"):
            found = self._filter(other, "contains", one)
            return nodes.Not(found) if sign == "notin" else found
        return self._filter(one, "compare", nodes.Const(sign), other)


def _output(context: Context, *, quoted: bool) -> Output:
    """Makes the outermost filter of a context: print, clean, escape, transfer-encode."""
    escape = ESCAPES[context]
    unchanged = UNCHANGED[context]
    after = SOFT_BREAK if quoted else ""

    @pass_context
    def output(reader: Reader, value: Value, index: int) -> str:
        if type(value) is str and unchanged(value):  # most values, and several times faster
            return value + after
        text = printable(reader, value, index)
        if not text:
            return ""
        if context is Context.header:
            if HEADER_CONTROL.search(text):
                return reader.fail(index, "control_character")
            text = without_surrogates(text)
        else:
            text = cleaned(text)
        escaped = escape(text)
        if escaped is None:
            return reader.fail(index, "unsafe_url")
        return quote_value(escaped) if quoted else escaped

    return output


def _as_it_is(reader: Reader, value: Value, index: int) -> str:
    """What ``marked`` has quoted already."""
    return str(value)


_NEVER: Callable[[str], object] = re.compile(r"(?!)").match


def _environment(*, quoted: bool) -> Environment:
    environment = Environment(autoescape=False)  # noqa: S701  # values are escaped by context
    environment.filters = {
        "default": values.default,
        "blank": values.blank,
        "default_web": values.default_web,
        "upper": values.upper,
        "lower": values.lower,
        "title": values.title,
        "number": values.number,
        "date": values.when,
        "compare": values.compare,
        "contains": values.contains,
        "items": values.items,
        **{str(context): _output(context, quoted=quoted) for context in Context},
    }
    return environment


_QUOTED = _environment(quoted=True)
_PLAIN = _environment(quoted=False)

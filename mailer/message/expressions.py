"""Parses what stands between the delimiters of one slot, and holds it to a subset of Jinja2.

Nothing leaves this module that is not of the closed subset: names, constants, comparisons,
``and``, ``or``, ``not``, ``in``, and the filters listed here. It can't loop without bound, call, or
reach into an object. Whether the names exist and the kinds fit is judged in
``mailer.message.merge``.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from jinja2 import Environment, TemplateSyntaxError, nodes

from mailer.model.words import Slot, SlotKind

# Of the built-in names, what the web version knows as well. ``web_home`` is the web version's
# address without a language: layouts write the addresses of the other languages with it.
PUBLIC = frozenset({"list", "campaign", "web_url", "web_home"})
BUILT_IN = PUBLIC | {"email", "unsubscribe_url", "preferences_url", "reconfirm_url"}
RESERVED = frozenset({"self", "super", "caller", "loop"})  # names of Jinja2's own machinery
LONGEST = 1000  # characters of one expression
DEEPEST = 40  # operators and filters that act on one another
# A filter's name → how few and how many arguments it takes.
FILTERS = {
    "default": (1, 1),
    "default_web": (1, 1),
    "upper": (0, 0),
    "lower": (0, 0),
    "title": (0, 0),
    "number": (0, 1),
    "date": (1, 1),
}
TAGS = ("if", "elif", "else", "endif", "for", "endfor")

_JINJA = Environment(autoescape=False)  # noqa: S701  # parses only; values are escaped by context
_TAG = re.compile(r"\s*([A-Za-z_]+)\b\s*(.*?)\s*", re.DOTALL)
_NOTHING = nodes.Const(True)
_N = TypeVar("_N", bound=nodes.Node)


class RefusedError(ValueError):
    """An expression that is not of the subset; ``hint`` says what to write instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a slot says. ``word`` is ``value`` or the tag's word; ``variable`` is a loop's."""

    word: str
    expression: nodes.Expr = _NOTHING
    variable: str = ""


@lru_cache(maxsize=512)
def parse(slot: Slot) -> Parsed:
    """Parses one slot. Raises RefusedError when it is not of the closed subset."""
    if len(slot.source) > LONGEST:
        raise RefusedError(f"The expression is longer than {LONGEST} characters.")
    if slot.kind is SlotKind.value:
        output = _only(f"{{{{ {slot.source} }}}}", slot.source, nodes.Output)
        expression = output.nodes[0]
        if len(output.nodes) != 1 or not isinstance(expression, nodes.Expr):
            raise RefusedError(f"`{slot.source}` is not one expression.")
        return Parsed("value", allowed(expression))
    found = _TAG.fullmatch(slot.source)
    word, rest = (found[1], found[2]) if found else ("", slot.source)
    if word not in TAGS:
        raise RefusedError(
            f"`{{% {slot.source.strip()} %}}` is not a tag that a mail can have.",
            f"There are {', '.join(TAGS)}.",
        )
    if word in ("else", "endif", "endfor"):
        if rest:
            raise RefusedError(f"`{{% {word} %}}` takes nothing after it.")
        return Parsed(word)
    if word == "for":
        return _parse_for(rest)
    branch = _only(f"{{% if {rest} %}}{{% endif %}}", rest, nodes.If)
    test = branch.test
    if branch.body or branch.elif_ or branch.else_ or not isinstance(test, nodes.Expr):
        raise RefusedError(f"`{rest}` is not one condition.")
    return Parsed(word, allowed(test))


def tag_word(slot: Slot) -> str:
    """Returns the word of a tag even when the rest of it is refused; nothing for other slots."""
    found = _TAG.fullmatch(slot.source) if slot.kind is SlotKind.tag else None
    return found[1] if found is not None and found[1] in TAGS else ""


def _parse_for(rest: str) -> Parsed:
    loop = _only(f"{{% for {rest} %}}{{% endfor %}}", rest, nodes.For)
    if loop.body or loop.else_ or loop.test or loop.recursive:
        raise RefusedError("A loop may only be `{% for word in field %}`.")
    if not isinstance(loop.target, nodes.Name) or not isinstance(loop.iter, nodes.Name):
        raise RefusedError("A loop runs one name over one field, as `{% for topic in topics %}`.")
    return Parsed("for", loop.iter, loop.target.name)


def _only(source: str, shown: str, kind: type[_N]) -> _N:
    """Parses a template that must hold one node of one kind and nothing else."""
    try:
        body = _JINJA.parse(source).body
    except TemplateSyntaxError as error:
        raise RefusedError(f"`{shown}` can't be understood: {error.message}.") from error
    except RecursionError:
        raise RefusedError(_TOO_DEEP) from None
    if len(body) != 1 or not isinstance(body[0], kind):
        raise RefusedError(f"`{shown}` is not one expression.")
    return body[0]


def names_in(slot: Slot) -> tuple[str, ...]:
    """Returns the names that a slot reads, in alphabetical order; none when it can't be parsed."""
    try:
        expression = parse(slot).expression
    except RefusedError:
        return ()
    found = {node.name for node in expression.find_all(nodes.Name)}
    if isinstance(expression, nodes.Name):  # find_all looks below the node only
        found.add(expression.name)
    return tuple(sorted(found))


def allowed(node: nodes.Expr, depth: int = 0) -> nodes.Expr:
    """Returns the expression when all of it is of the subset. Raises RefusedError otherwise."""
    if depth > DEEPEST:
        raise RefusedError(_TOO_DEEP, "`in [...]` replaces many comparisons.")
    inside: list[nodes.Node | None] = []
    match node:
        case nodes.Name() | nodes.Const(value=str() | int() | float()):
            pass
        case nodes.Neg(node=nodes.Const(value=int() | float())):
            pass
        case nodes.Not():
            inside = [node.node]
        case nodes.And() | nodes.Or():
            inside = [node.left, node.right]
        case nodes.Compare():
            inside = _compared(node)
        case nodes.Filter():
            inside = _filtered(node)
        case nodes.Const():
            raise RefusedError("`none` can't be used in a mail.", "Write `{% if not field %}`.")
        case _:
            what = "Arithmetic" if isinstance(node, nodes.BinExpr) else "This"
            what = _DESCRIPTIONS.get(type(node), what)
            raise RefusedError(f"{what} can't be used in a mail.", _ALLOWED)
    for each in inside:
        if isinstance(each, nodes.Expr):
            allowed(each, depth + 1)
    return node


_TOO_DEEP = "The expression is nested too deeply."


def _compared(node: nodes.Compare) -> list[nodes.Node | None]:
    if len(node.ops) > 3:
        raise RefusedError("More than three comparisons stand in one row.", "Join them by `and`.")
    lists = [o for o in node.ops if o.op in ("in", "notin") and _is_list_of_constants(o.expr)]
    return [node.expr, *(operand.expr for operand in node.ops if operand not in lists)]


def _is_list_of_constants(node: nodes.Expr) -> bool:
    return isinstance(node, (nodes.List, nodes.Tuple)) and all(
        isinstance(item, nodes.Const) and isinstance(item.value, (str, int, float))
        for item in node.items
    )


def _filtered(node: nodes.Filter) -> list[nodes.Node | None]:
    if node.name not in FILTERS:
        raise _unknown_filter(node.name)
    fewest, most = FILTERS[node.name]
    plain = not (node.kwargs or node.dyn_args or node.dyn_kwargs) and node.node is not None
    if not plain or not fewest <= len(node.args) <= most:
        wanted = "one text in brackets" if most else "nothing in brackets"
        raise RefusedError(f"The filter `{node.name}` takes {wanted}.")
    if node.args and node.name != "default":
        argument = node.args[0]
        if not isinstance(argument, nodes.Const) or not isinstance(argument.value, str):
            raise RefusedError(f"The filter `{node.name}` takes a text in quotes.")
    return [node.node, *node.args]


def _unknown_filter(name: str) -> RefusedError:
    if name in ("safe", "escape", "e", "forceescape"):
        return RefusedError(
            f"`{name}` can't be used: every value is escaped for the place it stands in."
        )
    near = difflib.get_close_matches(name, FILTERS, 1)
    meant = f"Did you mean `{near[0]}`? " if near else ""
    return RefusedError(f"There is no filter `{name}`.", f"{meant}Filters: {', '.join(FILTERS)}.")


_ALLOWED = (
    "There are fields, texts and numbers, comparisons, `and`, `or`, `not`, `in`, and the filters "
    f"{', '.join(FILTERS)}."
)
_DESCRIPTIONS: dict[type[nodes.Expr], str] = {
    nodes.Getattr: "A dot after a name",
    nodes.Getitem: "A bracket after a name",
    nodes.Call: "A call",
    nodes.Test: "`is`",
    nodes.CondExpr: "`… if … else …`",
    nodes.Concat: "`~`",
    nodes.Dict: "A dictionary",
    nodes.List: "A list, but after `in`,",
    nodes.Tuple: "A comma",
}

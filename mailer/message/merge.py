"""Holds merge expressions to a closed subset of Jinja2, and to the fields that there are.

Allowed are names, constants, comparisons, ``and``, ``or``, ``not``, ``in``, the filters listed
here; ``if``, ``elif``, ``else``, and ``for`` over a list. Nothing in it can loop without bound,
call, or reach into an object, so a text costs no more than the person's own values.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from jinja2 import nodes

from mailer.errors import Fault
from mailer.message.contexts import Context, Cutter, Hole
from mailer.message.expressions import (
    BUILT_IN,
    FILTERS,
    PUBLIC,
    RESERVED,
    Parsed,
    RefusedError,
    names_in,
    parse,
    tag_word,
)
from mailer.message.formats import date_fault, number_form, parse_date
from mailer.message.program import Program, unbalanced
from mailer.message.values import MergeError
from mailer.model.words import FieldKind, Slot

__all__ = ["BUILT_IN", "FILTERS", "MergeError", "check", "check_web", "names_used"]

RULE = "merge"
_TEXT = frozenset({FieldKind.text})
_NUMBER = frozenset({FieldKind.number})
_DATE = frozenset({FieldKind.date})
_YESNO = frozenset({FieldKind.yesno})
_LIST = frozenset({FieldKind.list})


class _Inspector:
    """Holds the expressions of one place to the subset, and to the kinds of the fields."""

    def __init__(self, fields: Mapping[str, FieldKind], language: str) -> None:
        self._known: dict[str, FieldKind] = {
            **{name: kind for name, kind in fields.items() if name not in RESERVED},
            **dict.fromkeys(BUILT_IN, FieldKind.text),
        }
        self._fields = sorted(name for name in self._known if name not in BUILT_IN)
        self._language = language

    def faults(self, slot: Slot, variables: Iterable[str]) -> Iterator[Fault]:
        """Yields what is wrong with one slot; ``variables`` are those of the loops around it."""
        try:
            parsed = parse(slot)
            variables = frozenset(variables)
            if parsed.word == "value":
                self._value(parsed.expression, variables)
            elif parsed.word == "for":
                self._loop(parsed, variables)
            else:
                self._kinds(parsed.expression, variables)
        except RefusedError as refusal:
            yield Fault(str(refusal), slot.file, slot.line, refusal.hint, RULE)

    def _value(self, node: nodes.Expr, variables: frozenset[str]) -> None:
        kinds = self._kinds(node, variables)
        if FieldKind.yesno in kinds:
            raise RefusedError(
                "A yes or no can't be printed.", "Write `{% if … %}` around what it decides."
            )
        if FieldKind.list in kinds:
            raise RefusedError(
                "A list can't be printed.", "Write `{% for word in … %}{{ word }}{% endfor %}`."
            )

    def _loop(self, parsed: Parsed, variables: frozenset[str]) -> None:
        if variables:
            raise RefusedError("A loop can't stand inside of another.")
        if self._kinds(parsed.expression, variables) != _LIST:
            name = parsed.expression.name if isinstance(parsed.expression, nodes.Name) else "This"
            raise RefusedError(f"`{name}` is no list, so no loop can run over it.")
        if parsed.variable in self._known or parsed.variable in RESERVED:
            raise RefusedError(
                f"`{parsed.variable}` is taken already.", "Give the loop's word another name."
            )

    def _kinds(self, node: nodes.Node, variables: frozenset[str]) -> frozenset[FieldKind]:
        """Returns which kinds a node can have; refuses unknown names and kinds that don't fit."""
        match node:
            case nodes.Name():
                return _TEXT if node.name in variables else self._name(node.name, variables)
            case nodes.And() | nodes.Or():
                return self._kinds(node.left, variables) | self._kinds(node.right, variables)
            case nodes.Not():
                self._kinds(node.node, variables)
                return _YESNO
            case nodes.Compare():
                self._comparison(node, variables)
                return _YESNO
            case nodes.Filter(node=nodes.Expr() as inner):
                return self._filter(node, self._kinds(inner, variables), variables)
            case nodes.Const(value=str()):
                return _TEXT
            case nodes.Const(value=bool()):
                return _YESNO
            case nodes.List() | nodes.Tuple():
                return _LIST
            case _:
                return _NUMBER  # a constant, with its sign or without

    def _name(self, name: str, variables: frozenset[str]) -> frozenset[FieldKind]:
        kind = self._known.get(name)
        if kind is not None:
            return frozenset({kind})
        near = difflib.get_close_matches(name, [*self._known, *variables], 1)
        known = ", ".join(self._fields) or "none yet; import people first"
        meant = f"Did you mean `{near[0]}`? " if near else ""
        raise RefusedError(f"There is no field `{name}`.", f"{meant}Known fields: {known}.")

    def _comparison(self, node: nodes.Compare, variables: frozenset[str]) -> None:
        left_node, left = node.expr, self._kinds(node.expr, variables)
        for operand in node.ops:
            right_node = operand.expr
            if operand.op in ("in", "notin"):
                right = self._membership(left, right_node, variables)
            else:
                right = self._kinds(right_node, variables)
                if not _comparable(left_node, left, right_node, right):
                    raise RefusedError(
                        f"A {_words(left)} can't be compared with a {_words(right)}.",
                        'Dates are compared as text like "2026-11-24".'
                        if FieldKind.date in left | right
                        else 'For a list, write `"word" in field`.',
                    )
            left_node, left = right_node, right

    def _membership(
        self, left: frozenset[FieldKind], node: nodes.Expr, variables: frozenset[str]
    ) -> frozenset[FieldKind]:
        right = self._kinds(node, variables)
        if isinstance(node, (nodes.List, nodes.Tuple)):
            return right
        if left != _TEXT or right not in (_TEXT, _LIST):
            raise RefusedError("`in` looks for a text in a list, or in a text.")
        return right

    def _filter(
        self, node: nodes.Filter, kinds: frozenset[FieldKind], variables: frozenset[str]
    ) -> frozenset[FieldKind]:
        argument = node.args[0] if node.args else None
        if node.name in ("default", "default_web") and argument is not None:
            return kinds | self._kinds(argument, variables)
        form = argument.value if isinstance(argument, nodes.Const) else None
        self._format(node.name, kinds, form)
        return _TEXT

    def _format(self, name: str, kinds: frozenset[FieldKind], form: str | None) -> None:
        wanted = {"number": _NUMBER, "date": _DATE}.get(name, _TEXT)
        if not kinds <= wanted:
            raise RefusedError(
                f"The filter `{name}` is for a {_words(wanted)}, and this is a {_words(kinds)}.",
                "Put `default` after it." if kinds & wanted else None,
            )
        if name == "number" and form is not None and number_form(form) is None:
            raise RefusedError(
                f"`{form}` is no pattern for a number.", 'Write how 1234.5 is to look: "1,234.50".'
            )
        if name == "date" and form is not None:
            wrong = date_fault(form, self._language)
            if wrong is not None:
                raise RefusedError(wrong)


def check(
    slots: Sequence[Slot], fields: Mapping[str, FieldKind], *, language: str = "en"
) -> list[Fault]:
    """Returns everything that is wrong with the slots of an issue, in their order.

    ``slots`` stand in the order of the source, so that a loop's word is known inside of it.
    ``language`` is the issue's: the filter ``date`` may print a month's name.
    """
    inspector = _Inspector(fields, language)
    faults: list[Fault] = []
    variables: list[str] = []
    for slot in slots:
        faults += inspector.faults(slot, variables)
        word = tag_word(slot)
        if word == "for":
            variables.append(_variable(slot))
        elif word == "endfor" and variables:
            variables.pop()
    return faults + list(unbalanced([Hole(slot, Context.text) for slot in slots]))


def _variable(slot: Slot) -> str:
    try:
        return parse(slot).variable
    except RefusedError:
        return ""


def check_web(
    slots: Sequence[Slot], document: str | None = None, *, language: str = "en"
) -> list[Fault]:
    """Returns a fault for each slot that would show nothing in the web version.

    Only the slots that stand in ``document`` are looked at, in its order; without one, all of
    them. What ``check`` reports is not reported again.
    """
    shown = slots if document is None else Cutter(slots).cut(document)
    holes = [Hole(slot, Context.text) for slot in shown if isinstance(slot, Slot)]
    try:
        for hole in holes:
            parse(hole.slot)
    except RefusedError:
        return []
    if any(unbalanced(holes)):
        return []
    empty: list[MergeError] = []
    program = Program(holes, quoted=False, kinds={}, language=language, web=True)
    program.render(dict.fromkeys(PUBLIC, "-"), empty)
    return [
        Fault(
            f"`{error.slot.source.strip()}` shows nothing in the web version.",
            error.slot.file,
            error.slot.line,
            'Add `| default("…")`, or `| default_web("…")` for the web version alone.',
            RULE,
        )
        for error in {error.slot.sentinel: error for error in empty}.values()
    ]


def names_used(slots: Iterable[Slot]) -> frozenset[str]:
    """Returns the person's fields that the slots read: neither built-in names nor loops' words."""
    slots = tuple(slots)
    variables = {_variable(slot) for slot in slots}
    return frozenset(name for slot in slots for name in names_in(slot)) - BUILT_IN - variables


def _comparable(
    left_node: nodes.Expr,
    left: frozenset[FieldKind],
    right_node: nodes.Expr,
    right: frozenset[FieldKind],
) -> bool:
    if FieldKind.list in left | right:
        return False
    for one, other, node in ((left, right, right_node), (right, left, left_node)):
        if one == _DATE and other == _TEXT:
            return not isinstance(node, nodes.Const) or parse_date(node.value) is not None
    return bool(left & right)


def _words(kinds: frozenset[FieldKind]) -> str:
    spoken = {FieldKind.yesno: "yes or no"}
    return " or ".join(spoken.get(kind, kind.value) for kind in FieldKind if kind in kinds)

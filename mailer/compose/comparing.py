"""Says in words what changed between two texts of an issue: for somebody who reviews it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from mailer.compose.directives import Block, Body, Part
from mailer.compose.outline import Outline, label, read_outline

# The marks before a letter are bounded: a rule of dashes is not read to its end for each dash.
_WORD = re.compile(r"\s+|(?:[’'.\-]{0,40}+\w)+|[^\w\s]")
_FRONT_LINE = re.compile(r"([a-z_]+)[ \t]*:[ \t]*(.*)\Z")
_ALIKE = 0.25  # a share of common words from which on two blocks are one that was changed
_CONTEXT = 5  # words around a change
_MOST_PARTS = 400  # of which pairs are compared


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``how`` is changed, added, removed or moved; lines are those of each text.

    ``text`` marks what went as ``[-so-]`` and what came as ``{+so+}``.
    """

    how: str
    what: str  # `subject`, or a block as people call it
    field: str = ""  # an option of the block, or `text`
    text: str = ""
    before: int | None = None
    after: int | None = None


def compare_texts(before: str, after: str, *, where: str, where_after: str) -> list[Change]:
    """Returns what changed, in the order of the new text. Raises InputError for unreadable ones."""
    old, new = read_outline(before, where), read_outline(after, where_after)
    return [*_front(old, new), *_parts(old.parts, new.parts)]


def marked(before: str, after: str) -> str:
    """Returns both texts as one, with the words that went and those that came marked."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    runs: list[list[str]] = []  # unchanged words, or what went and what came
    last = len(old)
    for step, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[a:b]), "".join(new[c:d])
        if step == "equal" and (gone.strip() or not runs or b == last):
            runs.append([_shortened(old[a:b], first=a == 0, last=b == last)])
        elif runs and len(runs[-1]) == 2:  # only blanks lie between two changes: they are one
            runs[-1] = [runs[-1][0] + gone, runs[-1][1] + come]
        else:
            runs.append([gone, come])
    pieces = [run[0] if len(run) == 1 else _both(*run) for run in runs]
    return " ".join("".join(pieces).split())


def _both(gone: str, come: str) -> str:
    """A change; blanks at its ends stay outside of the marks."""
    kept = " " if (gone or come)[:1].isspace() else ""
    after = " " if (gone or come)[-1:].isspace() else ""
    gone, come = gone.strip(), come.strip()
    marks = (f"[-{gone}-]" if gone else "") + (f"{{+{come}+}}" if come else "")
    return f"{kept}{marks}{after}"


def _shortened(words: Sequence[str], *, first: bool, last: bool) -> str:
    """What did not change, but for the words beside a change."""
    near = 2 * _CONTEXT  # blanks count as well
    head = words[:near] if not first else []
    tail = words[-near:] if not last else []
    if len(words) <= len(head) + len(tail) + 2:
        return "".join(words)
    return "".join(head) + " … " + "".join(tail)


def _front(old: Outline, new: Outline) -> Iterator[Change]:
    before, after = _keys(old), _keys(new)
    for key in dict.fromkeys([*after, *before]):
        was, now = before.get(key), after.get(key)
        if was is None and now is not None:
            yield Change("added", key, text=now[0], after=now[1])
        elif now is None and was is not None:
            yield Change("removed", key, text=was[0], before=was[1])
        elif was is not None and now is not None and was[0] != now[0]:
            yield Change("changed", key, "", marked(was[0], now[0]), was[1], now[1])


def _keys(outline: Outline) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    key = ""
    for number, line in enumerate(outline.lines[: outline.head], 1):
        if match := _FRONT_LINE.match(line):
            key = match[1]
            found[key] = (match[2].strip().strip("\"'"), number)
        elif key and line.startswith((" ", "\t")):
            found[key] = (f"{found[key][0]} {line.strip()}".strip(), found[key][1])
    return found


def _parts(old: Sequence[Part], new: Sequence[Part]) -> Iterator[Change]:
    pairs = _matched(old, new)
    partner = {b: a for a, b in pairs}
    lost = [a for a in range(len(old)) if a not in {first for first, _ in pairs}]
    moved = {}
    for b in range(len(new)):
        if b not in partner:
            twin = next((a for a in lost if _fields(old[a]) == _fields(new[b])), None)
            if twin is not None:
                moved[b] = twin
                lost.remove(twin)
    told = 0
    for b, part in enumerate(new):
        while told < len(lost) and lost[told] <= partner.get(b, -1):
            yield _whole("removed", old[lost[told]])
            told += 1
        if b in partner:
            yield from _fields_changed(old[partner[b]], part)
        elif b in moved:
            before = _line(old[moved[b]])
            yield Change("moved", label(part), before=before, after=_line(part))
        else:
            yield _whole("added", part)
    for a in lost[told:]:
        yield _whole("removed", old[a])


def _matched(old: Sequence[Part], new: Sequence[Part]) -> list[tuple[int, int]]:
    """Pairs of parts that are one, in order in both: those that share the most words in all."""
    bags = [[_bag(part) for part in side[:_MOST_PARTS]] for side in (old, new)]
    rows, columns = len(bags[0]), len(bags[1])
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for a in range(rows - 1, -1, -1):
        for b in range(columns - 1, -1, -1):
            alike = _alike(old[a], new[b], bags[0][a], bags[1][b])
            paired = best[a + 1][b + 1] + alike if alike >= _ALIKE else 0.0
            best[a][b] = max(best[a + 1][b], best[a][b + 1], paired)
    pairs, a, b = [], 0, 0
    while a < rows and b < columns:
        alike = _alike(old[a], new[b], bags[0][a], bags[1][b])
        if alike >= _ALIKE and best[a][b] == best[a + 1][b + 1] + alike:
            pairs.append((a, b))
            a, b = a + 1, b + 1
        elif best[a][b] == best[a + 1][b]:
            a += 1
        else:
            b += 1
    return pairs


def _bag(part: Part) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", " ".join(_fields(part).values()).lower()))


def _alike(one: Part, other: Part, words: frozenset[str], others: frozenset[str]) -> float:
    """The share of words that two parts have in common; 0 for different blocks."""
    if _name(one) != _name(other):
        return 0.0
    if not words and not others:
        return 1.0
    return len(words & others) / max(1, min(len(words), len(others)))


def _name(part: Part) -> str:
    return "" if isinstance(part, Body) else part.name


def _line(part: Part) -> int:
    return part.line if isinstance(part, Block) else part.numbers[0]


def _fields(part: Part, prefix: str = "") -> dict[str, str]:
    """Everything that a part says, by the name of the option; what it holds, one by one."""
    if isinstance(part, Body):
        return {"text": part.text.strip()}
    said = {prefix + name: option.value or "yes" for name, option in part.options.items()}
    if not part.body.empty:
        said[f"{prefix}text"] = part.body.text.strip()
    for number, child in enumerate(part.children, 1):
        said |= _fields(child, f"{prefix}{child.name} {number} ")
    return said


def _fields_changed(old: Part, new: Part) -> Iterator[Change]:
    before, after = _fields(old), _fields(new)
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name, ""), after.get(name, "")
        if was.split() != now.split():
            how = "changed" if was and now else ("added" if now else "removed")
            yield Change(how, label(new), name, marked(was, now), _line(old), _line(new))


def _whole(how: str, part: Part) -> Change:
    text = " ".join(" ".join(_fields(part).values()).split())
    short = text if len(text) <= 160 else f"{text[:159]}…"
    added = how == "added"
    return Change(
        how, label(part), "", short, None if added else _line(part), _line(part) if added else None
    )

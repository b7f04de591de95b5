"""Makes one list of bullet lists between which only tags stand, so that no gap shows.

``- a``, ``{% if x %}``, ``- b``, ``{% endif %}``, ``- c`` is one list to its author, and three to
Markdown. The tags go inside, between the items, but only together with the tags that close them.
"""

from __future__ import annotations

from markdown_it.token import Token

from mailer.compose.lifting import OPENERS
from mailer.model.words import Slot

SLOT_TAGS = "slot_tags"  # our token: a line that holds nothing but `{% … %}`


def join_lists(tokens: list[Token]) -> None:
    """Joins lists in place."""
    at = 0
    while at < len(tokens):
        if tokens[at].type == "bullet_list_open":
            _join_from(tokens, at)
        at += 1


def _join_from(tokens: list[Token], first: int) -> None:
    closes: list[int] = []  # where each list of the run ends
    between: list[Slot] = []
    at = first
    while True:
        end = _end_of(tokens, at)
        closes.append(end)
        after, slots = _tags_from(tokens, end + 1)
        if not slots or not _is_twin(tokens, after, tokens[first]):
            break
        between += slots
        at = after
    if len(closes) == 1:
        return
    missing, left = _depths(between)
    if missing and left:
        return  # each item depends on something: as one list it could be empty
    last = closes[-1]
    if left:
        behind, slots = _tags_from(tokens, last + 1)
        if len(slots) != left or any(_word(slot) in OPENERS for slot in slots):
            return
        tokens[last : last + 1 + behind - (last + 1)] = [*tokens[last + 1 : behind], tokens[last]]
    if missing:
        start = first
        while start and tokens[start - 1].type == SLOT_TAGS:
            start -= 1
        slots = [slot for token in tokens[start:first] for slot in token.meta["slots"]]
        if len(slots) != missing or any(_word(slot) not in OPENERS for slot in slots):
            return
        tokens[start : first + 1] = [tokens[first], *tokens[start:first]]
    for close in reversed(closes[:-1]):
        after, _ = _tags_from(tokens, close + 1)
        del tokens[after]
        del tokens[close]


def _end_of(tokens: list[Token], start: int) -> int:
    level = tokens[start].level
    return next(
        n
        for n in range(start + 1, len(tokens))
        if tokens[n].type == "bullet_list_close" and tokens[n].level == level
    )


def _tags_from(tokens: list[Token], start: int) -> tuple[int, list[Slot]]:
    """Returns where the tags that begin at a place end, and the tags."""
    slots: list[Slot] = []
    at = start
    while at < len(tokens) and tokens[at].type == SLOT_TAGS:
        slots += tokens[at].meta["slots"]
        at += 1
    return at, slots


def _is_twin(tokens: list[Token], at: int, first: Token) -> bool:
    if at >= len(tokens):
        return False
    other = tokens[at]
    same = (other.type, other.markup, other.level)
    return same == ("bullet_list_open", first.markup, first.level)


def _depths(slots: list[Slot]) -> tuple[int, int]:
    """Returns how many tags close what opened before, and how many stay open."""
    missing = depth = 0
    for slot in slots:
        word = _word(slot)
        if word in OPENERS:
            depth += 1
        elif word in OPENERS.values():
            if depth:
                depth -= 1
            else:
                missing += 1
        elif not depth:  # an `else` ends one branch of what opened before, and begins another
            missing += 1
            depth = 1
    return missing, depth


def _word(slot: Slot) -> str:
    return slot.source.split(None, 1)[0] if slot.source else ""

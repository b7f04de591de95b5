"""A segment's rule as a tree: what is asked about a person, and how the answers are joined.

A rule has two answers, yes and no, never a third: a comparison with something empty is no, and
``not`` of a no is yes. The tree holds numbers of rows, instants and dates, nothing that still has
to be looked up; ``rule_reader`` builds it out of text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from mailer.errors import Fault, InputError
from mailer.model.words import FieldKind

LONGEST = 4_000  # characters of one rule
DEEPEST = 20  # brackets, `not` and segments inside one another
MOST_CLAUSES = 200  # of a rule, those of the segments that it names counted too
MOST_VALUES = 500  # in one `in (…)`


class Source(StrEnum):
    """What a clause asks about."""

    field = "field"
    email = "email"
    domain = "domain"
    language = "language"
    joined = "joined"  # when the address came here
    mailed = "mailed"  # when a mail to it was accepted last
    suppressed = "suppressed"
    tracking = "tracking"  # the last answer about being tracked
    list = "list"
    tag = "tag"
    consent = "consent"
    campaign = "campaign"


class Kind(StrEnum):
    """What kind of answer that has, which says what it may be compared with."""

    text = "text"
    language = "language"
    number = "number"
    day = "day"
    instant = "instant"
    yesno = "yesno"
    many = "many"  # several texts
    status = "status"  # a SubscriptionStatus
    answer = "answer"  # a TrackingAnswer


class Sign(StrEnum):
    """How it is compared."""

    equals = "="
    differs = "!="
    less = "<"
    at_most = "<="
    more = ">"
    at_least = ">="
    one_of = "in"
    contains = "contains"
    starts = "starts with"
    ends = "ends with"
    empty = "is empty"


@dataclass(frozen=True, slots=True)
class Moment:
    """A span of time: from ``start`` up to, not including, ``end``; both aware, in UTC.

    A day is as long as it is in the workspace's time zone; an instant lasts one microsecond.
    """

    start: datetime
    end: datetime


Value = str | float | bool | date | Moment


@dataclass(frozen=True, slots=True)
class Subject:
    """What a clause asks about: ``id`` is the list's or campaign's number."""

    source: Source
    kind: Kind
    name: str = ""  # of the field, list, tag or campaign
    id: int | None = None
    aspect: str = ""  # status, since, source, at, or a delivery's state


@dataclass(frozen=True, slots=True)
class Clause:
    """One question. ``values`` has one value, but for ``in`` (any number) and ``is empty`` (none).

    ``text`` is what the author wrote.
    """

    subject: Subject
    sign: Sign
    values: tuple[Value, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Not:
    part: Rule
    text: str


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Rule, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Rule, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Within:
    """Whoever is in another segment: its rule stands here."""

    name: str
    part: Rule
    text: str


Rule = Clause | Not | And | Or | Within


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a rule may use. Numbers are those of rows."""

    fields: Mapping[str, FieldKind] = field(default_factory=dict)
    lists: Mapping[str, int] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()  # case-folded; those that somebody has
    campaigns: Mapping[str, int] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)  # name → rule
    archived: frozenset[str] = frozenset()  # lists that are out of use


class RuleError(InputError):
    """A rule that can't be used; its faults show where, with a caret below the place."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a rule, and the characters from ``start`` up to ``end``."""

    message: str
    start: int
    end: int
    hint: str = ""

    def fault(self, text: str, name: str = "") -> Fault:
        """The flaw as people read it; ``name`` is the segment's whose rule this is."""
        first = text.rfind("\n", 0, self.start) + 1
        line = text[first:].partition("\n")[0]
        column = self.start - first
        window = max(0, column - 60)
        shown = "".join(c if c.isprintable() else " " for c in line[window : window + 90])
        carets = "^" * max(1, min(self.end - self.start, len(shown) - (column - window)))
        pad = " " * (sum(_width(c) for c in shown[: column - window]))
        where = f"Segment “{name}”, column" if name else "Column"
        number = text.count("\n", 0, self.start) + 1
        line_is = f" of line {number}" if "\n" in text else ""
        said = f"{where} {column + 1}{line_is}: {self.message}"
        said += f" {self.hint}" if self.hint else ""
        return Fault(f"{said}\n  {shown}\n  {pad}{carets}", rule="rule")


def clauses(rule: Rule) -> Iterator[Clause]:
    """Every question of a rule, in the order in which they stand."""
    match rule:
        case Clause():
            yield rule
        case Not() | Within():
            yield from clauses(rule.part)
        case And() | Or():
            for part in rule.parts:
                yield from clauses(part)


def doubts(rule: Rule, known: Vocabulary) -> list[str]:
    """What in a rule is allowed, and probably not meant: one sentence each."""
    found = []
    for clause in clauses(rule):
        subject = clause.subject
        if subject.source is Source.tag and subject.name not in known.tags:
            found.append(f"Nobody has the tag “{subject.name}” now.")
        if subject.source in (Source.list, Source.consent) and subject.name in known.archived:
            found.append(f"The list “{subject.name}” is archived.")
    return list(dict.fromkeys(found))


def fold(text: str) -> str:
    """Text as rules compare it: NFC, without regard to case.

    Upper case of lower case, because that is what both databases can do as well: ``ß`` is ``ss``,
    and the two small sigmas are one (Unicode chapter 3.13, full mappings without a language).
    """
    return unicodedata.normalize("NFC", text).lower().upper()


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

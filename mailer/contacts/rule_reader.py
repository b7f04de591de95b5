"""Reads a segment's rule: text in, tree out, or every fault with the place where it stands.

::

    rule    = and, { "or", and }          and = not, { "and", not }
    not     = "not", not | "(", rule, ")" | clause
    clause  = subject, [ comparison ]
    subject = a field's name | email domain language joined mailed suppressed consent
            | list("…") tag("…") consent("…") campaign("…"), [ ".", aspect ]
            | a delivery's state, of the campaign named before | segment("…")
            | field("…") | number(field) | date(field)
    comparison = ("=" | "!=" | "<" | "<=" | ">" | ">=" | "before" | "after"), value
            | "is", ["not"], ("empty" | value | "in", values) | ["not"], "in", values
            | "contains", value | ("starts" | "ends"), "with", value
            | "does", "not", ("contain" | ("start" | "end"), "with"), value

``docs/segments.md`` tells it to those who write rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mailer.contacts import rule_subjects as subjects
from mailer.contacts.rule import (
    DEEPEST,
    MOST_CLAUSES,
    And,
    Clause,
    Flaw,
    Kind,
    Not,
    Or,
    Rule,
    RuleError,
    Sign,
    Source,
    Subject,
    Vocabulary,
    Within,
)
from mailer.contacts.rule_time import Calendar
from mailer.contacts.rule_values import Values
from mailer.contacts.rule_words import Shape, Word, words
from mailer.errors import Fault

_ORDER = {
    "=": Sign.equals,
    "!=": Sign.differs,
    "<": Sign.less,
    "<=": Sign.at_most,
    ">": Sign.more,
    ">=": Sign.at_least,
    "before": Sign.less,
    "after": Sign.more,
}
_WITH = {"starts": Sign.starts, "ends": Sign.ends, "start": Sign.starts, "end": Sign.ends}
_NOWHERE = Subject(Source.suppressed, Kind.yesno)  # stands for a subject that is a fault already
_YES = (True,)


def read_rule(text: str, known: Vocabulary, calendar: Calendar, *, name: str = "") -> Rule:
    """The tree of a rule. ``name`` is the segment's own, which it may not lead back to.

    Raises RuleError with every fault that was found.
    """
    faults: list[Fault] = []
    inside = (name,) if name else ()
    rule = _Reader(text, known, calendar, inside, 0, [0], faults, "").whole()
    if faults:
        raise RuleError(faults)
    return rule


def names_segments(text: str) -> list[str]:
    """The segments that a rule names, whether or not it can be used."""
    try:
        found = words(text)
    except RuleError:
        return []
    threes = zip(found, found[1:], found[2:], strict=False)
    return [
        name.value
        for word, bracket, name in threes
        if (word.value, bracket.value, name.shape) == ("segment", "(", Shape.text)
    ]


def with_named(name: str, rules: Mapping[str, str]) -> dict[str, str]:
    """A segment's rule and those of all segments that it leads to, by name."""
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each in rules and each not in found:
            found[each] = rules[each]
            waiting += names_segments(rules[each])
    return found


class _StopError(Exception):
    """The text can't be read on; the flaw is written down already."""


@dataclass
class _Reader:
    text: str
    known: Vocabulary
    calendar: Calendar
    inside: tuple[str, ...]  # the segments that this one stands in
    depth: int
    clauses: list[int]  # how many so far: one number for all readers
    faults: list[Fault]
    name: str  # of the segment, when it was named by another

    def whole(self) -> Rule:
        try:
            self._words = words(self.text)
        except RuleError as error:
            self.faults += error.faults
            return Clause(_NOWHERE, Sign.equals, _YES, "")
        self._at = 0
        self._campaign: tuple[str, int | None] | None = None
        self._values = Values(self.calendar, self._peek, self._take, self._flaw)
        try:
            if self._peek().shape is Shape.end:
                self._stop(self._peek(), "The rule is empty.", 'Write one such as city = "Bern".')
            rule = self._or()
            if self._peek().shape is not Shape.end:
                self._stop_after(rule)
        except _StopError:
            return Clause(_NOWHERE, Sign.equals, _YES, "")
        return rule

    # ---- how clauses are joined ---------------------------------------------------------

    def _or(self) -> Rule:
        return self._joined("or", self._and, Or)

    def _and(self) -> Rule:
        return self._joined("and", self._not, And)

    def _joined(self, word: str, part: Callable[[], Rule], made: type[And] | type[Or]) -> Rule:
        start = self._peek().start
        parts = [part()]
        while self._skip(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else made(tuple(parts), self._since(start))

    def _not(self) -> Rule:
        word = self._peek()
        if not (self._skip("not") or self._skip("(")):
            return self._clause()
        self.depth += 1
        if self.depth > DEEPEST:
            self._stop(word, f"This is nested more than {DEEPEST} deep.", _SPLIT)
        if word.value == "not":
            rule: Rule = Not(self._not(), self._since(word.start))
        else:
            rule = self._or()
            if not self._skip(")"):
                self._stop_after(rule, word)
        self.depth -= 1
        return rule

    # ---- one clause ---------------------------------------------------------------------

    def _clause(self) -> Rule:
        self.clauses[0] += 1
        first = self._peek()
        if self.clauses[0] > MOST_CLAUSES:
            self._stop(first, f"A rule asks at most {MOST_CLAUSES} questions.", _FEWER)
        if first.shape is not Shape.word or first.value in _JOINING:
            what = "The rule ends" if first.shape is Shape.end else f"“{self._said(first)}” stands"
            self._stop(first, f"{what} where a question should be.", _EXAMPLE)
        self._take()
        if first.value == "segment" and self._peek().value == "(":
            return self._segment(first)
        subject = self._subject(first)
        return self._comparison(subject, first, self._since(first.start))

    def _segment(self, first: Word) -> Rule:
        word = self._name("segment")
        name = word.value
        rule = self.known.segments.get(name)
        if rule is None:
            hint = subjects.near(name, self.known.segments)
            self._flaw(word, f"There is no segment “{name}”.", hint)
            return Clause(_NOWHERE, Sign.equals, _YES, "")
        if name in self.inside:
            circle = (*self.inside[self.inside.index(name) :], name)
            self._stop(word, f"This leads in a circle: {' → '.join(circle)}.", "")
        if self.depth >= DEEPEST:
            self._stop(word, f"This is nested more than {DEEPEST} deep.", _SPLIT)
        self.clauses[0] -= 1  # what stands in it counts, not its name
        below = _Reader(
            rule,
            self.known,
            self.calendar,
            (*self.inside, name),
            self.depth + 1,
            self.clauses,
            self.faults,
            name,
        )
        return Within(name, below.whole(), self._since(first.start))

    def _subject(self, first: Word) -> Subject:
        word = first.value
        if word in subjects.NAMING and self._peek().value == "(":
            return self._named(first)
        if word in subjects.PLAIN:
            return subjects.PLAIN[word]
        if (field := self._field_called(first)) is not None:
            return field
        if word in subjects.ASPECTS["campaign"] or word in subjects.UNRECORDED:
            return self._of_campaign(first)
        known = [*self.known.fields, *subjects.PLAIN]
        self._flaw(first, f"There is no field “{self._said(first)}”.", subjects.near(word, known))
        return _NOWHERE

    def _named(self, first: Word) -> Subject:
        if first.value in ("field", "number", "date"):
            return self._field(first)
        word = self._name(first.value)
        if first.value == "tag":
            return Subject(Source.tag, Kind.yesno, word.value.casefold())
        rows: Mapping[str, int] = {
            "list": self.known.lists,
            "campaign": self.known.campaigns,
            "consent": self.known.lists,
        }[first.value]
        number = rows.get(word.value)
        if number is None:
            noun = "list" if first.value == "consent" else first.value
            self._flaw(word, f"There is no {noun} “{word.value}”.", subjects.near(word.value, rows))
        if first.value == "campaign":
            self._campaign = (word.value, number)
        source = Source(first.value)
        if not self._skip("."):
            return Subject(source, Kind.yesno, word.value, number)
        aspect = self._take()
        if source is Source.campaign:
            return self._of_campaign(aspect)
        kinds = subjects.ASPECTS[first.value]
        if aspect.value not in kinds:
            said = f"A {first.value} has no “{self._said(aspect)}”."
            self._flaw(aspect, said, subjects.near(aspect.value, kinds) if kinds else "")
            return _NOWHERE
        return Subject(source, kinds[aspect.value], word.value, number, aspect.value)

    def _of_campaign(self, word: Word) -> Subject:
        """What became of somebody in the campaign that was named last."""
        states = subjects.ASPECTS["campaign"]
        if word.value in subjects.UNRECORDED:
            what = subjects.UNRECORDED[word.value]
            self._flaw(
                word,
                f"Nobody can be found by “{word.value}”: {what} are not recorded in this version.",
                f"What is known of a campaign: {', '.join(states)}.",
            )
            return _NOWHERE
        if word.value not in states:
            known = subjects.near(word.value, states)
            self._flaw(word, f"A campaign has no “{self._said(word)}”.", known)
            return _NOWHERE
        if self._campaign is None:
            self._flaw(word, "Of which campaign?", f'Write campaign("spring").{word.value}.')
            return _NOWHERE
        return Subject(Source.campaign, Kind.yesno, *self._campaign, word.value)

    def _field(self, first: Word) -> Subject:
        """``field("in")``, ``number(age)``, ``date(born)``."""
        self._take()  # the bracket
        word = self._take()
        if word.shape not in (Shape.word, Shape.text):
            self._stop(word, "The name of a field should be here.", "")
        if not self._skip(")"):
            self._stop(self._peek(), "A bracket should close here.", "")
        field = self._field_called(word)
        if field is None:
            hint = subjects.near(word.value, self.known.fields)
            self._flaw(word, f"There is no field “{self._said(word)}”.", hint)
            return _NOWHERE
        kind = {"number": Kind.number, "date": Kind.day}.get(first.value, field.kind)
        return Subject(Source.field, kind, field.name)

    def _field_called(self, word: Word) -> Subject | None:
        for name, kind in self.known.fields.items():
            if name == word.value or name.casefold() == word.value.casefold():
                return Subject(Source.field, subjects.KINDS.get(kind, Kind.text), name)
        return None

    def _name(self, what: str) -> Word:
        """The name in brackets, as a text."""
        self._take()  # the bracket
        word = self._take()
        if word.shape is not Shape.text:
            self._stop(word, f"The name of a {what} should be here.", f'Write {what}("name").')
        if not self._skip(")"):
            self._stop(self._peek(), "A bracket should close here.", "")
        return word

    # ---- the comparison -----------------------------------------------------------------

    def _comparison(self, subject: Subject, first: Word, said: str) -> Rule:
        word = self._peek()
        negated = False
        if word.value in ("is", "does"):
            self._take()
            negated = self._skip("not")
            if word.value == "does" and not negated:
                self._stop(self._peek(), "“not” should be here.", 'city does not contain "x"')
        elif word.value == "not" and self._peek(1).value == "in":
            self._take()
            negated = True
        clause = self._compared(subject, first, said, bare=self._peek() is word)
        if not negated:
            return clause
        return Not(clause, clause.text)

    def _compared(self, subject: Subject, first: Word, said: str, *, bare: bool) -> Clause:
        word = self._peek()
        after_is = not bare and self._words[self._at - 1].value in ("is", "not")
        sign = self._sign(word, after_is=after_is)
        if sign is None:
            if subject.kind is not Kind.yesno and subject is not _NOWHERE:
                hint = f"Compare it: {_SAMPLES[subject.kind].format(said)}."
                self._stop(word, f"What about “{said}”?", hint)
            return Clause(subject, Sign.equals, _YES, said)
        if sign not in subjects.SIGNS[subject.kind] and subject is not _NOWHERE:
            self._unfit(subject, sign, word, said)
            return self._passed_over(subject, sign)
        if sign is Sign.empty and subject.kind is Kind.yesno and subject.source is not Source.field:
            self._flaw(word, f"“{said}” is yes or no, never empty.", f"Write not {said}.")
        faults = len(self.faults)
        values = self._values.read(None if subject is _NOWHERE else subject.kind, sign)
        if sign is Sign.one_of and not values and len(self.faults) > faults:
            raise _StopError  # where the brackets end is not known
        return Clause(subject, sign, values, self._since(first.start))

    def _sign(self, word: Word, *, after_is: bool) -> Sign | None:
        """Reads how something is compared; None where no comparison stands."""
        if word.value in _ORDER and word.shape in (Shape.sign, Shape.word):
            self._take()
            return _ORDER[word.value]
        if word.shape is Shape.word:
            if word.value in ("in", "empty") or word.value in ("contains", "contain"):
                if word.value == "in" and after_is and self._peek(1).value != "(":
                    return Sign.equals  # is in 3 days
                self._take()
                named = {"in": Sign.one_of, "empty": Sign.empty}
                return named.get(word.value, Sign.contains)
            if word.value in _WITH:
                self._take()
                if not self._skip("with"):
                    self._stop(self._peek(), "“with” should be here.", 'city starts with "Ge"')
                return _WITH[word.value]
        return Sign.equals if after_is else None

    def _unfit(self, subject: Subject, sign: Sign, word: Word, said: str) -> None:
        kind = subject.kind
        hint = ""
        if kind is Kind.text and subject.source is Source.field:
            other = "number" if sign in _ORDER.values() else ""
            hint = f"number({subject.name}) or date({subject.name}) reads it as one." * bool(other)
        if kind is Kind.many:
            hint = f'Write {said} contains "…".'
        signs = ", ".join(s for s in Sign if s in subjects.SIGNS[kind])
        what = f"“{said}” is {subjects.SAYS[kind]}, which “{sign}” does not compare."
        self._flaw(word, what, hint or f"It takes {signs}.")

    def _passed_over(self, subject: Subject, sign: Sign) -> Clause:
        """Reads the value behind a comparison that is a fault already, so that others are found."""
        self._values.read(None, sign)
        return Clause(subject, Sign.empty, (), "")

    # ---- words --------------------------------------------------------------------------

    def _peek(self, further: int = 0) -> Word:
        return self._words[min(self._at + further, len(self._words) - 1)]

    def _take(self) -> Word:
        word = self._peek()
        self._at = min(self._at + 1, len(self._words) - 1)
        return word

    def _skip(self, value: str) -> bool:
        word = self._peek()
        if word.value != value or word.shape not in (Shape.word, Shape.sign):
            return False
        self._take()
        return True

    def _said(self, word: Word) -> str:
        return self.text[word.start : word.end]

    def _since(self, start: int) -> str:
        return self.text[start : self._words[self._at - 1].end]

    def _flaw(self, word: Word, message: str, hint: str = "") -> None:
        flaw = Flaw(message, word.start, word.end, hint)
        self.faults.append(flaw.fault(self.text, self.name))

    def _stop(self, word: Word, message: str, hint: str) -> None:
        self._flaw(word, message, hint)
        raise _StopError

    def _stop_after(self, rule: Rule, opened: Word | None = None) -> None:
        word = self._peek()
        if word.shape is Shape.end and opened is not None:
            self._stop(opened, "This bracket never closes.", "")
        expected = "“and”, “or” or a bracket" if opened else "“and” or “or”"
        hint = 'A text stands in quotes: city = "New York".' if word.shape is Shape.word else ""
        self._stop(word, f"“{self._said(word)}” stands where {expected} should be.", hint)


_SPLIT = "Make a segment of a part, or fewer brackets."
_FEWER = 'Write city in ("a", "b", …) for many values of one field.'
_EXAMPLE = 'Such as: city = "Bern" and not tag("press").'
_JOINING = ("and", "or", "in", "is", "contains", "starts", "ends", "before", "after", "does")
_SAMPLES = {
    Kind.text: '{0} = "…", or {0} is empty',
    Kind.language: '{} = "fr"',
    Kind.number: "{} > 3",
    Kind.day: "{} > 90 days ago",
    Kind.instant: "{} > 90 days ago",
    Kind.many: '{} contains "…"',
    Kind.status: "{} = active",
    Kind.answer: "{} = yes",
}

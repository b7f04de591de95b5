"""Reads what a rule compares with: texts, numbers, days, yes and no, statuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from mailer.contacts import rule_subjects as subjects
from mailer.contacts.rule import MOST_VALUES, Kind, Moment, Sign, Value
from mailer.contacts.rule_time import NAMED_DAYS, UNITS, Calendar
from mailer.contacts.rule_words import Shape, Word

# A text that can be read as a number; more digits are not exact in both databases.
PLAIN_NUMBER = r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?"
_MOST_DIGITS = 15  # so many are exact in both databases
_STAND_IN = ""  # for a value that is a fault already


class Peek(Protocol):
    def __call__(self, further: int = 0) -> Word: ...


class Complain(Protocol):
    def __call__(self, word: Word, message: str, hint: str = "") -> None: ...


@dataclass(frozen=True)
class Values:
    """Reads values from a reader's words; what can't be read becomes a flaw there."""

    calendar: Calendar
    peek: Peek
    take: Callable[[], Word]
    flaw: Complain

    def read(self, kind: Kind | None, sign: Sign) -> tuple[Value, ...]:
        """The values of one comparison; with ``kind`` None they are only passed over."""
        if sign is Sign.empty:
            return ()
        if sign is not Sign.one_of:
            return (self._one(kind, sign),)
        opening = self.take()
        if opening.value != "(" or opening.shape is not Shape.sign:
            self.flaw(opening, "A bracket should be here.", 'Write in ("Bern", "Basel").')
            return ()
        values = [self._one(kind, sign)]
        while self._is_sign(","):
            self.take()
            values.append(self._one(kind, sign))
            if len(values) > MOST_VALUES:
                self.flaw(opening, f"More than {MOST_VALUES} values stand here.", _TAG)
                return tuple(values)
        if not self._is_sign(")"):
            hint = "Commas go between values; a text stands in quotes."
            self.flaw(self.peek(), "This bracket should close here.", hint)
            return ()
        self.take()
        return tuple(dict.fromkeys(values))

    def _is_sign(self, value: str) -> bool:
        return self.peek().shape is Shape.sign and self.peek().value == value

    def _one(self, kind: Kind | None, sign: Sign) -> Value:
        word = self.peek()
        if word.shape is Shape.end or self._is_sign(")"):
            self.flaw(word, "A value should be here.")
            return _STAND_IN
        match kind:
            case Kind.text | Kind.many | Kind.language:
                return self._text(kind, sign)
            case Kind.number:
                return self._number()
            case Kind.day | Kind.instant:
                return self._time(kind)
            case Kind.yesno:
                return self._word(_YESNO, "“yes” or “no” should be here.")
            case Kind.status:
                return self._word(_STATUSES, "A status should be here.")
            case Kind.answer:
                return self._word(_ANSWERS, "“yes”, “no” or “unknown” should be here.")
            case None:
                return self._anything()

    def _text(self, kind: Kind, sign: Sign) -> Value:
        word = self.take()
        if word.shape is not Shape.text:
            self.flaw(word, "A text should be here, in quotes.", 'Such as "Bern".')
        elif not word.value:
            self.flaw(word, "An empty text finds nobody.", "Write is empty, or is not empty.")
        elif kind is Kind.language and not _TAG_SHAPE(word.value):
            self.flaw(word, f"“{word.value}” is no language tag.", "Such as fr or pt-BR.")
        return word.value

    def _number(self) -> Value:
        word = self.take()
        if word.shape is not Shape.number:
            said = "A number should be here"
            said += ", without quotes." if word.shape is Shape.text else "."
            self.flaw(word, said, "Such as 18 or 2.5.")
            return 0.0
        if sum(c.isdigit() for c in word.value) > _MOST_DIGITS:
            self.flaw(word, f"A number has at most {_MOST_DIGITS} digits.")
        return float(word.value)

    def _time(self, kind: Kind) -> Value:
        word = self.take()
        try:
            found = self._span(word)
        except ValueError as error:
            self.flaw(word, f"This is no date that can be compared: {error}.")
            return _STAND_IN
        if found is None:
            hint = "Such as 2026-11-01, today, 90 days ago, in 2 weeks."
            self.flaw(word, "A date should be here, without quotes.", hint)
            return _STAND_IN
        if kind is Kind.instant:
            return self.calendar.whole(found) if isinstance(found, date) else found
        if isinstance(found, Moment):
            self.flaw(word, "A date has no hours.", "Count in days, weeks, months or years.")
        return found

    def _span(self, word: Word) -> date | Moment | None:
        if word.shape is Shape.date:
            return self.calendar.day(word.value)
        if word.shape is Shape.word and word.value in NAMED_DAYS:
            return self.calendar.away(NAMED_DAYS[word.value], "days")
        if word.shape is Shape.word and word.value == "now":
            return self.calendar.away(0, "hours")
        ahead = word.shape is Shape.word and word.value == "in"
        number = self.take() if ahead else word
        if number.shape is not Shape.number or not number.value.isdigit():
            return None
        if self.peek().value not in UNITS:
            self.flaw(self.peek(), "A unit should be here.", _UNITS)
            return self.calendar.today
        unit = self.take().value
        if not ahead and self.peek().value != "ago":
            self.flaw(self.peek(), "“ago” should be here.", "Or write in 3 days.")
        elif not ahead:
            self.take()
        if len(number.value) > 9:
            raise ValueError("too far away")
        return self.calendar.away(int(number.value) * (1 if ahead else -1), unit)

    def _word(self, known: Mapping[str, Value], complaint: str) -> Value:
        word = self.take()
        if word.value.casefold() in known and word.shape in (Shape.word, Shape.text):
            return known[word.value.casefold()]
        self.flaw(word, complaint, subjects.near(word.value, known))
        return _STAND_IN

    def _anything(self) -> Value:
        word = self.take()
        if word.shape is Shape.number and self.peek().value in UNITS:
            self.take()
            if self.peek().value == "ago":
                self.take()
        return _STAND_IN


_STATUSES: Mapping[str, Value] = {status: status for status in subjects.STATUSES}
_ANSWERS: Mapping[str, Value] = {answer: answer for answer in subjects.ANSWERS}
_YESNO: Mapping[str, Value] = dict(subjects.YESNO)
_UNITS = "Such as days, weeks, months, years, or hours."
_TAG = "Give those people a tag, and ask for the tag."
_TAG_SHAPE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*").fullmatch

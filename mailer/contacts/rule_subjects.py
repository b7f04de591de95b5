"""What a rule may ask about, by the word that stands for it, and how each may be compared."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from mailer.contacts.rule import Kind, Sign, Source, Subject
from mailer.model.words import DeliveryState, FieldKind, SubscriptionStatus, TrackingAnswer

PLAIN: Mapping[str, Subject] = {
    "email": Subject(Source.email, Kind.text),
    "domain": Subject(Source.domain, Kind.text),
    "language": Subject(Source.language, Kind.language),
    "joined": Subject(Source.joined, Kind.instant),
    "mailed": Subject(Source.mailed, Kind.instant),
    "suppressed": Subject(Source.suppressed, Kind.yesno),
    "tracking": Subject(Source.tracking, Kind.answer),
    "consent": Subject(Source.consent, Kind.yesno),
}
# Words that stand before a name in brackets.
NAMING = ("list", "tag", "campaign", "consent", "segment", "field", "number", "date")
CLICKED = "clicked"  # followed a measured link, by their own yes
# What may follow a name after a dot, and what kind of answer it has.
ASPECTS: Mapping[str, Mapping[str, Kind]] = {
    "list": {"status": Kind.status, "since": Kind.instant},
    "consent": {"at": Kind.instant, "source": Kind.text, "wording": Kind.text},
    "campaign": {**{state.value: Kind.yesno for state in DeliveryState}, CLICKED: Kind.yesno},
    "tag": {},
}
# What other programs know of a campaign, and this one has no record of.
UNRECORDED: Mapping[str, str] = {
    "opened": "opens",
    "replied": "replies",
    "bounced": "bounces",
    "complained": "complaints",
}
KINDS: Mapping[FieldKind, Kind] = {
    FieldKind.text: Kind.text,
    FieldKind.number: Kind.number,
    FieldKind.date: Kind.day,
    FieldKind.yesno: Kind.yesno,
    FieldKind.list: Kind.many,
}
STATUSES = tuple(status.value for status in SubscriptionStatus)
ANSWERS = tuple(answer.value for answer in TrackingAnswer)
YESNO: Mapping[str, bool] = {"yes": True, "true": True, "no": False, "false": False}

_ORDERED = {Sign.less, Sign.at_most, Sign.more, Sign.at_least}
_SAME = {Sign.equals, Sign.differs}
SIGNS: Mapping[Kind, set[Sign]] = {
    Kind.text: {*_SAME, Sign.one_of, Sign.contains, Sign.starts, Sign.ends, Sign.empty},
    Kind.language: {*_SAME, Sign.one_of, Sign.starts, Sign.empty},
    Kind.number: {*_SAME, *_ORDERED, Sign.one_of, Sign.empty},
    Kind.day: {*_SAME, *_ORDERED, Sign.one_of, Sign.empty},
    Kind.instant: {*_SAME, *_ORDERED, Sign.empty},
    Kind.yesno: {*_SAME, Sign.empty},
    Kind.many: {Sign.contains, Sign.one_of, Sign.empty},
    Kind.status: {*_SAME, Sign.one_of, Sign.empty},
    Kind.answer: {*_SAME, Sign.one_of},
}
SAYS: Mapping[Kind, str] = {
    Kind.text: "text",
    Kind.language: "a language",
    Kind.number: "a number",
    Kind.day: "a date",
    Kind.instant: "a point in time",
    Kind.yesno: "yes or no",
    Kind.many: "several texts",
    Kind.status: "a status",
    Kind.answer: "yes, no or unknown",
}


def near(word: str, known: Iterable[str]) -> str:
    """A hint at the nearest known names, or at those that there are."""
    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), folded, 2, 0.6)
    if close:
        return f"Did you mean {' or '.join(f'“{folded[each]}”' for each in close)}?"
    if not names:
        return "There are none yet."
    shown = ", ".join(f"“{name}”" for name in names[:8])
    return f"There are {shown}{' and others' if len(names) > 8 else ''}."

"""Compiles a segment's rule to SQL: an expression over a row of ``PEOPLE``, every value bound.

Nothing of a rule's text ever becomes SQL text. Each clause is made two-valued here (a comparison
with NULL is no), so that ``NOT`` means what the rule's author means by it.

What the two databases write differently stands in ``rule_fields``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    LargeBinary,
    String,
    and_,
    column,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    table,
    true,
)
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.contacts.rule import (
    And,
    Clause,
    Kind,
    Moment,
    Not,
    Or,
    Rule,
    Sign,
    Source,
    Subject,
    Value,
    Within,
    fold,
)
from mailer.contacts.rule_subjects import CLICKED
from mailer.model.words import TrackingAnswer
from mailer.store.rule_fields import (
    PEOPLE,
    Expression,
    PostgresqlWords,
    ReadOnce,
    SqliteWords,
    Yes,
)

SUBSCRIPTION = table(
    "subscription",
    column("list_id", BigInteger),
    column("subscriber_id", BigInteger),
    column("status", String),
    column("since", UTCDateTime()),
    column("paused_until", BigInteger),
)
DELIVERY = table(
    "delivery",
    column("campaign_id", BigInteger),
    column("subscriber_id", BigInteger),
    column("state", String),
    column("at", BigInteger),
)
CLICK = table(
    "link_click",
    column("campaign_id", BigInteger),
    column("subscriber_id", BigInteger),
    column("verdict", String),
)
CONSENT = table(
    "consent",
    column("id", BigInteger),
    column("list_id", BigInteger),
    column("subscriber_id", BigInteger),
    column("source", String),
    column("wording_id", BigInteger),
    column("at", UTCDateTime()),
)
WORDING = table("wording", column("id", BigInteger), column("text", String))
SUPPRESSION = table("suppression", column("hash", LargeBinary))
TAGGED = table("subscriber_tag", column("subscriber_id", BigInteger), column("tag", String))
TRACKING = table(
    "tracking_consent",
    column("id", BigInteger),
    column("subscriber_id", BigInteger),
    column("answer", String),
)

_ME = PEOPLE.c.id


class RuleSql:
    """Compiles rules for one kind of database: ``sqlite`` or ``postgresql``.

    Where everybody is read (``of_all``), what ``words.beside`` makes of the people is read from.
    """

    def __init__(self, dialect: str, *, of_all: bool = False) -> None:
        self.words: SqliteWords | PostgresqlWords = (
            SqliteWords() if dialect == "sqlite" else ReadOnce() if of_all else PostgresqlWords()
        )

    def rule(self, rule: Rule) -> Yes:
        """True for the people of ``PEOPLE`` whom the rule means, false for all others."""
        match rule:
            case Clause():
                return func.coalesce(self._clause(rule), false())
            case Not():
                return not_(self.rule(rule.part))
            case Within():
                return self.rule(rule.part)
            case And():
                return and_(true(), *(self.rule(part) for part in rule.parts))
            case Or():
                return or_(false(), *(self.rule(part) for part in rule.parts))

    def answer(self, subject: Subject) -> Expression | None:
        """What is compared, for showing to people; None where the clause says it all."""
        source, aspect = subject.source, subject.aspect
        if source is Source.field:
            return self.words.shown(subject.name)
        if subject.kind is Kind.yesno:
            return None
        plain = {
            Source.email: PEOPLE.c.address,
            Source.domain: self.words.domain(),
            Source.language: PEOPLE.c.language,
            Source.joined: PEOPLE.c.created_at,
            Source.mailed: _last_mailed(),
        }
        if source in plain:
            return plain[source]
        if source is Source.tracking:
            return last_answer()
        return _on_list(subject) if source is Source.list else _consented(subject, aspect)

    def _clause(self, clause: Clause) -> Yes:
        subject, sign, values = clause.subject, clause.sign, clause.values
        match subject.kind:
            case Kind.yesno:
                return self._yesno(subject, sign, values)
            case Kind.text:
                return self._text(self._words_of(subject), sign, values)
            case Kind.language:
                return self._language(self.words.fold(PEOPLE.c.language), sign, values)
            case Kind.number:
                return _ordered(self.words.number(subject.name), sign, values)
            case Kind.day:
                days = [_iso(value) for value in values]
                return _ordered(self.words.day(subject.name), sign, days)
            case Kind.instant:
                return self._instant(subject, sign, values)
            case Kind.many:
                return self._many(subject.name, sign, values)
            case Kind.status:
                return _ordered(_on_list(subject), sign, values)
            case Kind.answer:
                return _ordered(last_answer(), sign, values)

    def _words_of(self, subject: Subject) -> Expression:
        match subject.source:
            case Source.email:
                return PEOPLE.c.address
            case Source.domain:
                return self.words.domain()
            case Source.consent:
                return _consented(subject, subject.aspect)
            case _:
                return self.words.text(subject.name)

    def _text(self, words: Expression, sign: Sign, values: Sequence[Value]) -> Yes:
        if sign is Sign.empty:
            return func.coalesce(words, "") == ""
        return self._folded(self.words.fold(words), sign, [fold(str(value)) for value in values])

    def _folded(self, words: Expression, sign: Sign, values: Sequence[str]) -> Yes:
        first = literal(values[0], String())
        match sign:
            case Sign.differs:
                return and_(words != "", words != first)
            case Sign.one_of:
                return words.in_(values)
            case Sign.contains:
                return self.words.place(words, first) > 0
            case Sign.starts:
                return func.substr(words, 1, len(values[0])) == first
            case Sign.ends:
                return self.words.ending(words, len(values[0])) == first
            case _:
                return words == first

    def _language(self, tag: Expression, sign: Sign, values: Sequence[Value]) -> Yes:
        """A tag means itself and its regions: fr is fr-CH too (RFC 4647 section 3.3.1)."""
        if sign is Sign.empty:
            return func.coalesce(tag, "") == ""
        wanted = [fold(str(value)) for value in values]
        if sign is Sign.starts:
            return self._folded(tag, sign, wanted)
        meant = or_(tag.in_(wanted), *(func.substr(tag, 1, len(w) + 1) == f"{w}-" for w in wanted))
        return and_(tag != "", not_(meant)) if sign is Sign.differs else meant

    def _yesno(self, subject: Subject, sign: Sign, values: Sequence[Value]) -> Yes:
        if subject.source is Source.field:
            yes, no = self.words.yesno(subject.name)
        else:
            yes = _holds(subject)
            no = not_(yes)
        if sign is Sign.empty:
            return not_(func.coalesce(or_(yes, no), false()))
        return yes if values[0] is (sign is Sign.equals) else no

    def _instant(self, subject: Subject, sign: Sign, values: Sequence[Value]) -> Yes:
        answer = self.answer(subject)
        assert answer is not None  # noqa: S101  an instant always has one
        if sign is Sign.empty:
            return answer.is_(None)
        moment = values[0]
        assert isinstance(moment, Moment)  # noqa: S101  the reader made it one
        start: Any = moment.start
        end: Any = moment.end
        if subject.source is Source.mailed:
            start, end = _ledger_ms(moment.start), _ledger_ms(moment.end)
        if sign in (Sign.equals, Sign.differs):
            within = and_(
                _COMPARED[Sign.at_least](answer, start), _COMPARED[Sign.less](answer, end)
            )
            return within if sign is Sign.equals else not_(within)
        # After a day means after its end, and up to a day means up to its end.
        edge = end if sign in (Sign.more, Sign.at_most) else start
        beyond = sign in (Sign.more, Sign.at_least)
        return _COMPARED[Sign.at_least if beyond else Sign.less](answer, edge)

    def _many(self, name: str, sign: Sign, values: Sequence[Value]) -> Yes:
        if sign is Sign.empty:
            return not_(self.words.any_of(name, None))
        return self.words.any_of(name, [fold(str(value)) for value in values])


_COMPARED: Mapping[Sign, Callable[[Any, Any], Yes]] = {
    Sign.equals: operator.eq,
    Sign.differs: operator.ne,
    Sign.less: operator.lt,
    Sign.at_most: operator.le,
    Sign.more: operator.gt,
    Sign.at_least: operator.ge,
}


def _ordered(answer: Expression, sign: Sign, values: Sequence[Any]) -> Yes:
    if sign is Sign.empty:
        return answer.is_(None)
    return answer.in_(values) if sign is Sign.one_of else _COMPARED[sign](answer, values[0])


def _holds(subject: Subject) -> Yes:
    """A question that a row answers by being there."""
    match subject.source:
        case Source.suppressed:
            return exists().where(SUPPRESSION.c.hash == PEOPLE.c.suppression_hash)
        case Source.tag:
            return exists().where(TAGGED.c.subscriber_id == _ME, TAGGED.c.tag == subject.name)
        case Source.list:
            return exists().where(
                SUBSCRIPTION.c.list_id == subject.id,
                SUBSCRIPTION.c.subscriber_id == _ME,
                SUBSCRIPTION.c.status == "active",
            )
        case Source.consent:
            given = exists().where(CONSENT.c.subscriber_id == _ME)
            return given if subject.id is None else given.where(CONSENT.c.list_id == subject.id)
        case _ if subject.aspect == CLICKED:
            row = exists().where(
                CLICK.c.campaign_id == subject.id,
                CLICK.c.subscriber_id == _ME,
                CLICK.c.verdict == "",
            )
            return and_(row, last_answer() == TrackingAnswer.yes.value)
        case _:
            row = exists().where(
                DELIVERY.c.campaign_id == subject.id, DELIVERY.c.subscriber_id == _ME
            )
            return row.where(DELIVERY.c.state == subject.aspect) if subject.aspect else row


def _on_list(subject: Subject) -> Expression:
    return (
        select(SUBSCRIPTION.c[subject.aspect or "status"])
        .where(SUBSCRIPTION.c.list_id == subject.id, SUBSCRIPTION.c.subscriber_id == _ME)
        .scalar_subquery()
    )


def _consented(subject: Subject, aspect: str) -> Expression:
    """Of the newest consent record."""
    if aspect == "wording":
        picked = select(WORDING.c.text).outerjoin_from(
            CONSENT, WORDING, WORDING.c.id == CONSENT.c.wording_id
        )
    else:
        picked = select(CONSENT.c[aspect])
    return (
        picked.where(CONSENT.c.subscriber_id == _ME, CONSENT.c.list_id == subject.id)
        .order_by(CONSENT.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def last_answer() -> Expression:
    """The last answer about being tracked."""
    last = (
        select(TRACKING.c.answer)
        .where(TRACKING.c.subscriber_id == _ME)
        .order_by(TRACKING.c.id.desc())
        .limit(1)
    )
    return func.coalesce(last.scalar_subquery(), TrackingAnswer.unknown.value, type_=String())


def _last_mailed() -> Expression:
    """When a mail was accepted last, in the ledger's milliseconds."""
    return (
        select(func.max(DELIVERY.c.at))
        .where(DELIVERY.c.subscriber_id == _ME, DELIVERY.c.state == "accepted")
        .scalar_subquery()
    )


def _ledger_ms(moment: datetime) -> int:
    """The first whole millisecond at or after an instant."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return -(-microseconds // 1000)


def _iso(value: Value) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)

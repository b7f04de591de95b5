"""Chooses an audience: who of a list gets a campaign, and why each of the others does not.

One statement reads everybody on the list and settles each person's fate, in one snapshot of the
database; ``crowd`` puts those who get it in order and writes them down. The same reasons explain
one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    LargeBinary,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    table,
)

from mailer.contacts.rule import Rule
from mailer.model.words import FrequencyCap, TrackingAnswer
from mailer.store.clicks import CONSENTED
from mailer.store.rule_fields import PEOPLE, Expression, Yes
from mailer.store.rule_sql import DELIVERY, SUBSCRIPTION, SUPPRESSION, RuleSql, last_answer

_DAY_MS = 86_400_000

_OURS = SUBSCRIPTION.alias("u")
_ON_LIST = table("list_suppression", column("list_id", BigInteger), column("hash", LargeBinary))
IN_AUDIENCE = "in_audience"  # the reason of who has a row in the campaign ``beyond``
# Got it, or may have got it.
GOT = ("accepted", "unknown", "sending", "deferred")


@dataclass(frozen=True, slots=True)
class Selection:
    """Who of a list is asked for, and who is to be left out."""

    list_id: int
    earlier: Sequence[int] = ()  # campaigns of the same issue: whoever got one does not again
    segment: Rule | None = None
    not_on: Sequence[int] = ()  # lists
    not_among: Sequence[Rule] = ()  # segments
    not_in: Sequence[int] = ()  # campaigns
    cap: FrequencyCap | None = None
    now_ms: int = 0  # the instant from which the cap's days count back
    beyond: int | None = None  # a campaign: only who is not in its audience


def reasons(selection: Selection, rules: RuleSql) -> list[tuple[str, Yes]]:
    """Why somebody on the list is left out: the first that holds is the one that counts."""
    me = PEOPLE.c.id
    got = exists().where(DELIVERY.c.subscriber_id == me, DELIVERY.c.state.in_(GOT))
    found: list[tuple[str, Yes]] = [
        (
            "suppressed",
            or_(
                exists().where(SUPPRESSION.c.hash == PEOPLE.c.suppression_hash),
                exists().where(
                    _ON_LIST.c.list_id == selection.list_id,
                    _ON_LIST.c.hash == PEOPLE.c.suppression_hash,
                ),
            ),
        ),
        ("paused", _OURS.c.paused_until > selection.now_ms),
    ]
    if selection.beyond is not None:
        there = exists().where(
            DELIVERY.c.subscriber_id == me, DELIVERY.c.campaign_id == selection.beyond
        )
        found.insert(0, (IN_AUDIENCE, there))
    if selection.segment is not None:
        found.append(("segment", not_(rules.rule(selection.segment))))
    if selection.not_on:
        on = exists().where(
            SUBSCRIPTION.c.subscriber_id == me,
            SUBSCRIPTION.c.list_id.in_(selection.not_on),
            SUBSCRIPTION.c.status == "active",
        )
        found.append(("excluded_list", on))
    if selection.not_among:
        among = or_(false(), *(rules.rule(each) for each in selection.not_among))
        found.append(("excluded_segment", among))
    if selection.not_in:
        found.append(("excluded_campaign", got.where(DELIVERY.c.campaign_id.in_(selection.not_in))))
    if selection.earlier:
        found.append(("already_sent", got.where(DELIVERY.c.campaign_id.in_(selection.earlier))))
    if selection.cap is not None:
        found.append(("frequency_cap", _too_many(selection.cap, selection.now_ms)))
    wish = cast(PEOPLE.c.fewer_days, BigInteger) * _DAY_MS
    lately = got.where(DELIVERY.c.at > literal(selection.now_ms, BigInteger()) - wish)
    found.append(("fewer_mails", and_(PEOPLE.c.fewer_days.is_not(None), lately)))
    return found


def _too_many(cap: FrequencyCap, now_ms: int) -> Yes:
    """As many campaigns as are allowed are accepted, or may be, within the days."""
    recent = (
        select(func.count())
        .select_from(DELIVERY)
        .where(
            DELIVERY.c.subscriber_id == PEOPLE.c.id,
            DELIVERY.c.state.in_(GOT),
            DELIVERY.c.at > now_ms - cap.days * _DAY_MS,
        )
    )
    return recent.scalar_subquery() >= literal(cap.campaigns)


def explain(
    connection: Connection, dialect: str, selection: Selection, subscriber_id: int
) -> list[str] | None:
    """Every reason that keeps one person out, the one that counts first; None: not on the list."""
    why = reasons(selection, RuleSql(dialect))
    row = connection.execute(
        select(_OURS.c.status, *(holds.label(f"r{i}") for i, (_, holds) in enumerate(why)))
        .select_from(_OURS.join(PEOPLE, PEOPLE.c.id == _OURS.c.subscriber_id))
        .where(_OURS.c.list_id == selection.list_id, PEOPLE.c.id == subscriber_id)
    ).first()
    if row is None:
        return None
    status, *held = row
    standing = [] if status == "active" else [str(status)]
    return standing + [reason for (reason, _), holds in zip(why, held, strict=True) if holds]


def everybody(
    selection: Selection, dialect: str, names: Sequence[str], *, measured: bool = False
) -> Select[Any]:
    """Everybody on the list: id, address, domain, language, fields of ``names``, why left out."""
    rules = RuleSql(dialect, of_all=True)
    values = rules.words.picked(names)
    fate = case(
        (_OURS.c.status != "active", _OURS.c.status),
        *((holds, literal(reason)) for reason, holds in reasons(selection, rules)),
        else_="",
    )
    columns = (
        PEOPLE.c.id,
        PEOPLE.c.address,
        rules.words.domain(),
        PEOPLE.c.language,
        _with_consent(values) if measured else values,
        fate,
    )
    on_list = _OURS.join(PEOPLE, PEOPLE.c.id == _OURS.c.subscriber_id)
    return (
        select(*columns)
        .select_from(rules.words.beside(on_list))
        .where(_OURS.c.list_id == selection.list_id)
    )


def _with_consent(values: Expression) -> Expression:
    """The values as JSON, with a mark in front for who says yes to being tracked."""
    mark = literal(f'{{"{CONSENTED}":true', Text())
    rest = case((values == "{}", "}"), else_=literal(",", Text()).concat(func.substr(values, 2)))
    return case((last_answer() == TrackingAnswer.yes.value, mark.concat(rest)), else_=values)

"""Answers rules in plain Python, and makes people and rules at random: the judge of the SQL."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import insert, text

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
    Within,
    fold,
)
from mailer.model.campaigns import Delivery, LinkClick
from mailer.model.people import (
    Consent,
    FieldDefinition,
    Subscriber,
    SubscriberTag,
    Subscription,
    Suppression,
    TrackingConsent,
    Wording,
)
from mailer.model.words import FieldKind
from mailer.store.database import Database
from mailer.store.people import hasher
from tests.builders import make_campaign, make_list

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KINDS = {
    "city": FieldKind.text,
    "age": FieldKind.number,
    "born": FieldKind.date,
    "vip": FieldKind.yesno,
    "topics": FieldKind.list,
    "in": FieldKind.text,
}
# Values that fit a field's kind, and values that do not.
WORDS = ["Geneva", "GENEVA", "genève", "Straße", "STRASSE", "ΟΔΟΣ", "οδος", "ος", "100%", "a_b"]
WORDS += ["O'Neil", 'the "old" town', "'; DROP TABLE subscriber; --", "\\", "İzmir", "30", ""]
VALUES: dict[str, list[Any]] = {
    "city": [*WORDS, 5, True, ["Geneva"], {"a": 1}],
    "in": ["x", "", "Geneva"],
    "age": [30, 30.5, "30", "030", "30.50", -3, "abc", "", True, 1e16, ["30"], "1e3", "٣"],
    "born": ["1990-01-31", "2026-11-24", "2026-11-24T10:00", "31.01.1990", "", 1990, "2026-08-26"],
    "vip": [True, False, "yes", "No", "TRUE", "0", 1, 0, "maybe", "", [True]],
    "topics": [["sport", "Art"], [], "sport", [1, "sport"], ["ΟΔΟΣ"], "", [""], {"a": "sport"}, 7],
}
LANGUAGES = [None, "fr", "fr-CH", "FR", "de", "frr", "pt-BR", ""]
STATUSES = ["active", "pending", "unsubscribed", "bounced", "complained"]
TIMES = [
    NOW,
    NOW - timedelta(microseconds=1),
    NOW - timedelta(hours=3),
    datetime(2026, 11, 24, tzinfo=UTC),
    datetime(2026, 11, 23, 23, 0, tzinfo=UTC),  # midnight in Zurich
    datetime(2026, 8, 26, tzinfo=UTC) - timedelta(microseconds=1),
    datetime(2026, 8, 26, tzinfo=UTC),
    datetime(2020, 2, 29, 12, tzinfo=UTC),
]


@dataclass
class Person:
    """Everything about a person that a rule can ask."""

    id: int
    address: str
    language: str | None
    joined: datetime
    fields: dict[str, Any]
    lists: dict[int, tuple[str, datetime]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    consents: list[tuple[int, str, str | None, datetime]] = field(default_factory=list)
    tracking: list[str] = field(default_factory=list)
    deliveries: dict[int, tuple[str, int | None]] = field(default_factory=dict)
    clicked: set[int] = field(default_factory=set)  # campaigns, by themselves
    suppressed: bool = False


def holds(rule: Rule, person: Person) -> bool:
    """Whether a rule means a person; nothing here is shared with the SQL but ``fold``."""
    match rule:
        case Clause():
            return _clause(rule, person)
        case Not():
            return not holds(rule.part, person)
        case Within():
            return holds(rule.part, person)
        case And():
            return all(holds(part, person) for part in rule.parts)
        case Or():
            return any(holds(part, person) for part in rule.parts)


def _clause(clause: Clause, person: Person) -> bool:
    answer = _answer(clause, person)
    sign, values = clause.sign, clause.values
    kind = clause.subject.kind
    if kind is Kind.many:
        words = [fold(word) for word in answer if word]
        return not words if sign is Sign.empty else any(fold(str(v)) in words for v in values)
    if sign is Sign.empty:
        return answer in (None, "")
    if answer in (None, ""):
        return False
    if kind in (Kind.text, Kind.language):
        return _words(kind, sign, fold(answer), [fold(str(value)) for value in values])
    if isinstance(values[0], Moment):
        return _moment(sign, answer, values[0])
    first: Any = values[0]
    if sign in (Sign.equals, Sign.one_of):
        return any(answer == value for value in values)
    if sign is Sign.differs:
        return bool(answer != first)
    below, same = bool(answer < first), bool(answer == first)
    return {
        Sign.less: below,
        Sign.at_most: below or same,
        Sign.more: not below and not same,
        Sign.at_least: not below,
    }[sign]


def _words(kind: Kind, sign: Sign, answer: str, values: list[str]) -> bool:
    def same(value: str) -> bool:
        region = kind is Kind.language and answer.startswith(f"{value}-")
        return answer == value or region

    match sign:
        case Sign.equals | Sign.one_of:
            return any(same(value) for value in values)
        case Sign.differs:
            return not same(values[0])
        case Sign.contains:
            return values[0] in answer
        case Sign.starts:
            return answer.startswith(values[0])
        case _:
            return answer.endswith(values[0])


def _moment(sign: Sign, answer: datetime, value: Moment) -> bool:
    match sign:
        case Sign.less:
            return answer < value.start
        case Sign.at_most:
            return answer < value.end
        case Sign.more:
            return answer >= value.end
        case Sign.at_least:
            return answer >= value.start
        case Sign.equals:
            return value.start <= answer < value.end
        case _:
            return not value.start <= answer < value.end


def _answer(clause: Clause, person: Person) -> Any:
    subject = clause.subject
    match subject.source:
        case Source.field:
            return _field(subject.kind, person.fields.get(subject.name))
        case Source.email:
            return person.address
        case Source.domain:
            return person.address.partition("@")[2]
        case Source.language:
            return person.language
        case Source.joined:
            return person.joined
        case Source.mailed:
            accepted = [
                at for state, at in person.deliveries.values() if state == "accepted" and at
            ]
            return datetime.fromtimestamp(max(accepted) / 1000, UTC) if accepted else None
        case Source.suppressed:
            return person.suppressed
        case Source.tracking:
            return person.tracking[-1] if person.tracking else "unknown"
        case Source.tag:
            return subject.name in person.tags
        case Source.list:
            status, since = person.lists.get(subject.id or 0, (None, None))
            return {"status": status, "since": since}.get(subject.aspect, status == "active")
        case Source.consent:
            given = [c for c in person.consents if subject.id in (None, c[0])]
            if not subject.aspect:
                return bool(given)
            return (
                given[-1][("list", "source", "wording", "at").index(subject.aspect)]
                if given
                else None
            )
        case Source.campaign:
            if subject.aspect == "clicked":
                agreed = person.tracking[-1:] == ["yes"]
                return agreed and subject.id in person.clicked
            state = person.deliveries.get(subject.id or 0, ("", None))[0]
            return state == subject.aspect if subject.aspect else state != ""


def _field(kind: Kind, value: Any) -> Any:
    match kind:
        case Kind.text:
            return value if isinstance(value, str) else None
        case Kind.number:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                return None
            if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value):
                return None
            return float(value)
        case Kind.day:
            if not isinstance(value, str) or not re.match(
                r"[0-9]{4}-[0-9]{2}-[0-9]{2}($|[T ])", value
            ):
                return None
            return date.fromisoformat(value[:10])
        case Kind.yesno:
            if isinstance(value, bool):
                return value
            known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
            return known.get(value.lower()) if isinstance(value, str) else None
        case _:
            several = (
                [value] if isinstance(value, str) else value if isinstance(value, list) else []
            )
            return [each for each in several if isinstance(each, str)]


# ---- people ------------------------------------------------------------------------------


def make_people(db: Database, number: int, seed: int) -> tuple[list[Person], dict[str, int]]:
    """People of every kind, written into the database; and the ids of the campaigns."""
    chance = random.Random(seed)
    lists = [make_list(db, name) for name in ("news", "press")]
    people: list[Person] = []
    rows: dict[Any, list[dict[str, Any]]] = {
        t: []
        for t in (
            Subscriber,
            Suppression,
            Subscription,
            SubscriberTag,
            Consent,
            TrackingConsent,
            Delivery,
            LinkClick,
        )
    }
    with db.read() as connection:
        hashed = hasher(connection)
    for count in range(1, number + 1):
        language, joined = chance.choice(LANGUAGES), chance.choice(TIMES)
        fields = {n: chance.choice(values) for n, values in VALUES.items() if chance.random() < 0.8}
        address = f"p{count}@{chance.choice(['example.org', 'Example.COM', 'mail.example.net'])}"
        address = address.lower()
        people.append(Person(count, address, language, joined, fields))
        rows[Subscriber].append(
            {
                "id": count,
                "address": address,
                "key": address,
                "suppression_hash": hashed(address),
                "language": language,
                "fields": fields,
                "created_at": joined,
            }
        )
        if chance.random() < 0.2:
            people[-1].suppressed = True
            row = {"hash": hashed(address), "reason": "complaint", "at": NOW}
            rows[Suppression].append(row)
    campaigns = {slug: make_campaign(db, lists[0], slug) for slug in ("spring", "autumn")}
    wordings = ["I want mail.", "Yes"]
    for person in people:
        me = {"subscriber_id": person.id}
        for each in lists:
            if chance.random() < 0.7:
                person.lists[each] = (chance.choice(STATUSES), chance.choice(TIMES))
                status, since = person.lists[each]
                rows[Subscription].append({**me, "list_id": each, "status": status, "since": since})
        for tag in ("gold", "straße"):
            if chance.random() < 0.3:
                person.tags.add(tag)
                rows[SubscriberTag].append({**me, "tag": tag, "at": NOW})
        for _ in range(chance.randrange(3)):
            words = chance.choice([0, 1, None])
            given = (
                chance.choice(lists),
                chance.choice(["import", "form"]),
                words,
                chance.choice(TIMES),
            )
            person.consents.append(
                (given[0], given[1], None if words is None else wordings[words], given[3])
            )
            rows[Consent].append(
                {
                    **me,
                    "list_id": given[0],
                    "source": given[1],
                    "detail": "",
                    "wording_id": None if words is None else words + 1,
                    "at": given[3],
                }
            )
        for _ in range(chance.randrange(3)):
            person.tracking.append(chance.choice(["yes", "no"]))
            rows[TrackingConsent].append(
                {**me, "answer": person.tracking[-1], "source": "form", "detail": "", "at": NOW}
            )
        for made in campaigns.values():
            for verdict in chance.choice([(), ("",), ("burst",), ("burst", "")]):
                if not verdict:
                    person.clicked.add(made.id)
                click = {"campaign_id": made.id, "number": 1, "at": 0, "verdict": verdict}
                rows[LinkClick].append({**me, **click})
            if chance.random() < 0.5:
                state = chance.choice(["planned", "accepted", "accepted", "refused", "deferred"])
                at = None if state == "planned" else int(chance.choice(TIMES).timestamp() * 1000)
                person.deliveries[made.id] = (state, at)
                rows[Delivery].append(
                    {
                        **me,
                        "campaign_id": made.id,
                        "position": person.id,
                        "variant_id": made.variants["en"],
                        "state": state,
                        "attempt": 0,
                        "reason": "",
                        "reply": "",
                        "at": at,
                    }
                )
    with db.write() as connection:
        connection.execute(text("DELETE FROM wording"))
        connection.execute(
            insert(Wording),
            [{"id": i, "text": words, "created_at": NOW} for i, words in enumerate(wordings, 1)],
        )
        connection.execute(
            insert(FieldDefinition),
            [{"name": name, "kind": kind, "created_at": NOW} for name, kind in KINDS.items()],
        )
        for model, values in rows.items():
            connection.execute(insert(model), values)
    return people, {slug: made.id for slug, made in campaigns.items()}


# ---- rules -------------------------------------------------------------------------------


def quoted(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


_said = st.sampled_from([w for w in WORDS if w] + ["gen", "e", "ss", "Σ", "%", "_", "ß", "x"]).map(
    quoted
)
_days = st.sampled_from(
    ["today", "yesterday", "90 days ago", "3 months ago", "in 2 weeks", "2026-08-26", "2020-02-29"]
)
_times = _days | st.sampled_from(["now", "3 hours ago", "10 minutes ago"])
_numbers = st.sampled_from(["30", "30.5", "-3", "+30", "0", "10000000000000000"[:15]])
_order = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "before", "after", "is", "is not"])
_same = st.sampled_from(["=", "!=", "is", "is not"])
_empty = st.sampled_from(["is empty", "is not empty"])


def _list_of(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(values, min_size=1, max_size=3).map(lambda each: f"({', '.join(each)})")
    return st.tuples(st.sampled_from(["in", "not in", "is in"]), several).map(" ".join)


def _compare(
    signs: st.SearchStrategy[str], values: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    return st.tuples(signs, values).map(" ".join)


_text_tests = (
    _compare(
        _same
        | st.sampled_from(
            ["contains", "does not contain", "starts with", "ends with", "does not start with"]
        ),
        _said,
    )
    | _list_of(_said)
    | _empty
)
_yes = st.sampled_from(["", "= yes", "= no", "is not true", "!= yes"])
_tags = st.sampled_from(['"fr"', '"fr-ch"', '"FR"', '"de"', '"pt"'])
_clauses = st.one_of(
    st.tuples(st.sampled_from(["city", "email", "domain", 'field("in")']), _text_tests),
    st.tuples(
        st.just("language"),
        _compare(_same | st.just("starts with"), _tags) | _list_of(_tags) | _empty,
    ),
    st.tuples(
        st.sampled_from(["age", "number(city)", "number(age)"]),
        _compare(_order, _numbers) | _list_of(_numbers) | _empty,
    ),
    st.tuples(
        st.sampled_from(["born", "date(city)"]), _compare(_order, _days) | _list_of(_days) | _empty
    ),
    st.tuples(
        st.sampled_from(["joined", "mailed", 'list("news").since', 'consent("press").at']),
        _compare(_order, _times) | _empty,
    ),
    st.tuples(st.just("vip"), _yes | _empty),
    st.tuples(
        st.just("topics"),
        _compare(st.sampled_from(["contains", "does not contain"]), _said | st.just('"SPORT"'))
        | _list_of(_said)
        | _empty,
    ),
    st.tuples(
        st.just('list("press").status'),
        _compare(_same, st.sampled_from(STATUSES)) | _list_of(st.sampled_from(STATUSES)) | _empty,
    ),
    st.tuples(st.just("tracking"), _compare(_same, st.sampled_from(["yes", "no", "unknown"]))),
    st.tuples(
        st.sampled_from(['consent("news").source', 'consent("news").wording']),
        _compare(_same | st.just("contains"), st.sampled_from(['"import"', '"i want"', '"yes"']))
        | _empty,
    ),
    st.tuples(
        st.sampled_from(
            [
                'list("news")',
                'tag("Gold")',
                'tag("nobody")',
                "suppressed",
                "consent",
                'consent("news")',
                'campaign("spring")',
                'campaign("spring").accepted',
                'campaign("spring").clicked',
                'campaign("autumn") and not clicked',
                'campaign("autumn").refused and not accepted',
                'segment("other")',
            ]
        ),
        st.just(""),
    ),
).map(lambda pair: " ".join(pair).strip())
OTHER = 'city is not "Geneva" or age > 29 and not vip'
rules = st.recursive(
    _clauses,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map(lambda rule: f"not ({rule})"),
        inner.map(lambda rule: f"({rule})"),
    ),
    max_leaves=6,
)
